// Portkey's server listens on all interfaces and has no option for another; the benchmark stays on loopback.
const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, host, ...rest) {
  if (typeof port !== "number" && typeof port !== "string") {
    throw new Error("expected listen(port, ...): this version of the gateway starts its server in another way");
  }
  return listen.call(this, port, "127.0.0.1", ...rest);
};
