"""Offset metadata ends at its terminator. Anything that the client adds after it is ignored."""

import pytest
from confluent_kafka import TopicPartition

from sinks.kafka.metadata import metadata_of, metadata_text


@pytest.mark.parametrize("garbage", ["", "7", "é", "; ;"])
def test_what_follows_the_end_is_not_read(garbage: str) -> None:
    assert metadata_text(TopicPartition("t", 0, 5, metadata=metadata_of("1.42") + garbage)) == "1.42"


@pytest.mark.parametrize("metadata", [None, "", "1.42", "note of somebody else"])
def test_what_is_not_ours_is_nothing(metadata: str | None) -> None:
    place = TopicPartition("t", 0, 5) if metadata is None else TopicPartition("t", 0, 5, metadata=metadata)
    assert metadata_text(place) == ""


def test_bytes_that_are_no_text_do_no_harm() -> None:
    class Broken(TopicPartition):
        """A partition as the client creates it when the extra bytes are not UTF-8."""

        @property
        def metadata(self) -> str:
            return b"1.42;\x81".decode()

    assert metadata_text(Broken("t", 0, 5)) == "1.42"
