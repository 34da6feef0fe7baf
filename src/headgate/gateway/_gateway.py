"""The gateway as one object: the data plane that servers call, and everything it is made of."""

import asyncio
import contextlib
import logging
from random import Random

from headgate.config import Configuration
from headgate.core.clock import monotonic
from headgate.core.errors import GatewayError, PayloadTooLargeError
from headgate.core.identifiers import call_id
from headgate.core.provider import Headers, Operation
from headgate.dialects import dialect_of
from headgate.gateway import _headers as header_lines
from headgate.gateway._credentials import CHECK_SECONDS
from headgate.gateway._journey import Journey, Services
from headgate.gateway._probes import BackgroundProbes
from headgate.gateway._routes import Match, Routes
from headgate.gateway._runtime import build_runtime
from headgate.gateway._upstreams import Upstreams
from headgate.governance import Principal
from headgate.telemetry import REPORT_SECONDS, Counters, OverheadReport
from headgate.transport.exchange import Exchange, Refusal

log = logging.getLogger("headgate.gateway")


class Gateway:
    """Serves a configuration. `start` within the event loop that is to serve, `stop` at the end."""

    def __init__(self, configuration: Configuration, master_key: str | None) -> None:
        self._master_key = master_key
        self.counters = Counters()
        self.runtime = build_runtime(configuration, master_key, on_previous_use=self._count_previous_use)
        self.routes = Routes(configuration.environ.get("SERVER_ROOT_PATH", ""))
        self.body_limit = configuration.general.max_request_bytes
        self.draining = False
        # Only replicas are kept out of step by it; nothing depends on what it is.
        self.probes = BackgroundProbes(lambda: self.runtime, monotonic, Random())  # noqa: S311
        self.upstreams: Upstreams
        self._services: Services
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make what belongs to the running event loop."""
        self.upstreams = Upstreams(self.runtime.configuration)
        self._services = Services(lambda: self.runtime, self.upstreams, self.counters)
        self._background = [
            asyncio.create_task(self._keep_credentials_fresh()),
            asyncio.create_task(self.probes.run(self.upstreams)),
            asyncio.create_task(asyncio.to_thread(self._load_prices)),
        ]
        if self.runtime.configuration.litellm.json_logs:
            self._background.append(asyncio.create_task(self._tell_overhead()))

    async def stop(self) -> None:
        """Close connections and end what runs in the background."""
        for task in self._background:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.upstreams.close()

    def replace(self, configuration: Configuration) -> None:
        """Put a new configuration in force for the requests that come from now on.

        Raises `ConfigurationError`, and then leaves the one in force where it is. What only a new process can change
        (connection settings, the root path, the master key) stays.
        """
        self.runtime = build_runtime(
            configuration, self._master_key, self.runtime, on_previous_use=self._count_previous_use
        )
        self.body_limit = configuration.general.max_request_bytes

    # -- what servers call ---------------------------------------------------------------------------------------

    def serves(self, method: bytes, path: bytes) -> bool:
        """Tell whether a request belongs to the data plane."""
        return method == b"POST" and self.routes.match(path) is not None

    def admit(self, method: bytes, path: bytes, headers: Headers) -> Refusal | Principal:
        """Authenticate a request before its body is read."""
        try:
            return self.runtime.authenticator.authenticate(headers)
        except GatewayError as error:
            return self._refusal(path, error)

    def refuse(self, path: bytes, status: int, message: str) -> Refusal:
        """Word a refusal of the transport's own in the dialect of the path."""
        if status == PayloadTooLargeError.status:
            return self._refusal(path, PayloadTooLargeError(message))
        kind = "invalid_request_error" if status < 500 else "internal_server_error"
        return self._refusal(path, GatewayError(message, status=status, kind=kind))

    def handle(self, exchange: Exchange) -> None:
        """Answer a request of the data plane."""
        match = self.routes.match(exchange.path)
        assert match is not None  # noqa: S101 - `serves` has said so
        Journey(self._services, exchange, match).begin()

    def _count_previous_use(self) -> None:
        self.counters.master_key_previous_uses += 1

    def _refusal(self, path: bytes, error: GatewayError) -> Refusal:
        match = self.routes.match(path) or Match(Operation.CHAT)
        headers = b"content-type: application/json\r\nx-litellm-call-id: %b\r\n%b" % (
            call_id().encode(),
            header_lines.lines(error.headers),
        )
        return Refusal(error.status, headers, dialect_of(match.operation).error(error))

    def _load_prices(self) -> None:
        """Load the published prices, which takes a tenth of a second, before the first answer needs them."""
        for deployment in self.runtime.deployments:
            if deployment.provider.provider.name != "demo":
                deployment.provider.price("", monotonic())

    async def _keep_credentials_fresh(self) -> None:
        while True:
            found = [deployment.provider.provider.credentials for deployment in self.runtime.deployments]
            await self.upstreams.refresh_due({one for one in found if one is not None})
            await asyncio.sleep(CHECK_SECONDS)

    async def _tell_overhead(self) -> None:
        """Write figures to the log for whoever has nothing else to read them from."""
        report = OverheadReport(self.counters)
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if fields := report.fields():
                log.info("overhead of this worker's answers", extra={"fields": fields})
