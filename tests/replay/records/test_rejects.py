"""The rejects that slices report are the rejects that they emit, for any division of the log into batches."""

import random

import pytest

from schemas.topics import CUSTOMER_EVENTS
from streams.log import Rejects, TopicPartition
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.world import PARTITIONS, Log, decoded, random_log, scoring


def slices(log: Log, seed: int) -> tuple[list[Rejects], list[dict], MemoryScoringStore]:
    r = random.Random(seed)
    store = MemoryScoringStore()
    stage = scoring(log, store)
    stage.assign(list(log.logs))
    said, outputs = [], []
    at = dict.fromkeys(range(PARTITIONS), 0)
    while any(at[p] < len(log.records[p]) for p in at):
        ends = {p: at[p] + r.randrange(40) for p in at}
        batch = {TopicPartition(CUSTOMER_EVENTS, p): log.records[p][at[p] : ends[p]] for p in at}
        at = ends
        for slice_ in stage.process(batch):
            outputs += slice_.outputs
            said.append(slice_.rejects)
            slice_.commit()
    return said, outputs, store


@pytest.mark.parametrize("seed", range(6))
def test_every_dead_letter_and_late_event_is_said_once(seed):
    log = random_log(seed)
    said, outputs, store = slices(log, seed)
    letters = decoded(log, outputs, "DeadLetter")
    told = [(d.partition, d.offset, d.reason.value, d.detail) for slice_ in said for d in slice_.dead]
    assert (
        told == [(x["source"]["partition"], x["source"]["offset"], x["reason"], x["detail"]) for x in letters]
        and len(told) > 3
    )
    assert (
        sum(late.events for slice_ in said for late in slice_.late.values())
        == len(decoded(log, outputs, "LateEvent"))
        > 0
    )
    for partition, (_, packed) in store.positions(range(PARTITIONS)).items():
        counters = PartitionHeader.unpack(packed).counters
        fine = sum(slice_.fine.get(partition, 0) for slice_ in said)
        assert fine == counters["accepted"] + counters["duplicate"] + counters["late"]


def test_how_many_fine_ones_lie_before_each():
    log = Log()
    log.deploy()
    common = {"customer_id": "c0", "occurred_at": 0, "seconds": None}
    log.say("small.Visit", **common, event_id="a")
    partition = next(p for p, records in log.records.items() if len(records) == 2)
    log.raw(partition, b"c0", b"junk")
    log.tick(1)
    log.raw(partition, b"c0", b"junk")
    log.say("small.Visit", **common, event_id="b")
    log.raw(partition, b"c0", b"junk")
    store = MemoryScoringStore()
    stage = scoring(log, store)
    stage.assign(list(log.logs))
    slice_ = next(stage.process({TopicPartition(CUSTOMER_EVENTS, partition): log.records[partition]}))
    assert [dead.fine_before for dead in slice_.rejects.dead] == [1, 1, 2]
    assert slice_.rejects.fine == {partition: 2}
