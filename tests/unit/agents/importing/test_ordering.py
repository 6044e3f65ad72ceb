"""Sorting on disk, and ticks between messages."""

from hypothesis import given
from hypothesis import strategies as st

from agents.importing.ordering import Message, Sorter, TickAt, with_ticks

times = st.lists(st.integers(-50, 50), max_size=60)


def messages_of(moments: list[int]) -> list[Message]:
    return [Message(time, order, f"c{order % 7}", b"v%d" % order) for order, time in enumerate(moments)]


@given(times, st.integers(1, 70))
def test_any_run_length_gives_the_stable_order(moments: list[int], run: int) -> None:
    messages = messages_of(moments)
    with Sorter(run) as sorter:
        for message in messages:
            sorter.add(message)
        assert list(sorter.messages()) == sorted(messages)
        assert sorter.count == len(messages)


@given(times, st.integers(1, 20), st.none() | st.integers(-60, 90))
def test_ticks_tell_exactly_what_has_gone_before(moments: list[int], every: int, until: int | None) -> None:
    """A tick at t comes after all messages <= t and before any later one."""
    messages = sorted(messages_of(moments))
    items = list(with_ticks(messages, every, until))
    assert [item for item in items if isinstance(item, Message)] == messages
    ticks = [item.time for item in items if isinstance(item, TickAt)]
    assert ticks == sorted(set(ticks))
    for place, item in enumerate(items):
        if isinstance(item, TickAt):
            assert all(other.time <= item.time for other in items[:place])
            assert all(other.time > item.time for other in items[place + 1 :])
    if messages:
        first, last = messages[0].time, messages[-1].time
        end = last if until is None or until < last else until
        expected = {t for t in range(first, end) if t % every == 0} | {last, end}
        assert set(ticks) == expected
    else:
        assert ticks == ([] if until is None else [until])
