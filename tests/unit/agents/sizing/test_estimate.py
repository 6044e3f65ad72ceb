"""Estimates agree with calculations by hand. The constants are round numbers."""

from dataclasses import replace

import pytest

from agents.sizing.advice import changes, limits
from agents.sizing.constants import NAMES, Constants
from agents.sizing.cpu import controls
from agents.sizing.estimate import Estimate, estimate
from agents.sizing.load import ArmLoad, Hardware, Load, Prices, TargetLoad
from agents.sizing.rates import digests, open_observations, rates
from streams.errors import SettingError

ZERO = Constants(**dict.fromkeys(NAMES, 0.0))
HALF = replace(ZERO, headroom_share=0.5, scoring_cpu_us_per_event=1.0)
ARM = ArmLoad("logistic", "linear")
CHURN = TargetLoad("churn", (ARM,), questions_per_event=1, observe=0.5, horizon_days=10, features=10, serve_every=50)
LOAD = Load(1000, 100_000, (CHURN,), peak_factor=2, features=10, growth=1, tick_seconds=1)


def of(constants: Constants, load: Load = LOAD, **hardware: float) -> Estimate:
    return estimate(load, constants, Hardware(**hardware))  # type: ignore[arg-type]


def test_rates() -> None:
    """1,000 events/s ask 1,000 questions. Half of them are observed. Every 50 of the 500 examples make a version."""
    found = rates(LOAD)
    assert (found.events, found.questions, found.examples, found.versions) == (1000, 1000, 500, 10)
    assert found.touches == 1000 + 500
    assert rates(LOAD, peak=True).events == 2000


def test_schedules_have_no_peak_and_may_ask_the_active_only() -> None:
    asked = replace(CHURN, questions_per_event=0, questions_per_customer_day=0.864)
    load = replace(LOAD, targets=(asked,), active_share=0.25)
    assert rates(load).questions == pytest.approx(25_000 * 0.864 / 86_400) == rates(load, peak=True).questions
    everyone = replace(load, targets=(replace(asked, only_active=False),))
    assert rates(everyone).questions == pytest.approx(1.0)


def test_open_observations_are_those_of_a_horizon_and_bounded_per_customer() -> None:
    (of_target,) = rates(LOAD).targets
    assert open_observations(LOAD, of_target) == 100_000 * 1000  # 500 × 864,000 s = 432 million, above the bound
    longer = replace(LOAD, customers=1e9)
    assert open_observations(longer, of_target) == 500 * 864_000


def test_digests_are_the_events_of_a_life_and_256_at_most() -> None:
    assert digests(LOAD) == 256
    assert digests(replace(LOAD, customers=86_400_000, customer_days=10)) == 10


def test_scoring_cores_and_workers() -> None:
    """2,000 events/s × (100 + 10 features × 2) + 2,000 questions × (150 + 50) + 3,000 touches × 10
    + 1,000 examples × 30 = 700,000 µs/s = 0.7 cores. At half load this takes two workers."""
    constants = replace(
        HALF,
        scoring_cpu_us_per_event=100,
        scoring_cpu_us_per_feature=2,
        scoring_cpu_us_per_prediction=150,
        scoring_cpu_us_per_answer_linear=50,
        scoring_cpu_us_per_customer=10,
        scoring_cpu_us_per_example=30,
    )
    found = of(constants)
    assert found.cores["scoring"] == pytest.approx(0.7)
    assert found.workers["scoring"] == 2
    assert found.partitions == 4
    assert found.events_per_s_per_scorer == pytest.approx(2000 * 0.5 / 0.7)


def test_partitions_leave_room_for_growth_and_end_at_what_deploy_takes() -> None:
    constants = replace(HALF, scoring_cpu_us_per_event=1000)  # 2 cores at the peak: 4 workers
    assert of(constants).workers["scoring"] == 4
    assert of(constants, replace(LOAD, growth=4)).partitions == 16
    assert of(constants, replace(LOAD, growth=5)).partitions == 32
    assert of(constants, replace(LOAD, growth=1e6)).partitions == 1024


def test_ticks_and_switches_cost_by_partition() -> None:
    """Per second: 4 partitions × 1 target × 1,000 µs, and at the peak 20 versions × 4 partitions × 100 µs."""
    constants = replace(
        HALF, scoring_cpu_us_per_event=0.001, scoring_cpu_us_per_tick=1000, scoring_cpu_us_per_switch=100
    )
    assert of(constants).cores["scoring"] == pytest.approx((4000 + 8000 + 2) / 1e6)
    slower = of(constants, replace(LOAD, tick_seconds=10))
    assert slower.cores["scoring"] == pytest.approx((400 + 8000 + 2) / 1e6)


@pytest.mark.parametrize("tick,told", [(0.25, 4 + 2), (1, 1 + 2), (10, 0.1 + 0.2)])
def test_ticks_within_a_second_tell_of_progress_once(tick: float, told: float) -> None:
    load = replace(LOAD, tick_seconds=tick)
    found = rates(load)
    assert controls(load, found, 3) - 3 * found.versions == pytest.approx(3 * told)


def test_every_scorer_loads_every_version() -> None:
    """Loading versions takes 0.2 cores of each worker and leaves 0.3 for events. 2.1 cores of events need seven
    workers, not five."""
    constants = replace(HALF, scoring_cpu_us_per_event=1049.9)
    assert of(constants).workers["scoring"] == 5
    loading = replace(constants, model_load_cpu_us_linear=10_000)
    found = of(loading)
    assert found.scorer_versions_cores == pytest.approx(0.2)
    assert found.workers["scoring"] == 7
    assert found.cores["scoring"] == pytest.approx(2.0998 + 7 * 0.2)


def test_versions_served_too_often_are_told() -> None:
    constants = replace(HALF, model_load_cpu_us_linear=50_000)  # 20 per second at the peak: one core
    (told,) = [line for line in limits(of(constants), constants) if "serve_every" in line]
    assert "raise serve_every 4 times" in told


def test_a_learner_has_one_core() -> None:
    """1,000 examples/s at the peak × (300 + 500) µs + 20 versions × 10,000 µs = 1 core, of which half is usable."""
    constants = replace(
        HALF,
        learning_cpu_us_per_example=300,
        learning_cpu_us_per_learn_linear=500,
        model_dump_cpu_us_linear=10_000,
    )
    found = of(constants)
    assert found.busiest_learner == ("churn/logistic", pytest.approx(1.0))
    assert found.workers["learning"] == 1, "one arm cannot use more than one worker"
    assert "observe 0.5 times as many" in " ".join(limits(found, constants))


def test_a_forest_costs_by_its_trees() -> None:
    constants = replace(HALF, learning_cpu_us_per_learn_forest_tree=10, scoring_cpu_us_per_answer_forest_tree=5)
    forest = replace(LOAD, targets=(replace(CHURN, arms=(ArmLoad("forest", "forest_tree", 30),)),))
    found = of(constants, forest)
    assert found.busiest_learner[1] == pytest.approx(1000 * 30 * 10 / 1e6)
    assert found.cores["scoring"] == pytest.approx((2000 * 30 * 5 + 2000 * 1) / 1e6)


def test_a_hot_customer_is_one_core() -> None:
    constants = replace(HALF, scoring_cpu_us_per_event=1000)  # a scorer processes 500 events/s
    assert not limits(of(constants, replace(LOAD, hottest_share=0.25)), constants)
    (told,) = limits(of(constants, replace(LOAD, hottest_share=0.5)), constants)
    assert "1,000 events/s" in told and "processes 500" in told


def test_redis_bytes() -> None:
    """Customers: 100 + 10 features × 5 + 256 digests × 8. Observations: 100,000,000 × (20 + 10 × 8 + 1 × 50)."""
    constants = replace(
        HALF,
        redis_bytes_per_customer=100,
        redis_bytes_per_feature=5,
        redis_bytes_per_digest=8,
        redis_bytes_per_open_observation=20,
        redis_bytes_per_observed_feature=8,
        redis_bytes_per_observed_answer=50,
        redis_bytes_per_partition=1000,
    )
    found = of(constants, redis_shard_bytes=5e9)
    assert found.redis.customers == 100_000 * 2198
    assert found.redis.observations == 100_000_000 * 150
    assert found.redis.partitions == 4000
    assert found.redis_shards == 4  # 15.2 GB in shards of 5 GB


def test_redis_shards_by_cpu() -> None:
    """3,000 touches × 400 µs = 1.2 cores of masters. At half load this takes three."""
    assert of(replace(HALF, redis_cpu_us_per_customer=400)).redis_shards == 3


def test_kafka_bytes() -> None:
    """Events 1,000 × (84 + 16), predictions 1,000 × (16 + 100 + 10 × 8 + 4), examples 500 × (16 + 200 + 84)."""
    constants = replace(
        HALF,
        kafka_bytes_per_record=16,
        kafka_bytes_per_prediction=100,
        kafka_bytes_per_example=200,
        kafka_bytes_per_answer=4,
        kafka_bytes_per_feature=8,
    )
    found = of(constants, replace(LOAD, tick_seconds=1e9, kafka_days=2))
    assert (found.kafka.events, found.kafka.predictions, found.kafka.examples) == (100_000, 200_000, 150_000)
    assert found.kafka.controls == pytest.approx(4 * 10 * 16)  # switches
    written = 450_000 + 640
    assert found.kafka_disk_bytes == pytest.approx(written * 86_400 * 2 * 3)
    assert found.kafka.read == pytest.approx(2 * 100_000 + 3 * 200_000 + 3 * 150_000 + 2 * 640)
    assert found.kafka_peak.events == 200_000


def test_clickhouse_bytes() -> None:
    """Per second: 1,000 × (10 + 40), 1,000 × (60 + 10 × 4 + 8), 500 × (70 + 48). Predictions are kept for 730 days."""
    constants = replace(
        HALF,
        clickhouse_bytes_per_row_records=10,
        clickhouse_bytes_per_row_events=40,
        clickhouse_bytes_per_row_predictions=60,
        clickhouse_bytes_per_row_labelled_examples=70,
        clickhouse_bytes_per_answer=8,
        clickhouse_bytes_per_feature=4,
    )
    found = of(constants, replace(LOAD, clickhouse_days=1000))
    assert found.clickhouse_bytes_per_day == {
        "records": 10_000 * 86_400,
        "events": 40_000 * 86_400,
        "predictions": 108_000 * 86_400,
        "labelled_examples": 59_000 * 86_400,
    }
    assert found.clickhouse_bytes == pytest.approx((109_000 * 1000 + 108_000 * 730) * 86_400)


def test_memory_of_workers_ends_at_the_cache() -> None:
    constants = replace(HALF, worker_base_bytes=1e6, worker_bytes_per_cached_customer=100)
    assert of(constants).worker_bytes["scoring"] == 1e6 + 32 * 2**20 + 50_000 * 100
    assert of(constants, cache_customers=7).worker_bytes["scoring"] == 1e6 + 32 * 2**20 + 700
    assert of(constants).worker_bytes["history"] == 1e6


def test_money() -> None:
    """0.002 busy cores, doubled for headroom, for a month, divided by the month's events."""
    found = estimate(LOAD, HALF, Hardware(), Prices(core_hour=10, memory_gb_month=0, disk_gb_month=0))
    assert found.money.per_month == pytest.approx(0.004 * 10 * 730 + 0.0, rel=1e-3)
    assert found.money.per_million_events == pytest.approx(0.004 * 10 * 730 / (1000 * 730 * 3600) * 1e6, rel=1e-3)


def test_what_changes() -> None:
    constants = replace(HALF, scoring_cpu_us_per_event=1000, redis_bytes_per_customer=300)
    now, more, most = (of(constants, LOAD.times(factor)) for factor in (1, 10, 1000))
    told = changes(now, more, Hardware())
    assert told[0].startswith("Scoring: 40 workers, and 4 partitions feed 4: a new log of 64 partitions")
    told = changes(now, most, Hardware())
    assert "several systems" in told[0] and any("Redis Cluster" in line for line in told)
    assert any("1,024 partitions at most" in line for line in limits(most, constants))
    assert changes(now, now, Hardware()) == ["Scoring: 4 workers on the 4 partitions that are there: start them."]


@pytest.mark.parametrize(
    "wrong",
    [
        {"customers": 0},
        {"customers": -1},
        {"events_per_s": float("nan")},
        {"events_per_s": float("inf")},
        {"events_per_s": 1e16},
        {"tick_seconds": 1e-300},
        {"active_share": 1.5},
        {"peak_factor": 0.5},
        {"kafka_copies": 0},
        {"targets": ()},
        {"targets": (CHURN,) * 17},
        {"targets": (replace(CHURN, arms=()),)},
        {"targets": (replace(CHURN, observe=2.0),)},
        {"targets": (replace(CHURN, horizon_days=-1.0),)},
        {"targets": (replace(CHURN, arms=(ArmLoad("f", "forest_tree", 0),)),)},
    ],
)
def test_absurd_loads_are_refused_in_a_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError, match=r"give|share|room"):
        replace(LOAD, **wrong)  # type: ignore[arg-type]


def test_a_worker_with_little_to_do_is_busy_with_small_batches() -> None:
    """1,000 µs per event. Small batches add 0.6 of the idle share, in full from 250 events/s: 0.2 + 0.8 × 0.8 × 0.6 at
    200 events/s, 0.5 + 0.5 × 0.6 at 500."""
    constants = replace(HALF, scoring_cpu_us_per_event=1_000, scoring_share_on_small_batches=0.6)
    quiet = replace(LOAD, peak_factor=1, targets=(replace(CHURN, questions_per_event=0),))
    assert of(constants, replace(quiet, events_per_s=0.25)).cores["scoring"] == pytest.approx(
        0.00025 + 0.0006, rel=0.01
    )
    few = of(constants, replace(quiet, events_per_s=200))
    assert few.cores["scoring"] == pytest.approx(0.2 + 0.8 * 0.8 * 0.6)
    assert few.cores_with_headroom == pytest.approx(few.cores["scoring"])
    many = of(constants, replace(quiet, events_per_s=500))
    assert many.cores["scoring"] == pytest.approx(0.5 + 0.5 * 0.6)
    assert many.cores_with_headroom == pytest.approx(1.0)
