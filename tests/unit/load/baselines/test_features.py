"""The tiles agree with an oracle that keeps every event."""

import random
from math import inf
from typing import Any

import pytest

from load.baselines.features import DAYS, HOUR_MS, HOURS, NAMES, MemoryCustomer, features, update
from load.reference.events import DAY_MS, START_MS, TYPES, activities

Event = tuple[str, int, float | None]


def oracle(events: list[Event]) -> dict[str, float]:
    clock = max(moment for _, moment, _ in events)
    found: dict[str, float] = {}
    for kind in TYPES:
        mine = [(moment, amount or 0.0) for each, moment, amount in events if each == kind]
        for over, width, keep in (("24h", HOUR_MS, HOURS), ("7d", DAY_MS, DAYS)):
            inside = [amount for moment, amount in mine if clock // width - moment // width < keep]
            found[f"{kind}_count_{over}"] = len(inside)
            found[f"{kind}_sum_{over}"] = sum(inside)
        if mine:
            found[f"days_since_{kind}"] = (clock - max(moment for moment, _ in mine)) / DAY_MS
    return found


def check(stream: list[tuple[str, Event]]) -> None:
    customers: dict[str, MemoryCustomer] = {}
    kept: dict[str, list[Event]] = {}
    for who, event in stream:
        update(customers.setdefault(who, MemoryCustomer()), *event)
        kept.setdefault(who, []).append(event)
        assert features(customers[who]) == pytest.approx(oracle(kept[who]))


def test_the_reference_events() -> None:
    records: list[dict[str, Any]] = list(activities(4000, 30, seed=3))
    check([(str(int(r["customer_id"][1:]) % 20), (r["type"], r["occurred_at"], r["amount"])) for r in records])


@pytest.mark.parametrize("seed", range(5))
def test_any_order_within_a_day_and_any_silence(seed: int) -> None:
    rng = random.Random(seed)
    now, stream = START_MS, []
    for _ in range(600):
        now += int(rng.expovariate(1 / rng.choice((60_000, HOUR_MS, 20 * HOUR_MS, 9 * DAY_MS))))
        moment = now - rng.randrange(DAY_MS)
        event = (rng.choice(TYPES), moment, None if rng.random() < 0.3 else round(rng.uniform(0, 50), 2))
        stream.append(("c1", event))
    check(stream)


def test_tiles_that_left_the_window_are_forgotten() -> None:
    customer = MemoryCustomer()
    for hour in range(40 * 24):
        update(customer, "call", START_MS + hour * HOUR_MS, 1.0)
        assert len(customer.hours["call"]) <= HOURS and len(customer.days["call"]) <= DAYS
    assert features(customer)["call_count_24h"] == HOURS


def test_names_are_the_20_features_and_what_is_unknown_is_left_out() -> None:
    assert len(set(NAMES)) == 20
    customer = MemoryCustomer()
    update(customer, "sms", START_MS, None)
    known = features(customer)
    assert set(NAMES) - set(known) == {"days_since_call", "days_since_data", "days_since_topup"}
    assert set(known) <= set(NAMES) and max(known.values()) < inf and known["sms_sum_24h"] == 0
