"""The log says which key signs: a rotation leaves the same bytes however the rings are ordered and whoever crashes."""

import dataclasses
from collections.abc import Sequence

import pytest

from schemas.topics import CUSTOMER_EVENTS
from streams.control import check, sign
from streams.errors import DeploymentMismatch, KeyMissing
from streams.judging.stage import Judging
from streams.keys import Key, Keys
from streams.learning.stage import Learning
from streams.log import Output
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import BadSnapshot, load_snapshot, sealed_with
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore, MemoryStageStore
from tests.replay import world
from tests.replay.examples import ExampleLog, stormy, use_case

OLD, A, B = Key.of("", b"before ids"), Key.of("a", b"secret of a"), Key.of("b", b"secret of b")
LOG = {"system": "eu.", "epoch": 7}
EVERY = 20


def deploy(log: ExampleLog, names: Sequence[str] | None, signer: Key, number: int) -> None:
    name, place = "tidecast.Deployment", log.partition
    record = dataclasses.replace(log.deployment, keys=names, number=number).to_record()
    log.append(name, sign(name, record, Keys.of(signer, **LOG), place.topic, place.partition))


def rotated(*periods: tuple[Sequence[str] | None, Key]) -> ExampleLog:
    """Return a log whose deployment records list these keys, each signed with the key of before."""
    log = ExampleLog(use_case(serve_every=EVERY))
    log.records.clear()
    for number, (names, signer) in enumerate(periods, 1):
        deploy(log, names, signer, number)
        log.fill(2 * EVERY + 5)
    return log


def learner(log: ExampleLog, store: MemoryModelStore, ring: Keys) -> Learning:
    return Learning(log.use_case, log.target, log.target.arms[0], log.deployment, store, log.codec, ring)


def learnt(log: ExampleLog, ring: Keys) -> tuple[MemoryModelStore, list[Output]]:
    store = MemoryModelStore()
    pieces = replay(learner(log, store, ring), {log.partition: log.records})
    return store, [output for outputs in pieces for output in outputs]


PERIODS = [(None, OLD), ([A.name, OLD.name], OLD), ([B.name, A.name, OLD.name], A)]


def test_each_version_is_sealed_with_the_key_of_its_place_in_the_log() -> None:
    log = rotated(*PERIODS)
    store, outputs = learnt(log, Keys.of(B, A, OLD, **LOG))
    assert [sealed_with(store.get(path)) for path in store.list("")] == ["", "", "a", "a", "b", "b"]
    switches = [log.codec.decode(output.value)[1] for output in outputs]
    for key in (OLD, A, B):
        ring = Keys.of(key, **LOG)
        places = zip(switches, outputs, strict=True)
        ours = [s for s, o in places if check("tidecast.Switch", s, ring, CUSTOMER_EVENTS, o.partition)]
        assert 3 * len(ours) == len(switches)


@pytest.mark.parametrize("ring", [(OLD, A, B), (A, OLD, B)])
def test_the_order_of_the_ring_decides_nothing(ring: tuple[Key, ...]) -> None:
    log = rotated(*PERIODS)
    store, outputs = learnt(log, Keys.of(B, A, OLD, **LOG))
    other, others = learnt(log, Keys.of(*ring, **LOG))
    assert other.blobs == store.blobs and others == outputs


def test_crashes_leave_no_trace() -> None:
    log = rotated(*PERIODS)
    ring = Keys.of(B, A, OLD, **LOG)
    calm, outputs = learnt(log, ring)
    for seed in range(3):
        store = MemoryModelStore()
        sent = list(stormy(lambda store=store: learner(log, store, ring), log, seed, 0.3))
        assert store.blobs == calm.blobs
        assert {(o.partition, o.value) for o in sent} == {(o.partition, o.value) for o in outputs}


def test_a_learner_that_lacks_the_new_key_ends_there_and_goes_on_once_it_has_it() -> None:
    log = rotated(([A.name], A), ([B.name, A.name], A))
    calm, _ = learnt(log, Keys.of(A, B, **LOG))
    store = MemoryModelStore()
    with pytest.raises(KeyMissing, match=r"From offset \d+ of labelled-examples\[0\] on .* add it to TIDECAST_SIGNING"):
        list(replay(learner(log, store, Keys.of(A, **LOG)), {log.partition: log.records}))
    assert len(store.blobs) == 2
    list(replay(learner(log, store, Keys.of(B, A, **LOG)), {log.partition: log.records}))
    assert store.blobs == calm.blobs


def test_a_retired_key_is_needed_only_where_it_signed() -> None:
    log = rotated(([A.name], A), ([B.name], A))
    store, _ = learnt(log, Keys.of(B, A, **LOG))
    going_on = learner(log, store, Keys.of(B, **LOG))
    list(replay(going_on, {log.partition: log.records}))
    assert going_on.examples == 4 * EVERY + 10
    with pytest.raises(DeploymentMismatch, match="lacks the retired key"):
        learnt(log, Keys.of(B, **LOG))


@pytest.mark.parametrize("log", [{"system": "us.", "epoch": 7}, {"system": "eu.", "epoch": 8}])
def test_a_snapshot_of_another_system_with_the_same_key_is_refused(log: dict[str, object]) -> None:
    store, _ = learnt(rotated(([A.name], A)), Keys.of(A, **LOG))
    blob = store.get(store.list("")[0])
    assert load_snapshot(blob, Keys.of(A, **LOG)).examples == EVERY
    with pytest.raises(BadSnapshot, match="in another log"):
        load_snapshot(blob, Keys.of(A, **log))  # type: ignore[arg-type]


def test_judging_and_scoring_end_where_they_lack_a_key() -> None:
    log = rotated(([A.name], A), ([B.name, A.name], A))
    ring = Keys.of(A, **LOG)
    judging = Judging(log.use_case, log.deployment, MemoryStageStore(), log.codec, ring)
    with pytest.raises(KeyMissing, match="lacks"):
        list(replay(judging, {log.partition: log.records}))
    events = world.Log()
    for names, number in (([A.name], 1), ([B.name, A.name], 2)):
        record = dataclasses.replace(world.deployment(), keys=names, number=number).to_record()
        value = events.codec.encode(
            "tidecast.Deployment", sign("tidecast.Deployment", record, ring, CUSTOMER_EVENTS, 0)
        )
        events.raw(0, None, value)
    parts = (world.USE_CASE, world.deployment(), MemoryScoringStore(), events.codec, MemoryModelStore(), ring)
    with pytest.raises(KeyMissing, match=rf"of {CUSTOMER_EVENTS}\[0\] on"):
        list(replay(Scoring(*parts), events.logs))
