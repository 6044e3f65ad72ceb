import pytest

from agents.transport.start_offsets import KafkaOffsets, start_of, starts_of
from streams.errors import LogGap
from streams.log import TopicPartition

PLACE = TopicPartition("customer-events", 3)


def start(position: int, first: int, end: int, group: int = 0) -> int:
    return start_of("scoring", PLACE, position, KafkaOffsets(first, end, group))


@pytest.mark.parametrize(
    ("position", "first", "end", "group", "expected"),
    [
        (0, 0, 0, 0, 0),  # a new log
        (0, 0, 50, 0, 0),  # nothing processed yet
        (0, 20, 50, 0, 20),  # nothing processed yet, and retention deleted the beginning
        (20, 20, 50, 20, 20),  # at the first kept record
        (50, 0, 50, 40, 50),  # all processed; the group's offset is a lower bound
    ],
)
def test_where_reading_starts(position: int, first: int, end: int, group: int, expected: int) -> None:
    assert start(position, first, end, group) == expected


@pytest.mark.parametrize(
    ("position", "first", "end", "group", "said"),
    [
        (19, 20, 50, 0, "the log begins at 20"),
        (51, 0, 50, 0, "the log ends at 50"),
        (0, 0, 50, 1, "state was lost.* run `tidecast rebuild`"),
    ],
)
def test_what_the_log_no_longer_holds_is_an_error(position: int, first: int, end: int, group: int, said: str) -> None:
    with pytest.raises(LogGap, match=said) as caught:
        start(position, first, end, group)
    assert "customer-events[3]" in str(caught.value)


def test_history_starts_again_where_clickhouse_was_emptied(caplog: pytest.LogCaptureFixture) -> None:
    other = TopicPartition("customer-events", 4)
    kept = {PLACE: KafkaOffsets(20, 50, 40), other: KafkaOffsets(0, 50, 0)}
    assert starts_of("history", [PLACE, other], {}, kept, True) == {PLACE: 20, other: 0}
    assert "history has no positions in 1 partitions" in caplog.text
    with pytest.raises(LogGap, match=r"rebuild"):
        starts_of("scoring", [PLACE, other], {}, kept, False)
    with pytest.raises(LogGap, match=r"begins at 20"):
        starts_of("history", [PLACE], {PLACE: 19}, kept, True)
