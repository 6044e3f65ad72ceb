import pytest
from aiokafka import errors

from agents.transport.errors import aiokafka_errors
from streams.errors import SettingError, Unavailable


@pytest.mark.parametrize(
    ("raised", "kind", "told"),
    [
        (errors.TopicAuthorizationFailedError("events"), SettingError, "does not let this user use the topic"),
        (errors.GroupAuthorizationFailedError("group"), SettingError, "does not let this user use the consumer group"),
        (errors.CoordinatorNotAvailableError(), Unavailable, "rejected the request"),
        (errors.KafkaConnectionError("no broker"), Unavailable, "does not answer"),
        (errors.KafkaTimeoutError(), Unavailable, "does not answer"),
        (TimeoutError(), Unavailable, "does not answer"),
    ],
)
def test_an_error_of_aiokafka_is_said_as_any_other_of_kafka(raised: Exception, kind: type, told: str) -> None:
    words = rf"Cannot read: Kafka at host:9092 {told}.* Details: \S"
    with pytest.raises(kind, match=words), aiokafka_errors("host:9092", "read"):
        raise raised


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError), aiokafka_errors("host:9092", "read"):
        raise ValueError
