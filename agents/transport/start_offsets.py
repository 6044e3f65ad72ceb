"""Decides where to read a partition from. A position that the log no longer holds is an error, never a silent jump."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.errors import LogGap
from streams.log import TopicPartition

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaOffsets:
    """Kafka's offsets of a partition: first one kept, next one to be written, and the group's (0: none)."""

    first: int
    end: int
    group: int


def start_of(group: str, place: TopicPartition, position: int, kept: KafkaOffsets, stateless: bool = False) -> int:
    """Return the offset to read from, given the stored `position` (0: nothing stored).

    Raises LogGap when records after the position are gone, when the log ends before the position, or when the group
    has reported an offset and the store has no position: a stage never starts afresh by itself. A `stateless` stage
    does, because its outputs depend on nothing before them and may be written twice."""
    name = f"{place.topic}[{place.partition}]"
    if position == 0:
        if kept.group > 0 and not stateless:
            raise LogGap(
                f"the state of {group} has no position for {name}, but its group has reported offset {kept.group}: "
                "state was lost, or this is another store. Check the store's address; if it is right, stop the workers "
                "and run `tidecast rebuild`."
            )
        return kept.first
    if position < kept.first:
        raise LogGap(
            f"{group} is at {position} in {name}, but the log begins at {kept.first}: records in between were deleted "
            "before they were processed; restore them, or deploy into new topics, with a longer retention."
        )
    if position > kept.end:
        raise LogGap(
            f"{group} is at {position} in {name}, but the log ends at {kept.end}: the log lost records that were "
            "processed already; restore it, or deploy into new topics."
        )
    return position


def starts_of(
    group: str,
    places: Sequence[TopicPartition],
    found: Mapping[TopicPartition, int],
    kept: Mapping[TopicPartition, KafkaOffsets],
    stateless: bool,
) -> dict[TopicPartition, int]:
    """Return `start_of` for each partition; `found` holds the stored positions."""
    again = [place for place in places if stateless and not found.get(place) and kept[place].group]
    if again:
        log.warning(
            "%s has no positions in %d partitions: it processes them again from their beginning", group, len(again)
        )
    return {place: start_of(group, place, found.get(place, 0), kept[place], stateless) for place in places}
