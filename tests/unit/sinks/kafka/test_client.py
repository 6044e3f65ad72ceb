"""Clients with addresses at which no broker runs."""

from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from sinks.kafka.client import HEARD_S, KafkaClient, Reports, admin, consumer, producer
from streams.errors import SettingError, Unavailable
from tests.waiting import until

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}


def test_a_client_of_each_kind_says_that_nothing_answers() -> None:
    asking, reading, writing = admin(NOWHERE), consumer(NOWHERE, "group"), producer(NOWHERE, {"acks": "all"})
    calls: list[tuple[KafkaClient[Any], Any, tuple[Any, ...]]] = [
        (asking, asking.raw.list_topics, ()),
        (reading, reading.raw.get_watermark_offsets, (TopicPartition("topic", 0),)),
        (writing, writing.raw.list_topics, ()),
    ]
    for client, call, arguments in calls:
        with pytest.raises(Unavailable, match=r"Cannot ask: Kafka at 127\.0\.0\.1:1 does not answer; check"):
            client.ask("ask", call, *arguments, timeout=0.1)
    reading.raw.close()


def test_the_reason_is_said_that_a_client_gives_beside_the_error() -> None:
    client = admin({"bootstrap.servers": "nowhere.invalid:9092"})

    def said() -> bool:
        with pytest.raises(Unavailable) as told:
            client.ask("ask", client.raw.list_topics, timeout=0.1)
        return "has an unknown host name; check TIDECAST_KAFKA" in str(told.value)

    until(said)


def test_a_reason_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    client, now = admin(NOWHERE), 100.0
    monkeypatch.setattr("sinks.kafka.client.time.monotonic", lambda: now)
    client._heard(KafkaError(KafkaError._AUTHENTICATION, "wrong"))
    assert "refuses the user or the password" in str(client.error("ask", None))
    now += HEARD_S + 1
    assert "does not answer" in str(client.error("ask", None))


def test_a_reason_does_not_stand_before_what_the_broker_says() -> None:
    client = admin(NOWHERE)
    client._heard(KafkaError(KafkaError._AUTHENTICATION, "wrong"))
    assert "rejected the request" in str(client.error("ask", KafkaError(KafkaError.NOT_COORDINATOR)))


def test_a_closed_consumer_has_no_reason() -> None:
    client = consumer(NOWHERE, "group")
    client.raw.close()
    assert isinstance(client.error("ask", None), Unavailable)


def test_settings_that_the_client_refuses_are_said() -> None:
    with pytest.raises(SettingError, match=r"settings of Kafka at .* are wrong: .*ssl\.ca.*TIDECAST_CA_FILE"):
        admin({**NOWHERE, "security.protocol": "SSL", "ssl.ca.location": "/nowhere"})


def test_reports_keep_what_was_not_delivered() -> None:
    reports = Reports()
    reports(None, None)
    assert reports.first is None
    first = KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)
    reports(first, None)
    reports(KafkaError(KafkaError._MSG_TIMED_OUT), None)
    assert reports.first is first and len(reports.errors) == 2
