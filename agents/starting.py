"""Where a partition may be read from: a position that the log no longer holds is an error, never a silent jump."""

from dataclasses import dataclass

from streams.errors import LogGap
from streams.log import TopicPartition


@dataclass(frozen=True, slots=True)
class Kept:
    """What Kafka knows of a partition: first offset kept, next offset to be written, the group's offset (0: none)."""

    first: int
    end: int
    group: int


def start_of(group: str, place: TopicPartition, position: int, kept: Kept) -> int:
    """The offset to read from, given the stored `position` (0: nothing stored).

    LogGap when records between the position and what is kept are gone, when the log ends before the position, or
    when the group has been somewhere and the store knows of nothing (DESIGN: never a fresh start)."""
    name = f"{place.topic}[{place.partition}]"
    if position == 0:
        if kept.group > 0:
            raise LogGap(
                f"the state of {group} has no position for {name}, but its group has been at {kept.group}: state was "
                "lost; restore the store from its backup, or delete the consumer group to work the log off again."
            )
        return kept.first
    if position < kept.first:
        raise LogGap(
            f"{group} is at {position} in {name}, but the log begins at {kept.first}: records in between were deleted "
            "before they were worked off; restore them, or deploy into new topics, with a longer retention."
        )
    if position > kept.end:
        raise LogGap(
            f"{group} is at {position} in {name}, but the log ends at {kept.end}: the log lost records that were "
            "worked off already; restore it, or deploy into new topics."
        )
    return position
