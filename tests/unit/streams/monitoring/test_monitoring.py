"""Monitoring on small logs: its counts and reports. Batches and crashes do not change them."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest

from schemas.topics import PREDICTIONS
from streams.drift.sketch import Histogram
from streams.errors import DeploymentMismatch, PositionConflict
from streams.log import Record, TopicPartition
from streams.state.memory import MemoryStageStore
from tests.unit.streams.monitoring.world import DAY, PROFILES, START, World, use_case


def histogram_of(profile: dict[str, Any], name: str) -> Histogram:
    return Histogram.from_record(next(p["histogram"] for p in profile["profiles"] if p["name"] == name))


def days(world: World, count: int, each: int, shift_from: int = 10**9, seed: int = 0, first: int = 0) -> None:
    """Write `count` days with `each` predictions per partition. From day `shift_from` on, both features are greater."""
    chance = random.Random(seed)
    for day in range(first, first + count):
        shift = 3.0 if day >= shift_from else 0.0
        for partition in range(world.partitions):
            for number in range(each):
                mean = math.nan if chance.random() < 0.1 else chance.gauss(10, 2) + shift
                vector = [float(chance.randrange(5)) + shift, mean]
                world.predict(partition, START + day * DAY + number, vector, chance.random(), customer_id=f"c{number}")
        world.progress(START + (day + 1) * DAY)


def test_a_window_is_profiled_when_its_end_is_passed_and_merged_when_all_have_passed_it() -> None:
    world = World()
    world.progress(START - 1)
    world.predict(0, START, [1.0, 2.0], 0.25)
    world.predict(0, START + DAY - 1, [3.0, math.nan], 0.75)
    world.predict(0, START + DAY, [9.0, 9.0], 0.5)
    world.predict(1, START + 5, [1.0, 7.0], 0.25)
    world.progress(START + DAY - 1)
    world.run()
    assert all(profile["profiles"] == [] for profile in world.profiles())
    world.progress(START + DAY, [0])
    world.run()
    partial = world.profiles()[-1]
    assert (partial["partition"], partial["window_from"], partial["window_to"]) == (0, START, START + DAY)
    assert partial["watermark"] == START + DAY and not world.merged()
    assert [profile["name"] for profile in partial["profiles"]] == ["count", "mean", "silent", "other"]
    assert [profile["kind"] for profile in partial["profiles"]] == ["feature"] * 2 + ["answer"] * 2
    assert histogram_of(partial, "mean") == Histogram({bucket(2.0): 1}, 1, 2, 2.0)
    assert histogram_of(partial, "silent") == Histogram({bucket(0.25): 1, bucket(0.75): 1}, 0, 2, 1.0)
    world.progress(START + DAY + 7, [1])
    world.run()
    (whole,) = world.merged()
    assert (whole["window_from"], whole["watermark"], whole["reference"]) == (START, START + DAY, True)
    assert histogram_of(whole, "count") == Histogram({bucket(1.0): 2, bucket(3.0): 1}, 0, 3, 5.0)
    assert whole["profiles"][0]["psi"] is None and whole["profiles"][0]["ks"] is None


def bucket(value: float) -> int:
    one = Histogram()
    one.add(value)
    return next(iter(one.counts))


@pytest.mark.parametrize("seed", range(8))
def test_targets_that_are_asked_together_count_their_common_features_once(seed: int) -> None:
    world = World(1)
    world.predict(0, START, [1.0, 2.0])
    world.predict(0, START, [2.0], target="other", ordinal=1, same=True)
    world.predict(0, START, [5.0], target="other", ordinal=2, same=True, customer_id="d")
    world.predict(0, START, [2.0], target="other")
    world.progress(START + DAY)
    world.run(random.Random(seed), crash=1.0, most=1)
    (partial,) = [profile for profile in world.profiles() if profile["partition"] == 0]
    assert [profile["histogram"]["total"] for profile in partial["profiles"]] == [1, 3, 1, 3]


def test_records_sent_twice_count_once() -> None:
    world = World(1)
    log = world.logs[TopicPartition(PREDICTIONS, 0)]
    days(world, 1, 5)
    progress = log.pop()
    for record in [log[-1], *log]:
        world.append(TopicPartition(PREDICTIONS, 0), record.key, record.value)
    for _ in range(2):
        world.append(TopicPartition(PREDICTIONS, 0), progress.key, progress.value)
    world.run()
    (whole,) = world.merged()
    assert histogram_of(whole, "count").total == 5
    assert len(world.logs[PROFILES]) == 2


def test_late_predictions_and_foreign_bytes_are_counted_and_change_nothing() -> None:
    world = World(1)
    days(world, 2, 5)
    place = TopicPartition(PREDICTIONS, 0)
    world.predict(0, START, [1.0, 1.0])
    world.predict(0, START + 2 * DAY, [1.0])
    world.predict(0, START + 2 * DAY, [1.0], target="unheard of")
    for value in (None, b"", b"\x00\x00\x00\x00\x01junk", world.codec.encode("tidecast.Tick", TICK)):
        world.append(place, None, value)
    world.progress(START + 3 * DAY)
    stage, positions = world.stage(MemoryStageStore())
    for slice_ in stage.process({tp: log[positions[tp] :] for tp, log in world.logs.items()}):
        world.emit(slice_.outputs)
        slice_.commit()
    assert stage.late == 1 and stage.skipped == 6
    world.run()
    assert [histogram_of(profile, "count").total for profile in world.merged()] == [5, 5]


TICK = {"time": 1, "writer": "test", "signature": None}


def test_empty_windows_are_neither_merged_nor_part_of_the_reference() -> None:
    world = World(1)
    days(world, 1, 60)
    world.progress(START + 4 * DAY)
    days(world, 3, 60, first=4)
    world.run()
    assert [p["window_from"] // DAY - START // DAY for p in world.merged()] == [0, 4, 5, 6]
    assert [p["reference"] for p in world.merged()] == [True, True, True, False]
    assert world.merged()[-1]["profiles"][0]["psi"] is not None


def test_several_windows_closed_by_one_tick_are_all_merged() -> None:
    world = World(2)
    for day in range(4):
        world.predict(0, START + day * DAY, [1.0, 1.0])
    world.predict(1, START + 2 * DAY, [1.0, 1.0])
    world.progress(START + 9 * DAY, [1, 0])
    world.run(random.Random(2))
    assert [histogram_of(p, "count").total for p in world.merged()] == [1, 1, 2, 1]


def test_an_alert_opens_once_says_why_and_closes_once() -> None:
    world = World()
    days(world, 5, 300)
    days(world, 3, 300, shift_from=0, first=5, seed=1)
    days(world, 3, 300, first=8, seed=2)
    world.run()
    alerts = world.drift_alerts()
    names = {(a["kind"], a["feature"], a["statistic"]) for a in alerts}
    assert names == {("feature", f, s) for f in ("count", "mean") for s in ("psi", "ks")}
    assert [a["state"] for a in alerts] == ["open"] * 4 + ["closed"] * 4
    assert {a["alert_id"] for a in alerts[:4]} == {a["alert_id"] for a in alerts[4:]}
    assert [a["window_from"] // DAY - START // DAY for a in alerts] == [5] * 4 + [9] * 4
    first = alerts[0]
    source = first["source"]
    assert first["alert_id"] == f"{PROFILES.topic}.7.0.{source['offset']}.{source['ordinal']}"
    assert first["value"] > first["threshold"] and first["severity"] == "critical"
    assert first["evidence"]["count"] == 600 and first["evidence"]["mean"] > first["evidence"]["mean_reference"] + 2
    assert first["message"].startswith("Feature count differs from the reference: PSI ")
    assert "2022-01-13 00:00 UTC" in first["message"]
    assert alerts[2]["message"].endswith("mean 12.98 against 10.05; missing 8.0% against 9.2%.")


def test_answers_have_alerts_of_their_own() -> None:
    world = World(1)
    days(world, 3, 300)
    for number in range(300):
        vector = [float(number % 5), 10 + math.sin(number)]
        world.predict(0, START + 3 * DAY + number, vector, 0.97, customer_id=f"c{number}")
    world.progress(START + 4 * DAY)
    world.run()
    answers = [a for a in world.drift_alerts() if a["kind"] == "answer"]
    assert {(a["target"], a["feature"], a["statistic"]) for a in answers} == {
        ("silent", None, "psi"),
        ("silent", None, "ks"),
    }
    assert answers[0]["message"].startswith("The answers of silent differ from the reference")


@pytest.mark.parametrize("seed", range(12))
def test_batches_and_crashes_leave_no_trace(seed: int) -> None:
    calm, stormy = World(), World()
    for world in (calm, stormy):
        days(world, 5, 120)
        days(world, 3, 120, shift_from=0, first=5, seed=1)
        days(world, 3, 120, first=8, seed=2)
    final = calm.run()
    chance = random.Random(seed)
    after = stormy.run(chance, crash=0.0 if seed < 3 else 0.4)
    # Every partial profile is the same, byte for byte. Merged profiles differ only in the coordinate of their cause.
    assert partials(stormy) == partials(calm)
    assert [without_source(p) for p in stormy.merged()] == [without_source(p) for p in calm.merged()]
    assert [without_source(a) for a in stormy.drift_alerts()] == [without_source(a) for a in calm.drift_alerts()]
    assert [alert["state"] for alert in calm.drift_alerts()] == ["open"] * 4 + ["closed"] * 4
    for partition in range(2):
        place = ("monitoring", PREDICTIONS, partition)
        assert after.read(*place) == final.read(*place)
    assert stormy.stage(after)[0].late == 0
    # A replay of the stormy run's own logs gives the same result, byte for byte.
    again, store = replayed(stormy)
    assert in_order(again.profiles()) == in_order(stormy.profiles())
    assert in_order(again.drift_alerts()) == in_order(stormy.drift_alerts())
    for tp in stormy.logs:
        assert store.read("monitoring", *tp) == after.read("monitoring", *tp)


def partials(world: World) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {p: [] for p in range(world.partitions)}
    for profile in world.profiles():
        if profile["partition"] is not None:
            found[profile["partition"]].append(profile)
    return found


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by coordinate. Source partitions may interleave in any way."""
    return sorted(records, key=lambda record: tuple(record["source"].values()))


def without_source(record: dict[str, Any]) -> dict[str, Any]:
    """Remove the place of the cause. The watermark depends on which partition comes first, so it is removed too."""
    return {k: v for k, v in record.items() if k not in ("source", "profile_id", "alert_id", "watermark")}


def replayed(world: World) -> tuple[World, MemoryStageStore]:
    """Replay the logs of a run at once with an empty store. Return the results."""
    again, store = World(world.partitions, world.case), MemoryStageStore()
    again.logs = {tp: list(log) for tp, log in world.logs.items() if tp != PROFILES} | {PROFILES: []}
    stage, _ = world.stage(store)
    for slice_ in stage.process(world.logs):
        again.emit(slice_.outputs)
        slice_.commit()
    return again, store


def test_the_partition_of_a_customer_does_not_change_a_merged_profile() -> None:
    one, three = World(1), World(3)
    chance = random.Random(5)
    for number in range(900):
        vector, value = [float(chance.randrange(9)), chance.choice([math.nan, 0.5, 2.25])], chance.randrange(8) / 8
        for world in (one, three):
            partition = number % world.partitions
            world.predict(partition, START + number, vector, value, customer_id=f"c{number}")
    for world in (one, three):
        world.progress(START + DAY)
        world.run(random.Random(6))
    assert [without_source(p) for p in one.merged()] == [without_source(p) for p in three.merged()] != []


def test_two_owners_conflict_and_the_loser_changes_nothing() -> None:
    world, store = World(1), MemoryStageStore()
    days(world, 2, 5)
    pieces = []
    for _ in range(2):
        stage, positions = world.stage(store)
        pieces.append(next(iter(stage.process({tp: log[positions[tp] :][:3] for tp, log in world.logs.items()}))))
    pieces[0].commit()
    pieces[1].commit()  # the same position was committed before
    stage, positions = world.stage(store)
    ahead = next(iter(stage.process({tp: log[positions[tp] :] for tp, log in world.logs.items()})))
    other, positions = world.stage(store)
    short = next(iter(other.process({tp: log[positions[tp] :][:1] for tp, log in world.logs.items()})))
    ahead.commit()
    with pytest.raises(PositionConflict):
        short.commit()


def test_predictions_of_another_deployment_stop_the_worker() -> None:
    world = World(1)
    world.predict(0, START, [1.0, 1.0], deployment_id="0123456789abcdef")
    with pytest.raises(DeploymentMismatch, match="definitions of 0123456789abcdef"):
        world.run()


def test_predictions_of_former_definitions_are_passed_over_and_counted() -> None:
    world = World(1)
    world.deployment = replace(world.deployment, former=("0123456789abcdef",))
    world.predict(0, START, [1.0, 1.0], deployment_id="0123456789abcdef")
    world.predict(0, START, [1.0, 1.0])
    stage, _ = world.stage(MemoryStageStore())
    list(stage.process(world.logs))
    assert stage.skipped == 1


def test_new_definitions_start_profiles_and_reference_anew_behind_the_same_position() -> None:
    world, store = World(1), MemoryStageStore()
    days(world, 4, 60)
    drain(world, store)
    assert len(world.merged()) == 4
    changed = World(1, use_case(reference_windows=2), logs=world.logs)
    changed.logs, changed._sources = world.logs, world._sources
    days(changed, 3, 60, first=4)
    drain(changed, store)
    assert [p["reference"] for p in changed.merged()] == [True, True, True, False, True, True, False]


def test_warm_up_windows_are_neither_reference_nor_compared_also_after_a_restart() -> None:
    world, store = World(1, use_case(warm_up_windows=2, reference_windows=2)), MemoryStageStore()
    for day in range(6):
        days(world, 1, 60, first=day)
        drain(world, store)
    assert [p["reference"] for p in world.merged()] == [False, False, True, True, False, False]
    compared = [any(profile["psi"] is not None for profile in p["profiles"]) for p in world.merged()]
    assert compared == [False, False, False, False, True, True]


def drain(world: World, store: MemoryStageStore) -> None:
    stage, positions = world.stage(store)
    while any(positions[tp] < len(log) for tp, log in world.logs.items()):
        for slice_ in stage.process({tp: log[positions[tp] :] for tp, log in world.logs.items()}):
            world.emit(slice_.outputs)
            slice_.commit()
            positions.update(slice_.positions)


def test_it_reads_predictions_and_the_one_partition_of_profiles() -> None:
    world = World(2)
    stage, positions = world.stage(MemoryStageStore())
    assert set(positions) == set(world.logs) and set(positions.values()) == {0}
    assert not stage.wants(TopicPartition(PROFILES.topic, 1))
    assert list(stage.process({PROFILES: []})) == []
    assert list(stage.process({PROFILES: [Record(-1, 0, None, b"")]})) == []


def test_alarms_on_stationary_data_stay_within_the_budget() -> None:
    """400 windows are tested with a budget of 0.05 each. At most 20 alerts open, even if one is already open."""
    opened = 0
    for seed in range(20):
        world = World(1, use_case(false_alarms=0.05))
        days(world, 23, 80, seed=seed)
        world.run()
        opened += sum(alert["state"] == "open" for alert in world.drift_alerts())
    assert opened <= 20
