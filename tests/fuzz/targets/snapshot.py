"""Loading a snapshot. No byte is parsed or unpickled before its seal is verified."""

import pickle
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import msgpack

from schemas.marks import HighWater
from streams.identity import Position
from streams.keys import Key, Keys
from streams.models import snapshot as module
from streams.models.factory import build_model
from streams.models.snapshot import BadSnapshot, Snapshot, dump_snapshot, load_snapshot, seal
from streams.models.version import Version
from streams.usecases import Arm, HoeffdingTree, Logistic
from tests.fuzz.bites import Bites

KEY = Keys.of(Key.of("", b"k" * 32))
LIMIT = 1 << 16


class Bomb:
    """An object that creates the file `mark` when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


def made(declared: Any) -> bytes:
    arm = Arm("a", declared, role="champion")
    model = build_model(arm, "t", "binary", ("x", "y"), 1)
    for n in range(50):
        model.learn([float(n % 7), float(n % 3)], float(n % 2))
    version = Version("t", "a", 1, 49)
    return dump_snapshot(Snapshot(version, model, HighWater({0: (7, 49, 0)}), Position(50), 50), KEY)


GOOD = [made(Logistic()), made(HoeffdingTree())]
BOMB = pickle.dumps(Bomb(Path(gettempdir()) / "tidecast-fuzz-bomb"))


class Tripwire:
    """A wrapper around the parser that records whether it was called."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self.touched = False

    def unpackb(self, data: bytes) -> Any:
        self.touched = True
        return self._parser.unpackb(data)

    def packb(self, value: Any) -> Any:
        return self._parser.packb(value)


WIRE = Tripwire(msgpack)


def check(data: bytes) -> None:
    """Raise when bytes that we did not seal are parsed, or when the error is not BadSnapshot."""
    bites = Bites(data)
    how = bites.number(1)
    if how % 4 == 3:
        _sealed_nonsense(bites)
        return
    blob = _mutated(bites, GOOD[how >> 2 & 1]) if how % 4 else bites.rest()
    if blob in GOOD:
        return
    module.msgpack = WIRE  # type: ignore[assignment]
    WIRE.touched = False
    try:
        load_snapshot(blob, KEY, LIMIT)
    except BadSnapshot:
        assert not WIRE.touched, "parsed although the seal is wrong"
        return
    finally:
        module.msgpack = msgpack
    raise AssertionError("loaded although it is no snapshot of ours")


def _mutated(bites: Bites, good: bytes) -> bytes:
    blob = bytearray(good)
    for _ in range(1 + bites.number(1) % 4):
        at = bites.number(4) % len(blob)
        blob[at] ^= bites.number(1) or 1
    if bites.number(1) & 1:
        del blob[bites.number(4) % len(blob) :]
    return bytes(blob)


def _sealed_nonsense(bites: Bites) -> None:
    """Load bytes that are sealed with the right key but are not a snapshot. An older format is one example."""
    payload = bites.rest()
    if b"River" in payload:
        return  # the payload may be a pickle, and whoever holds the key can run any code
    try:
        load_snapshot(seal(payload, KEY), KEY, LIMIT)
    except BadSnapshot:
        return


SEEDS = [
    *(b"\0" + blob for blob in GOOD),
    *(b"\1" + bytes(8), b"\5" + bytes(8)),
    b"\0" + seal(BOMB, Keys.of(Key.of("", b"other key"))),
    b"\0" + BOMB,
    b"\0" + seal(b"x" * LIMIT, KEY),
    *(b"\3" + blob[40:] for blob in GOOD),
    b"\3" + BOMB,
]
