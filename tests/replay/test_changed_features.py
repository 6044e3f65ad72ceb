"""Features change while customers are known: a window is exact or unknown, whatever the batches and the cache."""

from math import isnan
from typing import Any

import pytest

from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.errors import DeploymentMismatch
from streams.features.plan import FeaturePlan
from streams.log import Output
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from streams.usecases import Arm, Ask, Count, ExplicitOutcome, PriorRate, Sum, Target, TimeSince, UseCase
from tests.replay.test_scoring import contents, seen
from tests.replay.world import DAY, EVENTS, KEY, PARTITIONS, Log, decoded

THREE, SIX = Count("three", of="Buy", over="3d"), Count("six", of="Buy", over="6d")
SPEND, VISIT = Sum("spend", of="Buy", field="cents", over="2d"), TimeSince("visit", of="Visit")


def use_case(*features: Any) -> UseCase:
    target = Target("t", Ask(on=("Buy",)), ExplicitOutcome(within="2d"), (Arm("prior", PriorRate(), "champion"),))
    return UseCase("small", features, (target,), clock="external", max_ahead="3650d", events=EVENTS)


STEPS = (use_case(THREE), use_case(THREE, SIX), use_case(VISIT, THREE, SIX, SPEND))


def deployed(step: int) -> Deployment:
    return deploy_of(STEPS[step], 7, PARTITIONS, {}, Fingerprint("", "", "", ""), step + 1)


def buy(log: Log, day: int, *customers: str) -> None:
    for customer in customers:
        log.say(
            "small.Buy",
            event_id=f"{customer}{day}",
            customer_id=customer,
            occurred_at=day * DAY + DAY // 2,
            cents=100,
        )


def changing() -> Log:
    """Customer "old" buys every day, "rests" from day 0 to 9 and on day 20, "new" from day 11 on.

    The definitions change after day 10, and after day 12."""
    log = Log()
    for day in range(21):
        if day in (0, 11, 13):
            step = (0, 11, 13).index(day)
            log.control("tidecast.Deployment", deployed(step).to_record())
        buy(log, day, *["old"] * (day < 16), *["rests"] * (day < 10 or day == 20), *["new"] * (11 <= day < 16))
    return log


def run(log: Log, batch: int, cache: int) -> tuple[MemoryScoringStore, list[Output]]:
    """A worker of each of the definitions, one after the other."""
    store, outputs = MemoryScoringStore(), list[Output]()
    for step, definitions in enumerate(STEPS):
        stage = Scoring(definitions, deployed(step), store, log.codec, MemoryModelStore(), KEY, cache)
        try:
            for part in replay(stage, log.logs, batch):
                outputs += part
            assert step == len(STEPS) - 1
        except DeploymentMismatch:
            assert step < len(STEPS) - 1
    return store, outputs


def vectors(log: Log, outputs: list[Output]) -> dict[tuple[str, int], list[float | None]]:
    """(customer, day) → the vector, None where it is unknown."""
    return {
        (p["customer_id"], p["asked_at"] // DAY): [None if isnan(x) else x for x in p["vector"]]
        for p in decoded(log, outputs, "Prediction")
    }


@pytest.mark.parametrize("batch,cache", [(2000, 1000), (2000, 0), (3, 1000)])
def test_a_window_is_exact_or_unknown_and_a_new_customer_is_known(batch: int, cache: int) -> None:
    log = changing()
    store, outputs = run(log, batch, cache)
    found = vectors(log, outputs)
    assert found["old", 10] == [3.0]
    assert found["old", 11] == found["old", 12] == [3.0, None], "days 5 to 7 were dropped"
    assert found["new", 11] == [1.0, 1.0]
    assert found["old", 13] == [None, 3.0, 6.0, None]
    assert found["old", 14] == [None, 3.0, 6.0, 200.0]
    assert found["new", 13] == [None, 3.0, 3.0, None], "of the sum it was there before"
    assert found["new", 14] == [None, 3.0, 4.0, 200.0]
    assert found["rests", 20] == [None, 1.0, 1.0, 100.0], "all that was dropped lies too far back by now"
    headers = [PartitionHeader.unpack(packed) for _, packed in store.positions(range(PARTITIONS)).values()]
    assert {header.retained for header in headers} == {FeaturePlan(STEPS[0]).stored.retained}


def test_neither_batches_nor_the_cache_matter() -> None:
    log = changing()
    store, outputs = run(log, 2000, 1000)
    for batch, cache in ((1, 0), (7, 1), (3, 1000)):
        other, again = run(log, batch, cache)
        assert contents(other) == contents(store)
        assert seen(log, again).difference(seen(log, outputs)) is None


def test_a_header_of_a_former_release_learns_what_states_keep_before_features_change() -> None:
    """It is enough that a worker of this release has seen the partition under the former definitions."""
    log = changing()
    store = MemoryScoringStore()
    stage = Scoring(STEPS[0], deployed(0), store, log.codec, MemoryModelStore(), KEY)
    early = {place: records[:3] for place, records in log.logs.items()}
    list(replay(stage, early))
    for part in store._partitions.values():
        header = PartitionHeader.unpack(part.header)
        header.retained = b""
        part.header = header.pack()
    for step, definitions in enumerate(STEPS):
        stage = Scoring(definitions, deployed(step), store, log.codec, MemoryModelStore(), KEY)
        try:
            list(replay(stage, log.logs))
        except DeploymentMismatch:
            assert step < len(STEPS) - 1
    assert contents(store) == contents(run(log, 2000, 1000)[0])
