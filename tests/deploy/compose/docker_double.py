"""A `docker` for the PATH that keeps its world in a file and writes down how it was called."""

import json
import os
import sys
from pathlib import Path
from typing import Any

# Isolated and without site packages, because the tests call it often.
_PROGRAM = """#!{python} -IS
import json, pathlib, re, sys
home = pathlib.Path(sys.argv[0]).parent
world = json.loads((home / "world.json").read_text())
arguments = sys.argv[1:]
with (home / "calls.txt").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")


def end(text="", error="", code=0):
    (home / "world.json").write_text(json.dumps(world))
    sys.stdout.write(text)
    sys.stderr.write(error)
    sys.exit(code)


def option(name):
    return arguments[arguments.index(name) + 1]


if world["down"]:
    end(error="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", code=1)
if arguments[:2] == ["compose", "version"]:
    end(world["version"] + "\\n")
if arguments[0] == "info":
    end("28.2.2\\n")
if arguments[:2] == ["image", "ls"]:
    end("0123\\n" if arguments[-1] in world["images"] else "")
if arguments[:2] == ["volume", "ls"]:
    end("".join(name + "\\n" for name in world["volumes"]))
if arguments[:2] == ["volume", "rm"]:
    world["volumes"] = [name for name in world["volumes"] if name not in arguments[2:]]
    end()
project, containers = option("--project-name"), world["containers"]
if "ps" in arguments:
    end("".join(json.dumps(one) + "\\n" for one in containers.values()))
file = pathlib.Path(option("--file"))
if not file.is_file():
    end(error="open " + str(file) + ": no such file or directory", code=14)
text = file.read_text()
for name in re.findall(r"path: (secrets/[a-z-]+[.]env)", text):
    if name != "secrets/providers.env" and not (file.parent / name).is_file():
        end(error="env file " + name + " not found", code=1)
service = r'^  ([a-z0-9-]+):\\n(?:    .*\\n|\\n)*?    labels: .headgate.digest: "([0-9a-f]+)"'
known = dict(re.findall(service, text, re.M))
blocks = dict(re.findall(r"^  ([a-z0-9-]+):\\n((?:    .*\\n|\\n)*)", text, re.M))
published = r'"([0-9.]+):([0-9]+):([0-9]+)"'
named = [word for word in arguments if word in known]
if "up" in arguments:
    for name in named:
        bad = name in world["failing"]
        containers[name] = {{
            "Service": name, "State": "exited" if bad else "running", "Health": "" if bad else "healthy",
            "ExitCode": 1 if bad else 0, "Labels": "x=" + name + ",headgate.digest=" + known[name],
            "Publishers": [
                {{"URL": address, "TargetPort": int(inner), "PublishedPort": int(port), "Protocol": "tcp"}}
                for address, port, inner in re.findall(published, blocks[name])
            ],
        }}
    volumes = re.search(r"^volumes:\\n((?:  .*\\n)*)", text, re.M).group(1)
    for volume in re.findall(r"^  ([a-z0-9-]+):", volumes, re.M):
        if volume in named and project + "_" + volume not in world["volumes"]:
            world["volumes"].append(project + "_" + volume)
    failed = [name for name in named if name in world["failing"]]
    end(error="container " + failed[0] + " exited (1)", code=1) if failed else end()
if "rm" in arguments:
    for name in named:
        containers.pop(name, None)
    end()
if "down" in arguments:
    end()
if "logs" in arguments:
    end("".join(name + "-1  | " + world["log"] + "\\n" for name in named))
end(error="unknown command: " + " ".join(arguments), code=1)
"""


class DockerDouble:
    """The world behind the double, and the calls that were made; goes on with the one that `home` holds."""

    def __init__(self, home: Path) -> None:
        self._home = home
        if home.is_dir():
            return
        home.mkdir(parents=True)
        program = home / "docker"
        program.write_text(_PROGRAM.format(python=sys.executable))
        program.chmod(0o755)
        self.set(down=False, version="2.40.0", images=["headgate:0.1.0"], volumes=[], containers={}, failing=[], log="")

    @property
    def environ(self) -> dict[str, str]:
        """An environment in which it is the only `docker`."""
        return {"PATH": str(self._home), "HOME": os.environ.get("HOME", "/")}

    def world(self) -> dict[str, Any]:
        """Read the world."""
        found: dict[str, Any] = json.loads((self._home / "world.json").read_text())
        return found

    def set(self, **changes: Any) -> None:
        """Change the world."""
        path = self._home / "world.json"
        path.write_text(json.dumps({**(self.world() if path.is_file() else {}), **changes}))

    def change(self, service: str, **changes: Any) -> None:
        """Change one container."""
        containers = self.world()["containers"]
        containers[service] |= changes
        self.set(containers=containers)

    def calls(self) -> list[list[str]]:
        """Return how it was called, oldest first."""
        path = self._home / "calls.txt"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def changes(self) -> list[list[str]]:
        """Return the calls that change something, without the options before the command."""
        found = []
        for call in self.calls():
            words = call[5:] if call[0] == "compose" and "--file" in call else call
            if words[0] in ("up", "rm", "down") or words[:2] == ["volume", "rm"]:
                found.append(words)
        return found
