"""confluent-kafka's clients: how they are opened, and how their errors are raised.

A client that cannot connect says only that it timed out. The reason, such as a wrong password, comes beside it, through
`error_cb`: it is kept for the sentence."""

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
"""For how long a reason explains that nothing answers."""


class Reports:
    """What the broker did not take, for `on_delivery`."""

    def __init__(self) -> None:
        self.errors: list[KafkaError] = []

    def __call__(self, error: KafkaError | None, _message: Message) -> None:
        """Called by the client with each report."""
        if error is not None:
            self.errors.append(error)

    @property
    def first(self) -> KafkaError | None:
        """The error of the first record that failed."""
        return self.errors[0] if self.errors else None


class _Heard:
    """The last reason that a client gave. It does not know its client: they would keep each other alive."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None
        self.at = 0.0

    def __call__(self, error: KafkaError) -> None:
        if error.code() in REASONS:
            self.error, self.at = error, time.monotonic()


class KafkaClient(Generic[C]):
    """A client of confluent-kafka, `raw`, whose errors are raised as Unavailable or SettingError."""

    def __init__(self, kind: Callable[[Mapping[str, Any]], C], config: Mapping[str, Any]) -> None:
        """SettingError when the client refuses its settings."""
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
        """What `call(*args, **named)` returns; its KafkaException as `error` says it."""
        try:
            return call(*args, **named)
        except KafkaException as error:
            raise self.error(doing, error.args[0]) from error

    def error(self, doing: str, error: KafkaError | None, then: str = "") -> TidecastError:
        """The error to raise. `doing`: what failed, as in "cannot …"; `error`: None for a time-out of ours; `then`: a
        sentence that says how to go on when Kafka answers again."""
        if error is None or error.code() in UNSAID:
            error = self._reason() or error
        code, text = (KafkaError._TIMED_OUT, "time-out") if error is None else (error.code(), error.str())
        return kafka_error(self.address, doing, code, text, then)

    def _reason(self) -> KafkaError | None:
        """Why nothing answers, where the client has heard it lately."""
        raw: Any = self.raw
        with suppress(RuntimeError, KafkaException, SystemError):  # it is closed, or dead
            if not (isinstance(raw, Consumer) and raw.assignment()):  # else it reads, and its poll brings records
                raw.poll(0)
        return self._heard.error if self._heard.at > time.monotonic() - HEARD_S else None


def admin(config: Mapping[str, Any]) -> KafkaClient[AdminClient]:
    """A client that asks about topics and groups, and changes them. `config`: connection settings of librdkafka."""
    return KafkaClient(AdminClient, config)


def consumer(config: Mapping[str, Any], group: str, options: Mapping[str, Any] | None = None) -> KafkaClient[Consumer]:
    """A consumer that commits nothing by itself. `group`: with the system's prefix; `options`: further settings."""
    return KafkaClient(Consumer, {**config, "group.id": group, "enable.auto.commit": False, **(options or {})})


def producer(config: Mapping[str, Any], options: Mapping[str, Any]) -> KafkaClient[Producer]:
    """A producer. `options`: how it produces."""
    return KafkaClient(Producer, {**config, **options})
