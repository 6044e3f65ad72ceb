"""Only outputs above the mark of the source partition's last transaction are sent."""

from typing import Any

import pytest

from sinks.kafka.transactional import Mark, unsent
from streams.errors import PositionConflict
from streams.log import Output, TopicPartition

EVENTS = [TopicPartition("customer-events", number) for number in range(3)]


def caused(partition: int, offset: int, ordinal: int, epoch: int = 1) -> Output:
    source: dict[str, Any] = {
        "topic": "customer-events",
        "epoch": epoch,
        "partition": partition,
        "offset": offset,
        "ordinal": ordinal,
    }
    return Output("predictions", partition, None, b"%d.%d" % (offset, ordinal), source)


def values(found: dict[TopicPartition, tuple[Mark, list[Output]]]) -> dict[int, tuple[Mark, list[bytes]]]:
    return {place.partition: (mark, [output.value for output in kept]) for place, (mark, kept) in found.items()}


def test_without_a_mark_all_is_sent_by_the_partition_that_caused_it() -> None:
    outputs = [caused(1, 4, 0), caused(0, 9, 0), caused(1, 4, 1), caused(1, 6, 0)]
    found = unsent(outputs, dict.fromkeys(EVENTS))
    assert values(found) == {1: ((1, 6, 0), [b"4.0", b"4.1", b"6.0"]), 0: ((1, 9, 0), [b"9.0"])}


@pytest.mark.parametrize(
    ("mark", "left"),
    [
        ((1, 3, 7), [b"4.0", b"4.1", b"5.0"]),
        ((1, 4, 0), [b"4.1", b"5.0"]),  # in the middle of a record's outputs: a restart may cut slices elsewhere
        ((1, 4, 1), [b"5.0"]),
        ((0, 9, 9), [b"4.0", b"4.1", b"5.0"]),  # from an earlier log epoch
    ],
)
def test_what_is_not_above_the_mark_was_sent(mark: Mark, left: list[bytes]) -> None:
    outputs = [caused(0, 4, 0), caused(0, 4, 1), caused(0, 5, 0)]
    assert values(unsent(outputs, {EVENTS[0]: mark})) == {0: ((1, 5, 0), left)}


def test_a_partition_of_which_all_was_sent_needs_no_transaction() -> None:
    outputs = [caused(0, 4, 0), caused(1, 4, 0)]
    assert values(unsent(outputs, {EVENTS[0]: (1, 4, 0), EVENTS[1]: None})) == {1: ((1, 4, 0), [b"4.0"])}


def test_nothing_is_sent_for_a_partition_that_is_not_ours() -> None:
    with pytest.raises(PositionConflict, match=r"customer-events\[2\]"):
        unsent([caused(2, 0, 0)], {EVENTS[0]: None})
