"""The protocol of a check: a consumer of logs. Each log is read once for all checks."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from agents.verifying.finding import Finding
from streams.log import Record, TopicPartition


class Check(Protocol):
    """Consumes logs: topics in the order of the flow, the partitions of a topic one after the other."""

    def wants(self, place: TopicPartition) -> bool:
        """Return whether it reads this partition."""
        ...

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """Take the partition's next records."""
        ...

    def end(self, place: TopicPartition) -> None:
        """End a partition: no more records follow."""
        ...

    def findings(self) -> Iterator[Finding]:
        """Return the findings when everything is read."""
        ...
