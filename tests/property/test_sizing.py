"""Estimates grow with the load, in the right proportions."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sizing.constants import MODEL_KINDS, load_constants
from agents.sizing.estimate import Estimate, estimate
from agents.sizing.load import ArmLoad, Load, TargetLoad
from agents.sizing.rates import rates

CONSTANTS = load_constants()
ARMS = st.builds(ArmLoad, st.just("arm"), st.sampled_from(MODEL_KINDS), st.integers(1, 50))
TARGETS = st.builds(
    TargetLoad,
    st.just("target"),
    st.lists(ARMS, min_size=1, max_size=4).map(tuple),
    questions_per_event=st.floats(0, 3),
    questions_per_customer_day=st.floats(0, 3),
    only_active=st.booleans(),
    observe=st.floats(0, 1),
    horizon_days=st.floats(0.1, 400),
    features=st.integers(1, 200),
    serve_every=st.floats(1, 1e5),
)
LOADS = st.builds(
    Load,
    events_per_s=st.floats(0.01, 1e6),
    customers=st.floats(1, 1e9),
    targets=st.lists(TARGETS, min_size=1, max_size=4).map(tuple),
    peak_factor=st.floats(1, 20),
    active_share=st.floats(0.001, 1),
    features=st.integers(1, 200),
    tick_seconds=st.floats(0.1, 3600),
    growth=st.floats(1, 10),
    kafka_days=st.floats(1, 1000),
    clickhouse_days=st.floats(1, 3000),
    kafka_copies=st.integers(1, 5),
    redis_copies=st.integers(1, 3),
    clickhouse_copies=st.integers(1, 3),
)
FACTORS = st.floats(1, 1000)


def of(load: Load) -> Estimate:
    return estimate(load, CONSTANTS)


def needs(found: Estimate) -> dict[str, float]:
    """Return the figures that must not shrink when the load grows."""
    return {
        **found.cores,
        **{f"{stage} workers": float(count) for stage, count in found.workers.items()},
        "partitions": found.partitions,
        "redis": found.redis.total,
        "shards": found.redis_shards,
        "kafka": found.kafka_disk_bytes,
        "kafka read": found.kafka_peak.read,
        "brokers": found.brokers,
        "clickhouse": found.clickhouse_bytes,
        "clickhouse shards": found.clickhouse_shards,
    }


def never_less(small: Estimate, large: Estimate) -> None:
    before, after = needs(small), needs(large)
    assert {name: (before[name], after[name]) for name in before if after[name] < before[name] * (1 - 1e-9)} == {}


@given(LOADS, FACTORS)
def test_more_events_never_need_less(load: Load, factor: float) -> None:
    never_less(of(load), of(replace(load, events_per_s=load.events_per_s * factor)))


@given(LOADS, FACTORS)
def test_a_higher_peak_never_needs_less(load: Load, factor: float) -> None:
    never_less(of(load), of(replace(load, peak_factor=load.peak_factor * factor)))


@given(LOADS, TARGETS)
def test_one_more_target_never_needs_less(load: Load, target: TargetLoad) -> None:
    never_less(of(load), of(replace(load, targets=(*load.targets, target))))


@given(LOADS, ARMS)
def test_one_more_arm_never_needs_less(load: Load, arm: ArmLoad) -> None:
    first, *rest = load.targets
    never_less(of(load), of(replace(load, targets=(replace(first, arms=(*first.arms, arm)), *rest))))


@given(LOADS, FACTORS)
def test_what_is_kept_longer_needs_more(load: Load, factor: float) -> None:
    longer = replace(load, kafka_days=load.kafka_days * factor, clickhouse_days=load.clickhouse_days * factor)
    never_less(of(load), of(longer))
    assert of(longer).kafka_disk_bytes == pytest.approx(of(load).kafka_disk_bytes * factor)


@given(LOADS)
def test_twice_the_customers_with_their_events_are_twice_the_bytes(load: Load) -> None:
    one, two = of(load), of(load.times(2))
    assert two.redis.customers == pytest.approx(2 * one.redis.customers)
    assert two.redis.observations == pytest.approx(2 * one.redis.observations)
    assert two.kafka.events == pytest.approx(2 * one.kafka.events)
    assert two.kafka.predictions == pytest.approx(2 * one.kafka.predictions)
    assert two.clickhouse_bytes == pytest.approx(2 * one.clickhouse_bytes)
    assert two.versions_per_s == pytest.approx(one.versions_per_s)


@given(LOADS)
def test_twice_the_customers_alone_are_twice_their_states_without_event_ids(load: Load) -> None:
    without = replace(CONSTANTS, redis_bytes_per_digest=0)
    one = estimate(load, without)
    two = estimate(replace(load, customers=load.customers * 2), without)
    assert two.redis.customers == pytest.approx(2 * one.redis.customers)


@given(LOADS)
def test_no_scorer_is_too_busy_unless_it_is_said(load: Load) -> None:
    """Each scorer's core has room for its share of the work, all versions and the headroom, or the estimate says
    otherwise."""
    found = of(load)
    usable = 1 - CONSTANTS.headroom_share
    if found.scorer_versions_cores <= usable / 2:
        assert found.work["scoring"] / found.workers["scoring"] <= usable * (1 + 1e-9)
        assert found.cores["scoring"] <= found.workers["scoring"] * (1 + 1e-9)
    if found.workers_possible:
        assert found.workers["scoring"] <= found.partitions


@given(LOADS)
def test_copies_multiply_what_lies_on_disks(load: Load) -> None:
    one = of(replace(load, kafka_copies=1, clickhouse_copies=1))
    three = of(replace(load, kafka_copies=3, clickhouse_copies=3))
    assert three.kafka_disk_bytes == pytest.approx(3 * one.kafka_disk_bytes)
    assert three.clickhouse_disk_bytes == pytest.approx(3 * one.clickhouse_disk_bytes)
    assert three.kafka.written == one.kafka.written


@given(LOADS)
def test_money_adds_up(load: Load) -> None:
    money = of(load).money
    monthly = rates(load).events * 730 * 3600 / 1e6
    assert money.per_month == pytest.approx(money.cores + money.memory + money.disk)
    assert money.per_million_events * monthly == pytest.approx(money.per_month)
