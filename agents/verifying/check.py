"""What every check is: a consumer of logs, each read once for all of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from agents.verifying.finding import Finding
from streams.log import Record, TopicPartition


class Check(Protocol):
    """Topics come in the order of the flow, a topic's partitions one after the other."""

    def wants(self, place: TopicPartition) -> bool:
        """Whether it reads this partition."""
        ...

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """The partition's next records."""
        ...

    def end(self, place: TopicPartition) -> None:
        """There are no more in this partition."""
        ...

    def findings(self) -> Iterator[Finding]:
        """What was found, when all is read."""
        ...
