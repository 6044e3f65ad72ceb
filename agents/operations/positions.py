"""The position of a stage, as `tidecast status` shows it."""

from dataclasses import dataclass

from streams.log import TopicPartition


@dataclass(frozen=True, slots=True)
class StagePosition:
    """The position of a stage in a partition, as its store has it.

    group: the consumer group, without the prefix. lag: records that are not processed. A learner processes records that
    its position, that of its last snapshot, does not hold yet."""

    stage: str
    group: str
    topic: str
    partition: int
    next_offset: int
    lag: int = 0

    @property
    def place(self) -> TopicPartition:
        """The partition."""
        return TopicPartition(self.topic, self.partition)
