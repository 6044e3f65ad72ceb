"""Which time a tick carries, between our clock and the broker's."""

from hypothesis import given
from hypothesis import strategies as st

from agents.runtime.ticking.broker_clock import BrokerClock

HOUR = 3_600_000
NOW = 1_700_000_000_000


class Monotonic:
    def __init__(self) -> None:
        self.s = 50.0

    def __call__(self) -> float:
        return self.s


def test_the_brokers_time_goes_on_between_two_appends() -> None:
    passing = Monotonic()
    clock = BrokerClock(passing)
    assert clock.now(3) is None
    clock.show(3, NOW)
    passing.s += 1.5
    assert clock.now(3) == NOW + 1500


def test_a_clock_that_is_ahead_is_held_back_and_one_that_is_behind_is_believed() -> None:
    passing = Monotonic()
    clock = BrokerClock(passing)
    clock.show(0, NOW)
    assert clock.bound(0, NOW + 2 * HOUR) == NOW
    assert clock.bound(0, NOW - 2 * HOUR) == NOW - 2 * HOUR


def test_a_clock_that_is_set_while_we_run_changes_nothing() -> None:
    passing = Monotonic()
    clock = BrokerClock(passing)
    clock.show(0, NOW)
    passing.s += 0.25
    assert clock.bound(0, NOW + 2 * HOUR) == NOW + 250


def test_each_partition_has_a_clock_of_its_own() -> None:
    clock = BrokerClock(Monotonic())
    clock.show(0, NOW)
    clock.show(1, NOW - HOUR)
    assert [clock.bound(partition, NOW + HOUR) for partition in (0, 1)] == [NOW, NOW - HOUR]
    clock.keep([1])
    assert clock.unknown([0, 1]) == [0]


@given(
    ours=st.integers(-10 * HOUR, 10 * HOUR),
    theirs=st.integers(-10 * HOUR, 10 * HOUR),
    passed=st.floats(0, 10_000),
)
def test_no_tick_is_ahead_of_either_clock(ours: int, theirs: int, passed: float) -> None:
    passing = Monotonic()
    clock = BrokerClock(passing)
    clock.show(0, NOW + theirs)
    passing.s += passed
    tick = clock.bound(0, NOW + ours)
    assert tick <= NOW + ours
    assert tick <= NOW + theirs + 1000 * passed + 1
