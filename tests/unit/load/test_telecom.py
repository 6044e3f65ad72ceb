"""The simulated telecom is reproducible and in order. Its reason to leave changes over time."""

from collections import Counter

from load.telecom.customers import DAY_MS, Telecom, TelecomEvent
from load.ticks import NO_KEY, TickKey, signed_tick
from schemas.topics import CUSTOMER_EVENTS
from streams.control import check, sign
from streams.keys import Key, Keys

START = 1_704_067_200_000


def days(count: int, customers: int = 300, seed: int = 3, campaign: int = 1000) -> list[list[TelecomEvent]]:
    telecom = Telecom(customers, seed, campaign, START)
    return [telecom.day(day) for day in range(count)]


def test_the_same_seed_gives_the_same_events() -> None:
    assert days(20) == days(20)
    assert days(20) != days(20, seed=4)


def test_each_day_holds_its_own_events_in_order() -> None:
    for day, events in enumerate(days(30)):
        assert events == sorted(events)
        assert all(START + day * DAY_MS <= event.time < START + (day + 1) * DAY_MS for event in events)


def test_everyone_arrives_with_a_profile_first_and_is_silent_after_a_cancellation() -> None:
    gone, known = set(), set()
    left = 0
    for events in days(120, campaign=40):
        here = {event.customer for event in events}
        assert not here & gone
        known |= {event.customer for event in events if event.name == "Profile"}
        assert here <= known
        leaving = {event.customer for event in events if event.name == "Cancellation"}
        left += len(leaving)
        gone |= leaving
    assert left > 20


def test_before_the_campaign_complaints_announce_a_cancellation_and_afterwards_they_do_not() -> None:
    def share_that_had_complained(campaign: int) -> float:
        complained: set[int] = set()
        found = Counter[bool]()
        for events in days(150, 500, campaign=campaign):
            for event in events:
                if event.name == "Complaint":
                    complained.add(event.customer)
                elif event.name == "Cancellation":
                    found[event.customer in complained] += 1
        return found[True] / found.total()

    assert share_that_had_complained(10_000) > share_that_had_complained(0) + 0.3


def test_ticks_are_signed_as_the_system_checks_them() -> None:
    keys = Keys.of(Key.of("1", b"secret"), system="eu.", epoch=7)
    for ours, theirs in (
        (keys, TickKey("1", keys.ring[0].parts["ticks"], "eu.", 7)),
        (Keys.of(Key.of("", b"secret")), TickKey("", b"secret")),
    ):
        tick = signed_tick(START, "load.telecom", theirs, 3)
        assert check("tidecast.Tick", tick, ours, CUSTOMER_EVENTS, 3)
        unsigned = {"time": START, "writer": "load.telecom", "gap": None}
        assert tick == sign("tidecast.Tick", unsigned, ours, CUSTOMER_EVENTS, 3)
        assert not check("tidecast.Tick", tick, ours, CUSTOMER_EVENTS, 2)
    assert signed_tick(START, "x", NO_KEY, 0)["signature"] is None
