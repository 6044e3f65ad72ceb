"""What is told beside an offset of a group: a short text with an end of its own.

librdkafka hands such texts out without their end (it copies no terminating zero), so that what lay in memory before
may follow; seen with 2.16: "4" came back as "4\\x81"."""

from confluent_kafka import TopicPartition

END = ";"


def written(text: str) -> str:
    """The text as it is to be committed; it must not hold END."""
    return text + END


def told_beside(place: TopicPartition) -> str:
    """The text beside the offset of a partition; "" when there is none, or none of ours."""
    try:
        found = place.metadata or ""
    except UnicodeDecodeError as error:
        found = bytes(error.object).decode("latin-1")
    text, end, _ = found.partition(END)
    return text if end else ""
