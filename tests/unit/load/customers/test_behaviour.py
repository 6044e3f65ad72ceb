from bisect import bisect_right

import numpy as np
import pytest

from load.customers.behaviour import DAY_MS, HABITS, SMS, START_MS, CustomerBehaviour, Events, joined
from load.customers.stream import BestAuc


def days(behaviour: CustomerBehaviour, count: int) -> list[Events]:
    return [joined(list(behaviour.day())) for _ in range(count)]


def test_the_same_seed_gives_the_same_behaviour() -> None:
    first, second = (days(CustomerBehaviour(2000, 7, 3000, rings=0.01), 3) for _ in range(2))
    for here, there in zip(first, second, strict=True):
        for mine, yours in zip(here, there, strict=True):
            np.testing.assert_array_equal(mine, yours)
    assert len(days(CustomerBehaviour(2000, 8, 3000), 1)[0].moment) != len(first[0].moment)


def test_days_are_in_order_and_as_busy_as_asked() -> None:
    found = days(CustomerBehaviour(5000, 1, 8000), 7)
    for number, day in enumerate(found):
        assert (np.diff(day.moment) >= 0).all()
        assert START_MS + number * DAY_MS <= day.moment[0] and day.moment[-1] < START_MS + (number + 1) * DAY_MS
        assert np.isnan(day.amount[day.kind == SMS]).all() and not np.isnan(day.amount[day.kind != SMS]).any()
    assert 0.75 * 8000 < np.mean([len(day.moment) for day in found]) < 1.1 * 8000
    assert HABITS.sum(axis=(1, 2)) == pytest.approx([7.0] * 4)


def test_the_chance_of_silence_is_the_share_that_is_silent() -> None:
    behaviour = CustomerBehaviour(4000, 3, 4000)
    asked, hours = [], []
    for _ in range(30):
        for hour in behaviour.day():
            asked.append((hour.moment, hour.customer, behaviour.silence(hour)))
            hours.append(hour)
    everything = joined(hours)
    by_customer: dict[int, list[int]] = {}
    for who, moment in zip(everything.customer.tolist(), everything.moment.tolist(), strict=True):
        by_customer.setdefault(who, []).append(moment)
    end = START_MS + 29 * DAY_MS
    chances, silent = [], []
    for moments, customers, each in asked:
        for moment, who, chance in zip(moments.tolist(), customers.tolist(), each.tolist(), strict=True):
            if moment < end:
                theirs = by_customer[who]
                after = bisect_right(theirs, moment)
                chances.append(chance)
                silent.append(after == len(theirs) or theirs[after] > moment + DAY_MS)
    chances_, silent_ = np.array(chances), np.array(silent)
    for low in np.arange(0.0, 1.0, 0.1):
        inside = (chances_ >= low) & (chances_ < low + 0.1)
        if inside.sum() > 1000:
            error = 4 * np.sqrt(0.25 / inside.sum()) + 0.01
            assert abs(silent_[inside].mean() - chances_[inside].mean()) < error


def test_rings_top_up_the_same_amount_together() -> None:
    day = days(CustomerBehaviour(5000, 1, 2000, rings=0.1), 1)[0]
    amounts, counts = np.unique(day.amount[day.fraud], return_counts=True)
    assert len(amounts) and (counts % 15 == 0).all()


def test_drift_turns_round_who_fades() -> None:
    def faded(turned: float) -> tuple[float, float]:
        behaviour = CustomerBehaviour(20_000, 1, 20_000)
        for _ in range(12):
            list(behaviour.day(turned))
        gone = behaviour._state >= 2
        return gone[behaviour._heavy].mean(), gone[~behaviour._heavy].mean()

    heavy, light = faded(0.0)
    assert heavy < light - 0.05
    heavy, light = faded(1.0)
    assert heavy > light + 0.05


def test_the_best_auc_is_that_of_the_true_chances() -> None:
    rng, best = np.random.default_rng(1), BestAuc(1000)
    moment, predicted, truth, chances = START_MS, {}, [], []
    for _ in range(4000):
        who, chance = int(rng.integers(1000)), float(rng.random())
        moment += int(rng.integers(DAY_MS // 500))
        if who in predicted:
            truth.append(moment - predicted[who][0] > DAY_MS)
            chances.append(predicted[who][1])
        predicted[who] = (moment, chance)
        event = Events(*(np.array([x]) for x in (moment, who, 0, 1.0, False)))
        best.take(event, np.array([chance], dtype=np.float32))
    silent = [c for c, t in zip(chances, truth, strict=True) if t]
    talks = [c for c, t in zip(chances, truth, strict=True) if not t]
    pairs = np.subtract.outer(silent, talks)
    assert best.auc == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2, abs=0.01)
