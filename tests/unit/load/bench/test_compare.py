"""Ratios of paired runs. The interval of their median agrees with an enumeration of all outcomes of fair coins."""

from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from load.bench import compare
from load.bench.compare import Comparison, compared, main, median_interval, table

CPU, DRAIN = ("drain: CPU", "µs/event"), ("drain: drain", "events/s")


def test_the_interval_of_ten_values_is_the_second_to_the_ninth() -> None:
    interval = median_interval([1.05, 0.9, 1.0, 1.01, 0.99, 1.02, 0.98, 1.03, 0.97, 2.0])
    assert (interval.low, interval.high) == (0.97, 1.05)
    assert interval.coverage == pytest.approx(1 - 22 / 1024)


@pytest.mark.parametrize("count", range(1, 13))
def test_the_coverage_is_that_of_the_sign_test(count: int) -> None:
    values = list(range(1, count + 1))
    interval = median_interval(values)
    rank = values.index(int(interval.low))
    # The median lies inside unless at most `rank` values are on one side. Each value is a fair coin between the sides.
    inside = [rank < sum(below) < count - rank for below in product((0, 1), repeat=count)]
    assert interval.high == values[-1 - rank]
    assert interval.coverage == pytest.approx(sum(inside) / 2**count)
    assert (interval.coverage >= compare.LEVEL) == (count >= 6)


def test_figures_are_compared_pair_by_pair() -> None:
    pairs = [({CPU: 10.0, DRAIN: 5.0}, {CPU: 11.0}), ({CPU: 20.0, DRAIN: 5.0}, {CPU: 20.0, DRAIN: 6.0})]
    (comparison,) = compared(pairs)
    assert comparison == Comparison(*CPU, (10.0, 20.0), (11.0, 20.0))
    assert comparison.ratios == [1.1, 1.0]
    assert comparison.to_json()["median_ratio"] == pytest.approx(1.05)
    head, line = table([comparison])
    assert head.split()[:5] == ["other", "this", "min", "median", "max"]
    assert line.split()[2:7] == ["15", "15.5", "1.000", "1.050", "1.100"]


def test_a_figure_that_is_zero_in_a_run_is_left_out() -> None:
    assert compared([({CPU: 0.0, DRAIN: 2.0}, {CPU: 1.0, DRAIN: 3.0})]) == [Comparison(*DRAIN, (2.0,), (3.0,))]


def test_pairs_before_a_failure_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    runs = iter([{CPU: 10.0}, {CPU: 9.0}, {CPU: 10.0}])
    monkeypatch.setattr(compare, "measure", lambda *_: next(runs))
    done = CliRunner().invoke(main, [str(tmp_path), "--pairs", "2"])
    assert done.exit_code and "0.900" in done.output


def test_a_checkout_without_python_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(tmp_path)])
    assert done.exit_code == 1 and "virtual environment" in done.output
