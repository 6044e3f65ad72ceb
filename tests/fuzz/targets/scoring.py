"""Scoring accepts any log. It raises no error, counts every record, and gives the same result for all batch sizes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streams.log import Record
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring import timers
from streams.scoring.intake import EARLIEST, LATEST
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.targets import observations
from streams.timeline import PartitionHeader
from tests.fuzz.bites import Bites
from tests.replay import world
from tests.replay.world import DAY, HOUR, PARTITIONS, Log, codec, decoded

CODEC = codec()
DEPLOYMENT = world.deployment()
MOST_RECORDS = 24
MOMENTS = (0, 1, HOUR, DAY, 3 * DAY, 100 * DAY, 20_000 * DAY, -DAY, EARLIEST, EARLIEST - 1, LATEST, LATEST + 1)
MOMENTS += (2**53, -(2**53), 2**62, 2**63 - 1, -(2**63), -62_000_000_000_000)
NUMBERS = (0.0, 1.0, -1.0, 0.5, 1e99, 1e100, 1e308, float("nan"), float("inf"), 5e-324)
CENTS = (0, 1, -1, 2**63 - 1, -(2**63), 2**62)
FATES = ("accepted", "duplicate", "late", "dead", "controls")


def check(data: bytes) -> None:
    """Raise when a record stops scoring, is lost, or gives another result in other batches."""
    log = Log(CODEC)
    log.control("tidecast.Deployment", DEPLOYMENT.to_record())
    bites = Bites(data)
    for _ in range(min(bites.number(1), MOST_RECORDS)):
        ACTIONS[bites.number(1) % len(ACTIONS)](log, bites)
    with _small():
        together, calm = _run(log, 2000, 1000)
        one_by_one, odd = _run(log, 2, 0)
    assert together == one_by_one, "outputs depend on batches"
    assert calm == odd, "state depends on batches"
    for partition, records in log.records.items():
        counters = PartitionHeader.unpack(calm[partition][1]).counters
        assert sum(counters[fate] for fate in FATES) == len(records), counters


def _run(log: Log, batch: int, cache: int) -> tuple[list[tuple[str, int, bytes]], dict[int, Any]]:
    store = MemoryScoringStore()
    stage = Scoring(world.USE_CASE, DEPLOYMENT, store, CODEC, MemoryModelStore(), world.KEY, cache)
    outputs = [output for outputs in replay(stage, log.logs, batch) for output in outputs]
    for letter in decoded(log, outputs, "DeadLetter"):
        assert letter["reason"] != "failed", letter
    return sorted((o.topic, o.partition, o.value) for o in outputs), dict(store.positions(range(PARTITIONS)))


@contextmanager
def _small() -> Iterator[None]:
    """Lower the limits so that a short log reaches them."""
    limits = ((timers, "SLICE", 3), (timers, "MOST_OUTPUTS", 5), (timers, "MOST_MISSED", 4))
    limits += ((observations, "MOST_OPEN", 2), (observations, "MOST_EARLY", 2))
    before = [getattr(module, name) for module, name, _ in limits]
    for module, name, value in limits:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(limits, before, strict=True):
            setattr(module, name, value)


def _moment(bites: Bites) -> int:
    how = bites.number(1)
    moment = MOMENTS[how % len(MOMENTS)] + (bites.signed(4) if how & 128 else 0)
    return max(-(2**63), min(2**63 - 1, moment))


def _common(bites: Bites) -> dict[str, Any]:
    return {"customer_id": f"c{bites.number(1) % 3}", "occurred_at": _moment(bites)}


def _event(log: Log, bites: Bites) -> None:
    what = bites.number(1)
    event = {**_common(bites), "event_id": f"e{bites.number(1)}"}
    if what % 3 == 0:
        log.say("small.Buy", **event, cents=bites.one_of(CENTS))
    elif what % 3 == 1:
        log.say("small.Visit", **event, seconds=bites.one_of((None, *NUMBERS)))
    else:
        log.say("small.Leave", **event)


def _outcome(log: Log, bites: Bites) -> None:
    target = bites.one_of(("told", "told", "spend", "silent", "none", ""))
    outcome = {"outcome_id": f"o{bites.number(1)}", "target": target, "value": bites.one_of(NUMBERS)}
    prediction = bites.one_of((None, None, "7.0.1.0", "x"))
    log.say("tidecast.Outcome", **_common(bites), **outcome, prediction_id=prediction)


def _tick(log: Log, bites: Bites) -> None:
    log.tick(_moment(bites))


def _stand(log: Log, bites: Bites) -> None:
    """Pause time, let it go on, or pass over empty time."""
    how = bites.number(1)
    if how % 3:
        log.pause(how % 3 == 1, bites.signed(2), how & 64 != 0)
    else:
        log.tick(_moment(bites), gap=True)


def _deployment(log: Log, bites: Bites) -> None:
    number = bites.one_of((None, 0, 1, 2, 2**63 - 1, -1))
    log.control("tidecast.Deployment", {**DEPLOYMENT.to_record(), "number": number})


def _switch(log: Log, bites: Bites) -> None:
    """Add a switch that no scorer can follow. A valid one would make the scorer wait for its snapshot."""
    offset = bites.signed(8)
    record = {"target": bites.one_of(("silent", "x")), "arm": "logistic", "command": bites.signed(8), "offset": offset}
    named = {"version": bites.text(30), "snapshot": bites.text(30), "digest": bites.bites(32)}
    log.control("tidecast.Switch", {**record, **named})


def _raw(log: Log, bites: Bites) -> None:
    key, value = bites.bites(20), bites.bites(200)
    log.records[partition := bites.number(1) % PARTITIONS].append(
        Record(len(log.records[partition]), bites.signed(8), key or None, value or None)
    )


ACTIONS = (_event, _event, _event, _outcome, _tick, _stand, _deployment, _switch, _raw)

SEEDS = [
    bytes([10, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 2, 0, 4, 3, 0, 1, 0, 4, 0, 0, 4, 5, 3, 0, 0, 1, 0, 0, 2]),
    bytes([20] + [0, 1, 0, 17, 5, 0] * 3 + [4, 0, 5, 6]),
    bytes([24] + [n % 251 for n in range(200)]),
    bytes([24] + [n * 7 % 251 for n in range(300)]),
    bytes([3, 8, 5, 0]) + b"c0abc" + bytes([4, 0]) + b"\0\0\0\1\0" * 3,
]
