"""A new kind of feature with a column that is not compiled. It needs one line of registration and no other change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan, sqrt
from typing import Any

import pytest

from streams.deployment import definitions_of
from streams.features import plan as plans
from streams.features.columns import Column, Fold
from streams.features.feature import Aggregate, ReadTiles, Tiles
from streams.features.plan import FeaturePlan
from streams.features.registry import FEATURES
from streams.kernels import kernel
from streams.usecases import Count, UseCase, check, load_use_case

DAY = 86_400_000


def add_squares(kept: list[float] | None, value: float) -> list[float]:
    """Return [number, sum, sum of squares] of the values."""
    number, total, squares = kept or [0, 0.0, 0.0]
    return [number + 1, total + value, squares + value * value]


SQUARES = Fold("squares", add_squares)


@dataclass(frozen=True)
class Spread(Aggregate):
    """Standard deviation of a field in a window."""

    name: str
    of: str
    field: str
    over: str | None = None

    def columns(self) -> tuple[Column, ...]:
        return (Column(SQUARES, self.field),)

    def reader(self, positions: Sequence[int]) -> ReadTiles:
        (at,) = positions

        def read(tiles: Tiles, clock: int) -> float:
            kept = [tile[at] for tile in tiles if tile[at] is not None]
            number, total, squares = (sum(part) for part in zip(*kept, strict=True)) if kept else (0, 0.0, 0.0)
            return sqrt(max(squares / number - (total / number) ** 2, 0.0)) if number else float("nan")

        return read


SPREAD = Spread("spread", "Buy", "cents", "2d")


def plan_of(*features: Any) -> FeaturePlan:
    return FeaturePlan(UseCase("shop", features=features, targets=()))


def filled(plan: FeaturePlan) -> Any:
    state = plan.new_state()
    for day, cents in ((1, 9.0), (5, 2.0), (5, None), (6, 4.0), (6, 6.0)):
        plan.update(state, "Buy", {"cents": cents}, day * DAY)
    return state


@pytest.mark.parametrize("compiled", [False, True])
def test_it_is_computed_from_its_own_column(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = kernel("tiles")
    if compiled and found is None:
        pytest.skip("the kernels are not compiled: tidecast compile")
    monkeypatch.setattr(plans, "_APPLY", found.apply if compiled and found else plans._apply)
    monkeypatch.setattr(plans, "_READ_WINDOWS", found.read_windows if compiled and found else plans._read_windows)
    plan = plan_of(SPREAD, Count("n", "Buy", "2d"))
    state = filled(plan)
    assert plan.vector(state, state.clock) == [pytest.approx(sqrt(8 / 3)), 4.0]
    assert isnan(plan.vector(plan.new_state(), 0)[0])
    assert plan.stored.unpack(plan.stored.pack(state)) == state


def test_its_stored_column_is_known_by_its_name() -> None:
    """The state keeps the column when the definitions change. Another fold of the same field is not mistaken for it."""
    old, new = plan_of(SPREAD), plan_of(Count("n", "Buy", "2d"), SPREAD)
    state = new.stored.unpack(old.stored.pack(filled(old)))
    assert new.vector(state, state.clock)[1] == old.vector(filled(old), state.clock)[0]
    other = replace(SQUARES, name="others")
    assert repr(SQUARES) == "Fold(name='squares')" and other != SQUARES
    assert Fold("squares", max) == SQUARES


def test_it_can_be_declared_once_it_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    retail = load_use_case("retail")
    spread = Spread("spread", "Purchase", "amount_cents", "4w")
    with_spread = replace(retail, features=(*retail.features, spread))
    (problem,) = check(with_spread)
    assert str(problem) == ("feature 'spread': Spread is not registered; add its line to streams/features/registry.py.")
    monkeypatch.setitem(FEATURES, "Spread", Spread)
    assert check(with_spread) == []
    assert '"class":"Spread"' in definitions_of(with_spread)
    (problem,) = check(replace(retail, features=(*retail.features, replace(spread, over="4 weeks"))))
    assert problem.field == "over"
