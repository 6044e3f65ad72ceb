"""Metrics agree with their definitions."""

import random
from math import exp, inf, isclose, isnan, log

from hypothesis import given
from hypothesis import strategies as st
from river import metrics

from streams.judging.metrics import BinaryTotals, RegressionTotals, log_loss, roc_auc

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]) | st.floats(0, 1), st.sampled_from([0.0, 1.0])))


def slow_auc(pairs: list[tuple[float, float]]) -> float | None:
    wins = [(a > b) + (a == b) / 2 for a, y in pairs if y for b, z in pairs if not z]
    return sum(wins) / len(wins) if wins else None


@given(PAIRS)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[float, float]]) -> None:
    assert roc_auc([p for p, _ in pairs], [y for _, y in pairs]) == slow_auc(pairs)


@given(PAIRS)
def test_totals(pairs: list[tuple[float, float]]) -> None:
    totals, rivers_loss, rivers_accuracy = BinaryTotals(), metrics.LogLoss(), metrics.Accuracy()
    for p, y in pairs:
        totals.add(p, y)
        rivers_loss.update(bool(y), {True: p, False: 1 - p})
        rivers_accuracy.update(bool(y), p > 0.5)
    found = totals.values()
    if not pairs:
        assert found == {} == BinaryTotals.recent([], [])
        return
    assert isclose(found["log_loss"], rivers_loss.get(), rel_tol=1e-9, abs_tol=1e-12)
    assert isclose(found["accuracy"], rivers_accuracy.get())
    exact = slow_auc(pairs)
    assert ("roc_auc" in found) == (exact is not None)
    if exact is not None:
        assert abs(found["roc_auc"] - exact) <= found["roc_auc_error"] + 1e-12
    copy = BinaryTotals()
    copy.unpack(totals.pack())
    assert copy.values() == found and copy.pack() == totals.pack()


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1))
def test_regression(pairs: list[tuple[float, float]]) -> None:
    totals, mae, rmse = RegressionTotals(), metrics.MAE(), metrics.RMSE()
    for p, y in pairs:
        totals.add(p, y)
        mae.update(y, p)
        rmse.update(y, p)
    for found in (totals.values(), RegressionTotals.recent([p for p, _ in pairs], [y for _, y in pairs])):
        assert isclose(found["mae"], mae.get(), rel_tol=1e-9, abs_tol=1e-9)
        assert isclose(found["rmse"], rmse.get(), rel_tol=1e-9, abs_tol=1e-9)
    copy = RegressionTotals()
    copy.unpack(totals.pack())
    assert copy.pack() == totals.pack()


def test_a_certain_wrong_answer_costs_a_finite_amount() -> None:
    assert log_loss(0.0, 1.0) == -log(1e-15)
    assert 34 < log_loss(1.0, 0.0) < 35
    assert 0 <= log_loss(1.0, 1.0) < 1e-14


def test_the_auc_over_all_examples_is_close_to_exact() -> None:
    rng = random.Random(1)
    totals, answers, labels = BinaryTotals(), [], []
    for _ in range(3000):
        answers.append(1 / (1 + exp(-rng.gauss(-2, 1))))
        labels.append(float(rng.random() < answers[-1]))
        totals.add(answers[-1], labels[-1])
    exact, found = roc_auc(answers, labels), totals.values()
    assert exact is not None
    assert abs(found["roc_auc"] - exact) < 3e-4 < found["roc_auc_error"] < 6e-3


def test_errors_too_large_for_a_double_are_infinite_and_no_failure() -> None:
    answers, labels = [1.7e308, 1.7e308, -1.7e308], [0.0, 0.0, 1e100]
    found = RegressionTotals.recent(answers, labels)
    assert found["mae"] == found["rmse"] == inf
    totals = RegressionTotals()
    for answer, label in zip(answers, labels, strict=True):
        totals.add(answer, label)
    assert totals.values()["rmse"] == inf
    assert isnan(RegressionTotals.recent([inf, -inf], [0.0, 0.0])["bias"])
