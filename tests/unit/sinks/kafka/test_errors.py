"""Messages for errors of Kafka's clients, and whether a worker waits or ends."""

import pytest
from confluent_kafka import KafkaError

from sinks.kafka.errors import ENDS, REASONS, UNSAID, kafka_error
from streams.errors import SettingError, TidecastError, Unavailable


def said(code: int, text: str = "Broker: words.", then: str = "") -> TidecastError:
    return kafka_error("host:9092", "read the topics", code, text, then)


@pytest.mark.parametrize("code", [*UNSAID, *REASONS])
def test_what_passes_is_waited_for(code: int) -> None:
    error = said(code, then="Run the command again.")
    assert type(error) is Unavailable
    assert str(error).startswith("Cannot read the topics: Kafka at host:9092 ")
    assert "TIDECAST_KAFKA" in str(error)
    assert str(error).endswith("Details: Broker: words. Run the command again.")


@pytest.mark.parametrize("code", ENDS)
def test_what_stays_is_a_setting(code: int) -> None:
    error = said(code, then="Run the command again.")
    assert type(error) is SettingError
    assert str(error).endswith("Details: Broker: words.")


def test_whatever_else_a_broker_says_is_waited_for() -> None:
    error = said(KafkaError.NOT_COORDINATOR)
    assert type(error) is Unavailable
    assert "Kafka at host:9092 rejected the request. Details: Broker: words." in str(error)
