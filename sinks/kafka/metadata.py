"""The metadata of a group's offset: a short text with an end mark of its own.

librdkafka returns such texts without their end, because it copies no terminating zero, so that other bytes may follow.
Seen with 2.16: "4" came back as "4\\x81"."""

from confluent_kafka import TopicPartition

END = ";"


def metadata_of(text: str) -> str:
    """Return the metadata to commit for a text, which must not contain END."""
    return text + END


def metadata_text(place: TopicPartition) -> str:
    """Return the text in the metadata of a partition's offset; "" when there is none of ours."""
    try:
        found = place.metadata or ""
    except UnicodeDecodeError as error:
        found = bytes(error.object).decode("latin-1")
    text, end, _ = found.partition(END)
    return text if end else ""
