"""What the fuzz tests share: protocols driven without sockets, inputs made of valid parts, and a kept corpus."""

import asyncio
from pathlib import Path

from hypothesis import strategies as st

from tests.doubles.transport import MemoryTransport

CORPUS = Path(__file__).parent / "corpus"


def corpus(folder: str) -> list[bytes]:
    """Return the inputs that are kept in a folder of the corpus: each once broke something, or nearly did."""
    return [path.read_bytes() for path in sorted((CORPUS / folder).iterdir())]


async def deliver(transport: MemoryTransport, protocol: asyncio.Protocol, pieces: list[bytes]) -> None:
    """Deliver pieces in order, each once the protocol reads, as a socket would; an exception is the test's failure."""
    for piece in pieces:
        for _ in range(200):
            if transport.reading or transport.is_closing():
                break
            await asyncio.sleep(0)
        if transport.is_closing():
            return
        protocol.data_received(piece)
        await asyncio.sleep(0)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    """Cut bytes at points, given as any integers."""
    places = sorted({point % len(data) for point in points} | {0}) if data else [0]
    return [data[start:end] for start, end in zip(places, [*places[1:], len(data)], strict=True) if start < end]


def mutated(valid: list[bytes], alphabet: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return valid inputs, alone or in a row, into which pieces of an alphabet were put, or from which some was cut."""
    edit = st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from(alphabet) | st.binary(max_size=4))
    return st.builds(
        _apply, st.lists(st.sampled_from(valid), min_size=1, max_size=3).map(b"".join), st.lists(edit, max_size=4)
    )


def _apply(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, added in edits:
        start = place % (len(data) + 1)
        data = data[:start] + added + data[start + removed :]
    return data


cuts: st.SearchStrategy[list[int]] = st.lists(st.integers(0, 10_000), max_size=8)
