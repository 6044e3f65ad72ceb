"""Opens confluent-kafka's clients, and raises their errors as ours.

A client that cannot connect reports only that it timed out. The reason, such as a wrong password, arrives separately
through `error_cb`. It is kept for the message."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from sinks.kafka.errors import REASONS, UNSAID, kafka_error
from streams.errors import SettingError, TidecastError

C = TypeVar("C")
T = TypeVar("T")
HEARD_S = 30.0
"""Seconds for which a reason explains a time-out."""


class Reports:
    """Collects records that the broker did not accept, as `on_delivery`."""

    def __init__(self) -> None:
        self.errors: list[KafkaError] = []

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        """Take a delivery report of the client."""
        if error is not None:
            self.errors.append(error)

    @property
    def first(self) -> KafkaError | None:
        """Return the error of the first record that failed."""
        return self.errors[0] if self.errors else None


class _Heard:
    """Keeps the last reason that a client gave. It holds no reference to the client, to avoid a reference cycle."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None
        self.at = 0.0

    def __call__(self, error: KafkaError) -> None:
        if error.code() in REASONS:
            self.error, self.at = error, time.monotonic()


class KafkaClient(Generic[C]):
    """Wraps a client of confluent-kafka, `raw`, and raises its errors as Unavailable or SettingError."""

    def __init__(self, kind: Callable[[Mapping[str, Any]], C], config: Mapping[str, Any]) -> None:
        """Open the client. Raises SettingError when it refuses its settings."""
        self.address = str(config["bootstrap.servers"])
        self._heard = _Heard()
        try:
            self.raw = kind({"log_level": 0, **config, "error_cb": self._heard})
        except KafkaException as error:
            raise SettingError(
                f"The settings of Kafka at {self.address} are wrong: {error.args[0].str()}; check the TIDECAST_KAFKA_… "
                "variables and TIDECAST_CA_FILE."
            ) from error

    def ask(self, doing: str, call: Callable[..., T], *args: Any, **named: Any) -> T:
        """Return `call(*args, **named)`. Raises the error that `error` makes of its KafkaException."""
        try:
            return call(*args, **named)
        except KafkaException as error:
            raise self.error(doing, error.args[0]) from error

    def error(self, doing: str, error: KafkaError | None, then: str = "") -> TidecastError:
        """Return the error to raise.

        doing: what failed, as in "cannot …". error: None for a time-out of ours. then: a sentence that says how to
        continue when Kafka answers again."""
        if error is None or error.code() in UNSAID:
            error = self._reason() or error
        code, text = (KafkaError._TIMED_OUT, "time-out") if error is None else (error.code(), error.str())
        return kafka_error(self.address, doing, code, text, then)

    def _reason(self) -> KafkaError | None:
        """Return why nothing answers, if the client has reported a reason lately."""
        raw: Any = self.raw
        with suppress(RuntimeError, KafkaException, SystemError):  # it is closed, or dead
            if not (isinstance(raw, Consumer) and raw.assignment()):  # else it reads, and its poll brings records
                raw.poll(0)
        return self._heard.error if self._heard.at > time.monotonic() - HEARD_S else None


def admin(config: Mapping[str, Any]) -> KafkaClient[AdminClient]:
    """Open an admin client for topics and groups. `config`: connection settings of librdkafka."""
    return KafkaClient(AdminClient, config)


def consumer(config: Mapping[str, Any], group: str, options: Mapping[str, Any] | None = None) -> KafkaClient[Consumer]:
    """Open a consumer that commits nothing by itself. `group`: with the prefix; `options`: further settings."""
    return KafkaClient(Consumer, {**config, "group.id": group, "enable.auto.commit": False, **(options or {})})


def producer(config: Mapping[str, Any], options: Mapping[str, Any]) -> KafkaClient[Producer]:
    """Open a producer. `options`: further settings."""
    return KafkaClient(Producer, {**config, **options})
