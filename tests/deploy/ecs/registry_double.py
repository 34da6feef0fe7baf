"""A `docker` for the PATH that builds, pulls and pushes: what it pushes is in moto's registry afterwards."""

import json
import sys
from pathlib import Path
from typing import Any

# Isolated and without site packages, because the tests call it often.
_PROGRAM = """#!{python} -IS
import http.client, json, pathlib, sys
home = pathlib.Path(sys.argv[0]).parent
world = json.loads((home / "world.json").read_text())
arguments = sys.argv[1:]
with (home / "calls.txt").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")


def end(text="", error=""):
    (home / "world.json").write_text(json.dumps(world))
    sys.stdout.write(text)
    sys.stderr.write(error)
    sys.exit(1 if error else 0)


def option(name):
    return arguments[arguments.index(name) + 1]


def put(target):
    repository, _, tag = target.partition("/")[2].partition(":")
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps({{"schemaVersion": 2, "mediaType": kind, "config": {{}}, "layers": []}})
    connection = http.client.HTTPConnection("127.0.0.1", world["port"])
    connection.request("POST", "/", json.dumps(
        {{"repositoryName": repository, "imageManifest": manifest, "imageTag": tag}}
    ), {{
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecr/aws4_request",
    }})
    answer = connection.getresponse()
    return "" if answer.status == 200 else answer.read().decode()


images, command = world["images"], arguments[0]
if world["down"]:
    end(error="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
if command == "info":
    end("28.2.2\\n")
if arguments[:2] == ["image", "inspect"]:
    end(images[arguments[-1]] + "\\n") if arguments[-1] in images else end(error="No such image: " + arguments[-1])
if command == "build":
    if not (pathlib.Path(arguments[-1]) / "Dockerfile").is_file():
        end(error="failed to read dockerfile")
    images[option("--tag")] = option("--platform")
    end()
if command == "pull":
    if arguments[-1] not in world["upstream"]:
        end(error="manifest unknown: " + arguments[-1])
    images[arguments[-1]] = option("--platform")
    end()
if command == "tag":
    images[arguments[2]] = images[arguments[1]]
    end()
if command == "login":
    world["login"] = [arguments[-1], option("--username"), sys.stdin.read()]
    end("Login Succeeded\\n")
if command == "logout":
    world["login"] = None
    end()
if command == "push":
    if world["login"] is None or world["login"][0] != arguments[1].partition("/")[0]:
        end(error="no basic auth credentials")
    if world["refuses"]:
        end(error=world["refuses"] + " " + world["login"][2])
    end(error=put(arguments[1]))
end(error="unknown command: " + " ".join(arguments))
"""


class RegistryDouble:
    """The world behind the double. `port` is where moto listens on loopback."""

    def __init__(self, home: Path, port: int) -> None:
        self._home = home
        home.mkdir()
        program = home / "docker"
        program.write_text(_PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        self._write({"port": port, "images": {}, "upstream": [], "login": None, "refuses": "", "down": False})

    @property
    def environ(self) -> dict[str, str]:
        """An environment in which it is the only `docker`."""
        return {"PATH": str(self._home)}

    def world(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._home / "world.json").read_text())
        return found

    def set(self, **changes: Any) -> None:
        self._write({**self.world(), **changes})

    def calls(self) -> list[list[str]]:
        """Return how it was called, oldest first."""
        path = self._home / "calls.txt"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def _write(self, world: dict[str, Any]) -> None:
        (self._home / "world.json").write_text(json.dumps(world))
