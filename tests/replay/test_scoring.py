"""Scoring keeps its invariants. Batches, caches and crashes change nothing, and labels agree with a slow oracle."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from streams.errors import DeploymentMismatch, PositionConflict
from streams.log import Output, Record, TopicPartition
from streams.replay import Fingerprints, replay
from streams.scoring import timers
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from tests.replay.world import DAY, HOUR, LATENESS, PARTITIONS, Log, decoded, deployment, random_log, scoring


def calm(log: Log) -> tuple[MemoryScoringStore, list[Output]]:
    store = MemoryScoringStore()
    return store, [output for outputs in replay(scoring(log, store), log.logs) for output in outputs]


def contents(store: MemoryScoringStore) -> dict[int, object]:
    found = {}
    for partition, (position, header) in store.positions(range(PARTITIONS)).items():
        customers = store.customers([partition])[partition]
        kept = store.load({partition: customers})[partition]
        packed = [(c, kept[c].state, kept[c].observations) for c in customers]
        found[partition] = (position, header, packed, store.due(partition, 1 << 62, 10**6))
    return found


def seen(log: Log, outputs: list[Output]) -> Fingerprints:
    prints = Fingerprints(log.codec)
    for output in outputs:
        prints.add(output.topic, output.partition, output.value)
    return prints


def stormy(log: Log, seed: int, store: MemoryScoringStore) -> list[Output]:
    """Run scoring with random batches and cache sizes. Crashes come after the outputs, before or after the commit."""
    r = random.Random(seed)
    outputs: list[Output] = []
    stage: Scoring | None = None
    places = list(log.logs)
    at: dict[TopicPartition, int] = {}
    while stage is None or any(at[tp] < len(log.logs[tp]) for tp in places):
        if stage is None:
            stage = scoring(log, store, r.choice((0, 2, 1000)))
            at = dict(stage.assign(places))
        chosen = r.sample(places, r.randrange(1, len(places) + 1))
        batch = {tp: log.logs[tp][at[tp] : at[tp] + r.randrange(1, 40)] for tp in chosen}
        for slice_ in stage.process(batch):
            outputs += slice_.outputs
            if r.random() < 0.1:
                stage = None
                break
            slice_.commit()
            at |= slice_.positions
            if r.random() < 0.1:
                stage = None
                break
    return outputs


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("slice_size", [3, 1000])
def test_batches_caches_and_crashes_leave_no_trace(seed, slice_size, monkeypatch):
    monkeypatch.setattr(timers, "SLICE", slice_size)
    log = random_log(seed)
    store, outputs = calm(log)
    other = MemoryScoringStore()
    repeated = stormy(log, seed, other)
    assert contents(other) == contents(store)
    assert seen(log, repeated).difference(seen(log, outputs)) is None
    assert seen(log, outputs).repeated == 0


@pytest.mark.parametrize("seed", range(8))
def test_every_record_is_accounted_for(seed):
    log = random_log(seed)
    store, outputs = calm(log)
    for partition, (position, packed) in store.positions(range(PARTITIONS)).items():
        from streams.timeline import PartitionHeader

        counters = PartitionHeader.unpack(packed).counters
        told = ("accepted", "duplicate", "late", "dead", "controls")
        assert position.offset == len(log.records[partition]) == sum(counters[c] for c in told)
    assert len(decoded(log, outputs, "DeadLetter")) > 0


@pytest.mark.parametrize("seed", range(20))
def test_labels_equal_the_oracle(seed):
    log = random_log(seed)
    _, outputs = calm(log)
    late = {e["event_id"] for e in decoded(log, outputs, "LateEvent")}
    events = {r["event_id"]: (n, r) for n, r in log.published if "event_id" in r and r["event_id"] not in late}
    examples = decoded(log, outputs, "LabelledExample")
    by_id = {p["prediction_id"]: p for p in decoded(log, outputs, "Prediction") if p["observed"]}
    end = {"silent": 3 * DAY, "leaves": 2 * DAY, "spend": 4 * DAY}
    #  asked_at           end
    #     |--------------]      an event counts when asked_at < occurred_at <= end
    for example in examples:
        if example["target"] == "told":
            continue
        asked = example["asked_at"]
        inside = [
            (name, record)
            for name, record in events.values()
            if record["customer_id"] == example["customer_id"]
            and asked < record["occurred_at"] <= asked + end[example["target"]]
        ]
        buys = [record["cents"] for name, record in inside if name == "small.Buy"]
        truth = {
            "silent": float(not buys),
            "leaves": float(any(name == "small.Leave" for name, _ in inside)),
            "spend": sum(buys) * 0.01,
        }[example["target"]]
        assert example["label"] == truth, example
        assert example["vector"] == pytest.approx(by_id[example["prediction_id"]]["vector"], nan_ok=True)
    # The clock ends far beyond every horizon. Every observation is settled once, except those of the youngest
    # questions.
    settled = [e["prediction_id"] for e in examples]
    assert len(settled) == len(set(settled))
    last_tick = max(p["tick"] for p in decoded(log, outputs, "Progress"))
    open_still = [p for p in by_id.values() if p["prediction_id"] not in set(settled)]
    assert all(p["horizon_end"] + LATENESS + 1 > last_tick for p in open_still)


def test_ticks_within_a_second_tell_of_progress_once():
    log = random_log(1)
    start = max(p["tick"] for p in decoded(log, calm(log)[1], "Progress")) // 1000 * 1000
    moments = [start + 1000 * second + part for second in (1, 2, 5) for part in (100, 350, 999)]
    for moment in moments:
        log.tick(moment)
    store, outputs = calm(log)
    told = [p["tick"] for p in decoded(log, outputs, "Progress") if p["source"]["partition"] == 0]
    assert sorted(set(told) & set(moments)) == [start + 1000 * second + 100 for second in (1, 2, 5)]
    for seed in range(4):
        other = MemoryScoringStore()
        assert seen(log, stormy(log, seed, other)).difference(seen(log, outputs)) is None
        assert contents(other) == contents(store)


@pytest.mark.parametrize("seed", range(6))
def test_examples_chain_per_target_and_source_partition(seed):
    log = random_log(seed)
    _, outputs = calm(log)
    examples = decoded(log, outputs, "LabelledExample")
    for target in {e["target"] for e in examples}:
        for partition in range(PARTITIONS):
            chain = [e for e in examples if e["target"] == target and e["source"]["partition"] == partition]
            assert all(b["previous"] == a["example_id"] for a, b in pairwise(chain))
            assert not chain or chain[0]["previous"] is None


def test_schedules_ask_in_order_and_stop_with_the_customer():
    log = random_log(3)
    _, outputs = calm(log)
    asked = [p for p in decoded(log, outputs, "Prediction") if p["asked_by"] == "schedule"]
    assert asked
    left = {r["customer_id"]: r["occurred_at"] for n, r in log.published if n == "small.Leave"}
    silent = [p for p in asked if p["target"] == "silent"]
    assert silent, "a silent customer is scored too"
    gone = [p for p in asked if p["target"] == "leaves" and p["customer_id"] in left]
    assert all(p["asked_at"] < left[p["customer_id"]] + 6 * DAY + 40 * HOUR for p in gone)


def test_a_second_publication_changes_nothing():
    log = random_log(5)
    store, _ = calm(log)
    before = {p: kept[2:] for p, kept in contents(store).items()}
    for name, record in list(log.published):
        log.say(name, **record)
    fresh = [o for outputs in replay(scoring(log, store), log.logs) for o in outputs]
    assert {p: kept[2:] for p, kept in contents(store).items()} == before
    assert not decoded(log, fresh, "Prediction") and not decoded(log, fresh, "LabelledExample")


def test_a_poison_record_is_set_aside_and_the_stream_goes_on(monkeypatch):
    log = random_log(1)
    stage = scoring(log, MemoryScoringStore())
    update = stage._features.update

    def fails(state, event, record, moment):
        if record["event_id"] == "e10":
            raise ZeroDivisionError
        update(state, event, record, moment)

    names = {r["event_id"] for _, r in log.published if "event_id" in r}
    assert "e10" in names, "choose another seed"
    monkeypatch.setattr(stage._features, "update", fails)
    outputs = [o for slice_ in replay(stage, log.logs) for o in slice_]
    reasons = [letter["reason"] for letter in decoded(log, outputs, "DeadLetter")]
    assert "failed" in reasons
    assert decoded(log, outputs, "Prediction")


def test_a_failing_timer_is_skipped_for_its_customer_alone(monkeypatch):
    log = random_log(1)
    stage = scoring(log, MemoryScoringStore())
    vector = stage._features.vector

    def fails(state, clock):
        if clock > 20 * DAY and state.clock == victim:
            raise ZeroDivisionError
        return vector(state, clock)

    victim = max(r["occurred_at"] for _, r in log.published if "event_id" in r)
    monkeypatch.setattr(stage._features, "vector", fails)
    outputs = [o for slice_ in replay(stage, log.logs) for o in slice_]
    assert decoded(log, outputs, "Prediction")
    assert decoded(log, outputs, "Progress")


def test_two_owners_of_a_partition_conflict():
    log = random_log(2)
    store = MemoryScoringStore()
    one, two = scoring(log, store), scoring(log, store)
    places = list(log.logs)
    one.assign(places)
    two.assign(places)
    batch = {tp: records[:20] for tp, records in log.logs.items()}
    for slice_ in one.process(batch):
        slice_.commit()
    with pytest.raises(PositionConflict):
        for slice_ in two.process({tp: records[:10] for tp, records in log.logs.items()}):
            slice_.commit()


def test_events_before_a_deployment_and_foreign_deployments_stop_the_worker():
    log = Log()
    log.say("small.Buy", event_id="a", customer_id="c", occurred_at=0, cents=1)
    with pytest.raises(DeploymentMismatch, match="tidecast deploy"):
        calm(log)
    log = Log()
    log.deploy()
    log.say("small.Buy", event_id="a", customer_id="c", occurred_at=0, cents=1)
    foreign = Log(codec=log.codec)
    foreign.control("tidecast.Deployment", {**deployment().to_record(), "deployment_id": "other"})
    for partition, records in foreign.records.items():
        log.raw(partition, None, records[0].value)
    store = MemoryScoringStore()
    with pytest.raises(DeploymentMismatch, match="other"):
        list(replay(scoring(log, store), log.logs))
    done = sum(position.offset for position, _ in store.positions(range(PARTITIONS)).values())
    assert done == 3, "the records before it are committed"


def test_what_stopped_workers_left_is_processed_under_the_definitions_that_follow():
    """The definitions of `later` follow those of `former` in the log. No worker of the former ones is needed."""
    former = deployment()
    later = replace(former, deployment_id="later", former=(former.deployment_id,))
    back = replace(former, former=(former.deployment_id, "later"))
    log = Log()
    log.deploy()
    buy = {"customer_id": "c", "cents": 1}
    log.say("small.Buy", event_id="a", occurred_at=0, **buy)
    store = MemoryScoringStore()
    list(replay(scoring(log, store), log.logs))
    log.say("small.Buy", event_id="b", occurred_at=HOUR, **buy)
    log.tick(2 * HOUR)
    log.control("tidecast.Deployment", later.to_record())
    log.say("small.Buy", event_id="c", occurred_at=3 * HOUR, **buy)
    outputs = [output for found in replay(scoring(log, store, of=later), log.logs) for output in found]
    assert {p["deployment_id"] for p in decoded(log, outputs, "Prediction")} == {"later"}
    assert accepted(store) == 3
    log.say("small.Buy", event_id="d", occurred_at=4 * HOUR, **buy)
    log.control("tidecast.Deployment", back.to_record())
    log.say("small.Buy", event_id="e", occurred_at=5 * HOUR, **buy)
    list(replay(scoring(log, store, of=back), log.logs))
    assert accepted(store) == 5


def test_partitions_that_were_not_deployed_are_not_read():
    stage = scoring(Log(), MemoryScoringStore())
    wanted = [p for p in range(PARTITIONS + 3) if stage.wants(TopicPartition("customer-events", p))]
    assert wanted == list(range(PARTITIONS))


def accepted(store: MemoryScoringStore) -> int:
    headers = [PartitionHeader.unpack(packed) for _, packed in store.positions(range(PARTITIONS)).values()]
    return sum(header.counters["accepted"] for header in headers)


def test_forged_controls_and_wrong_partitions_are_dead_letters():
    log = Log()
    log.deploy()
    tick = {"time": 5 * DAY, "writer": "forger", "signature": b"x" * 32}
    log.raw(0, None, log.codec.encode("tidecast.Tick", tick))
    buy = {"event_id": "a", "customer_id": "c1", "occurred_at": 0, "cents": 1}
    for partition in range(PARTITIONS):
        log.raw(partition, b"c1", log.codec.encode("small.Buy", buy))
    log.raw(0, b"c2", log.codec.encode("small.Buy", buy))
    store, outputs = calm(log)
    reasons = sorted(letter["reason"] for letter in decoded(log, outputs, "DeadLetter"))
    assert reasons == ["bad_control", "wrong_key", "wrong_key"]
    assert sum(len(store.customers([p])[p]) for p in range(PARTITIONS)) == 1


def test_a_resent_record_below_the_position_is_passed_over():
    log = random_log(4)
    store, _ = calm(log)
    before = contents(store)
    stage = scoring(log, store)
    stage.assign(list(log.logs))
    assert list(stage.process(log.logs)) == []
    assert contents(store) == before
    assert Record(0, 0, None, None).offset == 0


def test_amounts_beyond_64_bits_stop_nobody():
    log = Log()
    log.deploy()
    log.say("small.Visit", event_id="v", customer_id="c1", occurred_at=0, seconds=None)
    for n, cents in enumerate((2**63 - 1, 2**63 - 1, 2**63 - 1, -(2**63))):
        log.say("small.Buy", event_id=f"b{n}", customer_id="c1", occurred_at=HOUR * (n + 1), cents=cents)
    log.tick(40 * DAY)
    _, outputs = calm(log)
    [example] = [e for e in decoded(log, outputs, "LabelledExample") if e["target"] == "spend"]
    assert example["label"] == pytest.approx(2**64 * 0.01)
    assert decoded(log, outputs, "DeadLetter") == []


def test_an_outcome_of_a_binary_target_is_0_or_1():
    log = Log()
    log.deploy()
    said = {"customer_id": "c1", "target": "told", "occurred_at": HOUR}
    for n, value in enumerate((-5.0, 0.5, 1.0, 0.0)):
        log.say("tidecast.Outcome", **said, outcome_id=f"o{n}", value=value)
    log.say("tidecast.Outcome", **{**said, "target": "spend"}, outcome_id="s", value=12.5)
    _, outputs = calm(log)
    letters = decoded(log, outputs, "DeadLetter")
    assert [letter["reason"] for letter in letters] == ["wrong_type", "wrong_type"]


@pytest.mark.parametrize("cache", [0, 2])
def test_an_owner_left_behind_puts_nothing_out_that_mixes_two_places(cache):
    """An owner may be paused, or its store may lose the last second of writes. Its memory and its store then belong to
    different positions. Outputs that mix them would differ from the right ones under the same ids. The owner must not
    emit any."""
    log = random_log(2)
    _, right = calm(log)
    truth = {(output.topic, output.partition, output.value) for output in right}
    for ahead in range(5, 150, 10):
        store = MemoryScoringStore()
        behind, owner = scoring(log, store, cache), scoring(log, store)
        places = list(log.logs)
        behind.assign(places)
        outputs = []
        for slice_ in behind.process({tp: records[:3] for tp, records in log.logs.items()}):
            slice_.commit()
            outputs += slice_.outputs
        owner.assign(places)
        for slice_ in owner.process({tp: records[:ahead] for tp, records in log.logs.items()}):
            slice_.commit()
            outputs += slice_.outputs
        with pytest.raises(PositionConflict):
            for slice_ in behind.process({tp: records[:ahead] for tp, records in log.logs.items()}):
                outputs += slice_.outputs
                slice_.commit()
        assert {(output.topic, output.partition, output.value) for output in outputs} <= truth
