"""Identity is kind and id; a repeated id with another content is set aside, and the first one stays in force."""

import random
from typing import Any

import msgpack
import pytest

from streams.features.plan import FeaturePlan
from streams.log import Output
from streams.partitioner import partition_of
from streams.replay import replay
from streams.scoring.intake import former_digest
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.world import DAY, HOUR, PARTITIONS, USE_CASE, Log, decoded, random_log, scoring

PLAN = FeaturePlan(USE_CASE)
BUY = {"event_id": "order-1", "customer_id": "c", "occurred_at": 1, "cents": 500}
VISIT = {"event_id": "order-1", "customer_id": "c", "occurred_at": 2, "seconds": None}
LEAVE = {"event_id": "order-1", "customer_id": "c", "occurred_at": 3}
OUTCOME = {"outcome_id": "order-1", "customer_id": "c", "target": "told", "occurred_at": HOUR, "value": 1.0}


def run(*said: tuple[str, dict[str, Any]], batch: int = 2000) -> tuple[Log, list[Output], MemoryScoringStore]:
    log = Log()
    log.deploy()
    for name, record in said:
        log.say(name, **record)
    store = MemoryScoringStore()
    return log, [o for outputs in replay(scoring(log, store), log.logs, batch) for o in outputs], store


def counters(store: MemoryScoringStore) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, packed in store.positions(range(PARTITIONS)).values():
        for name, count in PartitionHeader.unpack(packed).counters.items():
            found[name] = found.get(name, 0) + count
    return found


def features(store: MemoryScoringStore) -> dict[str, float]:
    for partition in range(PARTITIONS):
        state = store.load({partition: ["c"]})[partition]["c"].state
        if state is not None:
            unpacked = PLAN.stored.unpack(state)
            return dict(zip(PLAN.names, PLAN.vector(unpacked, unpacked.clock), strict=True))
    raise AssertionError("the customer is unknown")


def test_records_of_several_kinds_may_have_one_id() -> None:
    """An order, a visit, a leaving and a complaint that are all named by the order."""
    log, outputs, store = run(
        ("small.Buy", BUY), ("small.Visit", VISIT), ("small.Leave", LEAVE), ("tidecast.Outcome", OUTCOME)
    )
    told = counters(store)
    assert (told["accepted"], told["duplicate"], told["dead"]) == (4, 0, 0)
    assert features(store)["buys_3d"] == features(store)["visits_6h"] == 1.0
    labels = {e["target"]: e["label"] for e in decoded(log, outputs, "LabelledExample")}
    assert labels["told"] == 1.0


def test_each_of_them_is_a_duplicate_of_its_own_kind_only() -> None:
    said = [("small.Buy", BUY), ("small.Visit", VISIT), ("small.Leave", LEAVE), ("tidecast.Outcome", OUTCOME)]
    _, _, store = run(*said, *reversed(said))
    told = counters(store)
    assert (told["accepted"], told["duplicate"], told["dead"]) == (4, 4, 0)


@pytest.mark.parametrize(
    "name,record,other",
    [
        ("small.Buy", BUY, {"cents": 700}),
        ("small.Buy", BUY, {"occurred_at": 2}),
        ("small.Visit", VISIT, {"seconds": 0.0}),
        ("small.Leave", LEAVE, {"source": "crm"}),
        ("tidecast.Outcome", OUTCOME, {"value": 0.0}),
        ("tidecast.Outcome", OUTCOME, {"prediction_id": "7.0.1.0"}),
    ],
)
def test_another_content_under_the_same_id_is_a_dead_letter(
    name: str, record: dict[str, Any], other: dict[str, Any]
) -> None:
    log, outputs, store = run((name, record), (name, {**record, **other}), (name, record))
    told = counters(store)
    assert [told[fate] for fate in ("accepted", "duplicate", "dead", "conflicts")] == [1, 1, 1, 1]
    (letter,) = decoded(log, outputs, "DeadLetter")
    assert letter["reason"] == "conflicting_id"
    assert "order-1" in letter["detail"] and "id of its own" in letter["detail"]
    kept = log.codec.decode(letter["value"])[1]
    assert {field: kept[field] for field in other} == other
    assert (features(store)["spend_3d"] == 500.0) == (name == "small.Buy")


def test_under_an_id_of_its_own_it_is_accepted() -> None:
    """What the dead letter says to do."""
    _, _, store = run(("small.Buy", BUY), ("small.Buy", {**BUY, "cents": 7, "event_id": "order-1b"}))
    told = counters(store)
    assert (told["accepted"], told["dead"]) == (2, 0)


def test_a_dead_letter_that_is_sent_again_is_no_conflict() -> None:
    """A record that was never accepted has not used its id up."""
    log, store = Log(), MemoryScoringStore()
    log.deploy()
    log.say("small.Buy", **{**BUY, "occurred_at": 3651 * DAY})  # too far ahead
    log.tick(2 * DAY)
    for _ in range(2):
        log.say("small.Buy", **{**BUY, "occurred_at": 3651 * DAY})
    list(replay(scoring(log, store), log.logs))
    told = counters(store)
    assert [told[fate] for fate in ("dead", "accepted", "duplicate", "conflicts")] == [1, 1, 1, 0]


def conflicting(seed: int) -> Log:
    """A random log in which every fourth record comes again, changed or as another kind."""
    r = random.Random(seed)
    log, source = Log(), random_log(seed)
    log.deploy()
    for name, record in source.published:
        log.say(name, **record)
        if r.random() < 0.25:
            kind = r.choice(("small.Buy", "small.Visit", "small.Leave"))
            id = record.get("event_id") or record["outcome_id"]
            fields = {"small.Buy": {"cents": r.randrange(9)}, "small.Visit": {"seconds": None}}.get(kind, {})
            when = {"customer_id": record["customer_id"], "occurred_at": record["occurred_at"]}
            log.say(kind, event_id=id, **when, **fields)
    log.tick(10**10)
    return log


def oracle(log: Log) -> dict[str, int]:
    """What becomes of each record, by dictionaries of all ids. (No customer has more than 256.)"""
    first: dict[Any, Any] = {}
    found = dict.fromkeys(("accepted", "duplicate", "conflicts"), 0)
    for name, record in log.published:
        id = (record["customer_id"], name, record.get("event_id") or record["outcome_id"])
        known = first.setdefault(id, record)
        found["accepted" if known is record else "duplicate" if known == record else "conflicts"] += 1
    return found


@pytest.mark.parametrize("seed", range(6))
def test_fates_equal_those_of_an_oracle_that_keeps_everything(seed: int) -> None:
    log, store = conflicting(seed), MemoryScoringStore()
    list(replay(scoring(log, store), log.logs))
    told, wanted = counters(store), oracle(log)
    assert {fate: told[fate] for fate in wanted} == wanted
    assert wanted["conflicts"] > 3


@pytest.mark.parametrize("seed", range(3))
def test_conflicts_do_not_depend_on_batches_or_caches(seed: int) -> None:
    log, calm, odd = conflicting(seed), MemoryScoringStore(), MemoryScoringStore()
    together = [o for outputs in replay(scoring(log, calm), log.logs) for o in outputs]
    one_by_one = [o for outputs in replay(scoring(log, odd, 0), log.logs, 1) for o in outputs]
    assert sorted(o.value for o in together) == sorted(o.value for o in one_by_one)
    assert counters(calm) == counters(odd)


def test_ids_that_an_earlier_version_remembered_are_duplicates_still() -> None:
    """It kept the id alone, so that whatever has this id is dropped, as it was then."""
    log = Log()
    log.deploy()
    log.say("small.Buy", **{**BUY, "event_id": "new"})
    store = MemoryScoringStore()
    list(replay(scoring(log, store), log.logs))
    states = store._partitions[partition_of("c", PARTITIONS)].states
    fingerprint, clock, due, _, registers, series = msgpack.unpackb(states["c"], strict_map_key=False)
    states["c"] = msgpack.packb((fingerprint, clock, due, former_digest("order-1"), registers, series))
    log.say("small.Buy", **BUY)
    log.say("small.Visit", **VISIT)
    log.say("small.Buy", **{**BUY, "event_id": "order-2"})
    list(replay(scoring(log, store), log.logs))
    told = counters(store)
    assert (told["accepted"], told["duplicate"], told["dead"]) == (2, 2, 0)
