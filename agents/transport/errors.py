"""What aiokafka's errors mean, in the same words as those of the other Kafka client."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import BrokerResponseError, KafkaError
from confluent_kafka import KafkaError as Code

from sinks.kafka.errors import kafka_error
from streams.errors import TidecastError


@contextmanager
def aiokafka_errors(address: str, doing: str) -> Iterator[None]:
    """Translate errors of aiokafka inside the block to Unavailable or SettingError. A time-out of our own becomes
    Unavailable."""
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise translated(address, doing, error) from error


def translated(address: str, doing: str, error: KafkaError | TimeoutError) -> TidecastError:
    """Return the error to raise. `doing`: what failed, as in "cannot …"."""
    code = error.errno if isinstance(error, BrokerResponseError) else Code._TIMED_OUT
    return kafka_error(address, doing, code, " ".join(str(error).split()) or type(error).__name__)
