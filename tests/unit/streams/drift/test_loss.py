"""Alerts on the loss: none without a change, and one in time after a change."""

import random
from collections.abc import Callable

import pytest

from streams.drift.adwin import Adwin
from streams.drift.loss import COOLDOWN, AlertTransition, ErrorsCompared, LossMonitor, Standing

Example = tuple[float, float]


def binary(rng: random.Random, changed: int) -> Example:
    p = min(max(rng.gauss(0.3, 0.15), 0.01), 0.99)
    return p, float(rng.random() < p + 0.2 * changed)


def rare(rng: random.Random, changed: bool) -> Example:
    p = min(max(rng.gauss(0.03, 0.02), 0.001), 0.99)
    return p, float(rng.random() < p + 0.07 * changed)


def amount(rng: random.Random, changed: bool) -> Example:
    return 100.0, 100.0 + rng.gauss(0, 16 if changed else 10)


def heavy(rng: random.Random, changed: bool) -> Example:
    return 0.0, (rng.paretovariate(1.5) - 1) * (1.8 if changed else 1)


STREAMS = [(True, binary), (True, rare), (False, amount), (False, heavy)]


def monitor(is_binary: bool) -> LossMonitor:
    return LossMonitor(is_binary, Adwin(0.002))


def better(_: int) -> ErrorsCompared:
    return ErrorsCompared(0.1, 0.2)


def worse(_: int) -> ErrorsCompared:
    return ErrorsCompared(0.2, 0.1)


def steps(
    watch: LossMonitor, examples: list[Example], first: int = 0, standing: Standing = better
) -> list[tuple[int, AlertTransition]]:
    found = []
    for i, (answer, label) in enumerate(examples, first):
        step = watch.update(answer, label, standing)
        if step is not None:
            watch.alert_id = "open" if step.opens else ""
            found.append((i, step))
    return found


@pytest.mark.parametrize("is_binary,stream", STREAMS)
def test_no_alert_while_nothing_changes(is_binary: bool, stream: Callable[..., Example]) -> None:
    for seed in range(3):
        rng = random.Random(seed)
        assert steps(monitor(is_binary), [stream(rng, False) for _ in range(50_000)]) == []


@pytest.mark.parametrize("is_binary,stream", STREAMS)
def test_a_rise_is_found_within_600_examples_and_its_place_told(
    is_binary: bool, stream: Callable[..., Example]
) -> None:
    for seed in range(10):
        rng = random.Random(seed)
        examples = [stream(rng, i >= 5000) for i in range(8000)]
        (at, opened), (end, closed) = steps(monitor(is_binary), examples)[:2]
        assert opened.opens and 5000 < at < 5600
        assert abs(at - opened.width - 5000) < 150
        assert opened.value > opened.threshold
        assert not closed.opens and closed.how in ("calm", "fall")
        assert at < end <= at + 2500


def test_an_alert_closes_when_the_loss_falls_again() -> None:
    rng = random.Random(1)
    examples = [binary(rng, 2 * (3000 <= i < 3700)) for i in range(6000)]
    found = [(step.how, at) for at, step in steps(monitor(True), examples)]
    assert [how for how, _ in found][:2] == ["rise", "fall"]
    assert 3700 < found[1][1] < 4600


def test_a_falling_loss_raises_nothing() -> None:
    rng = random.Random(1)
    assert steps(monitor(True), [binary(rng, i < 5000) for i in range(10_000)]) == []


@pytest.mark.parametrize("is_binary,stream", STREAMS)
def test_a_packed_copy_goes_on_the_same(is_binary: bool, stream: Callable[..., Example]) -> None:
    rng = random.Random(2)
    examples = [stream(rng, 2000 <= i < 2900) for i in range(6000)]
    whole = steps(monitor(is_binary), examples)
    watch, found = monitor(is_binary), []
    for at, example in enumerate(examples):
        found += steps(watch, [example], at)
        copy = monitor(is_binary)
        copy.unpack(watch.pack())
        watch = copy
    assert found == whole and whole
    assert watch.pack() == copy.pack()


def test_an_answer_beyond_all_bounds_is_a_full_loss() -> None:
    watch = monitor(False)
    rng = random.Random(1)
    for _ in range(2000):
        assert watch.update(*amount(rng, False), better) is None
    steps = [watch.update(1.7e308, -1.7e308, better) for _ in range(100)]
    assert any(step is not None and step.opens for step in steps)


@pytest.mark.parametrize("is_binary,stream", STREAMS)
def test_an_alert_stays_open_while_the_arm_is_worse_than_a_baseline(
    is_binary: bool, stream: Callable[..., Example]
) -> None:
    """The loss stays as large as it has become, or falls a little: neither closes the alert."""
    rng, watch = random.Random(3), monitor(is_binary)
    changed = [stream(rng, i >= 5000) for i in range(12_000)]
    found = steps(watch, changed, standing=worse)
    assert [step.how for _, step in found] == ["rise"]
    assert found[0][1].evidence["error"] > found[0][1].evidence["baseline_error"]
    (closed,) = steps(watch, [stream(rng, True) for _ in range(200)], standing=better)
    assert closed[1].how == "calm" and watch._calm > COOLDOWN


def test_a_loss_that_cannot_rise_further_closes_nothing() -> None:
    watch, rng = monitor(False), random.Random(1)
    steps(watch, [amount(rng, False) for _ in range(2000)])
    told = steps(watch, [(1e9, 100.0)] * 5000, standing=worse)
    assert [step.how for _, step in told] == ["rise"] and watch.alert_id
