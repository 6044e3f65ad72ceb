"""Feature plans agree with an oracle that keeps every event (feature_oracle)."""

from dataclasses import fields
from math import isclose, isnan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.features.feature import Derived
from streams.features.plan import FeaturePlan
from streams.features.registry import FEATURES
from streams.usecases import Attribute, DistinctCount, Ratio, Target, UseCase
from tests.property.feature_oracle import MS, ORACLES, Event, feature
from tests.property.thorough import thorough

HOUR, DAY, WEEK = MS["h"], MS["d"], MS["w"]
START = 2_700 * WEEK
KINDS = ("Call", "TopUp", "Note")
TARGETS: tuple[Target, ...] = ()

values = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.integers(0, 5))
amounts = st.one_of(st.none(), st.sampled_from([0.1, 0.5, -2.25, 1e6, 3.0]))
records = st.fixed_dictionaries(
    {"cents": values, "amount": amounts, "cell": st.sampled_from("abcdefgh"), "out": st.booleans()}
)
wheres = st.sampled_from(
    [
        {},
        {},
        {"cell": "a"},
        {"out": True},
        {"cents": (">", 2)},
        {"cents": ("<=", 2), "out": False},
        {"cell": ("in", ("a", "b", "c"))},
        {"cell": ("not in", ("a", "b")), "cents": ("!=", None)},
    ]
)
windows = st.sampled_from([None, "1h", "3h", "24h", "1d", "2d", "7d", "1w", "3w", "30m"])
sources = st.sampled_from(["Call", "TopUp", ("Call", "TopUp"), "Note"])


SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "of": sources,
    "over": windows,
    "where": wheres,
    "field": st.sampled_from(["cents", "amount"]),
    "scale": st.sampled_from([1.0, 0.5, -2.0]),
    "unit": st.sampled_from("smhdw"),
    "cap": st.sampled_from([3, 64]),
}
"""The possible values of a feature's settings, by setting name."""
OWN: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    DistinctCount: {"field": st.just("cell")},
    Attribute: {"field": st.just("cell"), "equals": st.just("b")},
}
"""Settings whose values differ for a kind of feature."""
PLAIN = [kind for kind in FEATURES.values() if not issubclass(kind, Derived)]


@st.composite
def plain_features(draw: Any, name: str) -> Any:
    """Draw a feature of any registered kind that is computed from events."""
    kind = draw(st.sampled_from(PLAIN))
    choices = {**SETTINGS, **OWN.get(kind, {})}
    settings_of = [field.name for field in fields(kind) if field.name != "name"]
    unknown = [setting for setting in settings_of if setting not in choices]
    assert not unknown, f"add the values of {', '.join(unknown)} of {kind.__name__} to SETTINGS or OWN"
    return kind(name, **{setting: draw(choices[setting]) for setting in settings_of})


@st.composite
def derived_features(draw: Any, plain: list[str]) -> Any:
    """Draw a feature of any registered kind that is computed from other features. Its settings name them."""
    kind = draw(st.sampled_from([kind for kind in FEATURES.values() if issubclass(kind, Derived)]))
    settings_of = [field.name for field in fields(kind) if field.name != "name"]
    return kind("derived", **{setting: draw(SETTINGS.get(setting, st.sampled_from(plain))) for setting in settings_of})


@st.composite
def feature_sets(draw: Any) -> tuple[Any, ...]:
    """Draw up to 8 features over few sources, one derived feature and perhaps a number's attribute. Many share
    series."""
    found = [draw(plain_features(f"f{number}")) for number in range(draw(st.integers(1, 8)))]
    if draw(st.booleans()):
        found.append(Attribute("number", draw(sources), "cents"))
    found.insert(draw(st.integers(0, len(found))), draw(derived_features([f.name for f in found])))
    return tuple(found)


@st.composite
def moments(draw: Any) -> int:
    """Draw a moment within five weeks, or within one ms of a tile boundary."""
    if draw(st.booleans()):
        return START + draw(st.integers(0, 5 * WEEK))
    width = draw(st.sampled_from([MS["m"] * 30, HOUR, DAY, WEEK]))
    return START + draw(st.integers(0, 5 * WEEK // width)) * width + draw(st.sampled_from([-1, 0, 1]))


def event(kind: str, at: int, record: dict[str, Any]) -> Event:
    """Return an event whose record contains its time, as every event does."""
    return Event(kind, at, {**record, "occurred_at": at})


logs = st.lists(st.builds(event, st.sampled_from(KINDS), moments(), records), max_size=40)


def test_every_registered_feature_has_an_oracle() -> None:
    missing = [name for name, kind in FEATURES.items() if kind not in ORACLES]
    assert not missing, f"add @oracle({missing[0]}) to tests/property/feature_oracle.py"


def plan_of(features: tuple[Any, ...]) -> FeaturePlan:
    return FeaturePlan(UseCase("test", features, TARGETS))


def same(got: float, wanted: float) -> bool:
    return (isnan(got) and isnan(wanted)) or isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-6)


def show(features: tuple[Any, ...], got: list[float], wanted: list[float]) -> str:
    return "\n".join(
        f"{f} got {g!r} wanted {w!r}" for f, g, w in zip(features, got, wanted, strict=True) if not same(g, w)
    )


@thorough(4)
@given(feature_sets(), logs, st.lists(st.integers(0, 4 * WEEK), min_size=40, max_size=40))
def test_every_vector_is_what_all_events_say(features: Any, log: list[Event], ahead: list[int]) -> None:
    """Events may be out of order by any amount. An event older than every window changes no vector.

    The requested clock is the customer's clock or a later one, as with a timer."""
    plan = plan_of(features)
    state = plan.new_state()
    seen: list[Event] = []
    for event, later in zip(log, ahead, strict=False):
        plan.update(state, event.kind, event.record, event.at)
        seen.append(event)
        clock = max(e.at for e in seen)
        assert state.clock == clock
        for asked in (clock, clock + later):
            got = plan.vector(state, asked)
            wanted = [feature(f, seen, asked, features) for f in features]
            assert not show(features, got, wanted), show(features, got, wanted)


@thorough(3)
@given(feature_sets(), logs, st.data())
def test_packing_at_any_point_changes_nothing(features: Any, log: list[Event], data: st.DataObject) -> None:
    """A cache of size 0 packs after each event. It yields the same bytes and vectors, and unpack(pack(s)) == s."""
    plan = plan_of(features)
    kept, packed = plan.new_state(), plan.stored.pack(plan.new_state())
    some, points = plan.new_state(), data.draw(st.sets(st.integers(0, 40)))
    for number, event in enumerate(log):
        digest = number.to_bytes(8, "big")
        kept.digests.remember(digest)
        kept.due[number % 2] = event.at + DAY
        plan.update(kept, event.kind, event.record, event.at)

        state = plan.stored.unpack(packed)
        state.digests.remember(digest)
        state.due[number % 2] = event.at + DAY
        plan.update(state, event.kind, event.record, event.at)
        packed = plan.stored.pack(state)

        some.digests.remember(digest)
        some.due[number % 2] = event.at + DAY
        plan.update(some, event.kind, event.record, event.at)
        if number in points:
            some = plan.stored.unpack(plan.stored.pack(some))

        assert plan.stored.unpack(packed) == kept == some
        assert packed == plan.stored.pack(kept) == plan.stored.pack(some)
        bits = [v.hex() for v in plan.vector(kept, kept.clock)]
        assert bits == [v.hex() for v in plan.vector(state, kept.clock)]


@thorough(2)
@given(feature_sets(), logs)
def test_no_tile_is_kept_that_no_window_can_see(features: Any, log: list[Event]) -> None:
    """Windows of "3h" and "24h" over the same events keep 24 hourly tiles."""
    plan = plan_of(features)
    state = plan.new_state()
    for event in log:
        plan.update(state, event.kind, event.record, event.at)
        for series, tiles in zip(plan._layout.series, state.series, strict=True):
            slots = [tile[0] for tile in tiles]
            assert slots == sorted(set(slots))
            assert all(slot > state.clock // series.width - series.tiles for slot in slots)


@thorough(2)
@given(feature_sets(), feature_sets(), logs, logs)
def test_a_new_feature_set_keeps_what_both_have(old: Any, new: Any, before: list[Event], after: list[Event]) -> None:
    """What the old set had is exact at once. The rest is exact or unknown, and never unknown for new customers."""
    shared = tuple(f for f in old if not isinstance(f, Ratio))
    mixed = tuple(
        [*[f for f in new if not isinstance(f, Ratio) and f.name not in {s.name for s in shared}], *reversed(shared)]
    )
    first, second = plan_of(old), plan_of(mixed)
    state = first.new_state()
    for event in before:
        first.update(state, event.kind, event.record, event.at)
    begin = first.stored.retained
    moved = second.stored.unpack(first.stored.pack(state, begin), begin)
    assert (moved.clock, moved.digests, moved.due) == (state.clock, state.digests, state.due)
    seen = list(before)
    for number, event in enumerate([None, *after]):
        if event is not None:
            second.update(moved, event.kind, event.record, event.at)
            seen.append(event)
        packed = second.stored.pack(moved, begin)
        assert second.stored.unpack(packed, begin) == moved
        if number % 3 == 0:
            moved = second.stored.unpack(packed, begin)
        clock = max((e.at for e in seen), default=START)
        for asked in (clock, clock + 2 * WEEK):
            got = second.vector(moved, asked)
            wanted = [feature(f, seen, asked, mixed) for f in mixed]
            exact = got[-len(shared) :] if before else got
            told = show(mixed[-len(exact) :], exact, wanted[-len(exact) :])
            assert not told, told
            unknown = [w if isnan(g) else g for g, w in zip(got, wanted, strict=True)]
            assert not show(mixed, unknown, wanted), show(mixed, unknown, wanted)
