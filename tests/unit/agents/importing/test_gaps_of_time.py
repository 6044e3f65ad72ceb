"""Ticks over empty time: in proportion to the messages, never to a value."""

from agents.importing.ordering import EMPTY_MS, EMPTY_TICKS, Message, TickAt, with_ticks

HOUR = 3_600_000
DAY = 24 * HOUR


def ticks(every: int, *moments: int, until: int | None = None) -> list[TickAt]:
    messages = [Message(moment, place, "c", b"") for place, moment in enumerate(moments)]
    return [item for item in with_ticks(messages, every, until) if isinstance(item, TickAt)]


def test_one_row_of_the_year_one_costs_two_ticks_and_not_one_for_each_day() -> None:
    first, last = -62_135_596_800_000, 1_700_000_000_000
    found = ticks(DAY, first, last)
    assert len(found) == 3
    assert [tick.gap for tick in found] == [False, True, False]
    assert found[0].time == first
    assert found[1].time < last <= found[1].time + DAY
    assert found[2].time == last


def test_time_that_is_merely_quiet_has_all_its_ticks() -> None:
    found = ticks(HOUR, 0, EMPTY_MS)
    assert len(found) == EMPTY_MS // HOUR + 1
    assert not any(tick.gap for tick in found)
    assert len(ticks(30 * DAY, 0, EMPTY_TICKS * 30 * DAY)) == EMPTY_TICKS + 1


def test_after_a_gap_each_tick_comes_again() -> None:
    found = ticks(DAY, 0, 400 * DAY, 401 * DAY + 5)
    assert [tick.time // DAY for tick in found] == [0, 399, 400, 401, 401]
    assert [tick.gap for tick in found] == [False, True, False, False, False]
