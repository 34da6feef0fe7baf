"""Puts files into a folder without destroying what somebody changed there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Written:
    """What became of each file, by its path below the folder.

    `kept` are files with another content that were not overwritten; when there are any, nothing was written at all.
    """

    created: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def write_files(files: Mapping[str, str], folder: Path, *, force: bool = False) -> Written:
    """Write `files` below `folder`: all of them, or none when one exists with another content and `force` is false.

    Raises `ConfigurationError` when the folder can not be read or written.
    """
    try:
        present = {name: _content(folder / name) for name in files}
        different = tuple(name for name, text in files.items() if present[name] not in (None, text.encode()))
        unchanged = tuple(name for name, text in files.items() if present[name] == text.encode())
        if different and not force:
            return Written(unchanged=unchanged, kept=different)
        for name in files:
            if name not in unchanged:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(files[name].encode())
    except OSError as error:
        raise ConfigurationError([f"{error.filename or folder} can not be written: {error.strerror}."]) from error
    created = tuple(name for name, content in present.items() if content is None)
    return Written(created, different, unchanged)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
