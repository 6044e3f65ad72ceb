"""Guards of the Kafka producer: records are acked, and keep their order."""

import time
from typing import Any

from .patch import Guard, Patch

PRODUCER = "sinks.kafka.producer"


def _without_acks(producer: Any) -> Any:
    class ImpatientlyFlushed(producer):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            unreported = {name: value for name, value in config.items() if name != "on_delivery"}
            super().__init__(unreported | {"linger.ms": 500})  # nobody waits for records, so they may leave late

        def flush(self, timeout: float = 0.0) -> int:
            self.poll(0)
            return 0

    return ImpatientlyFlushed


def _reordering(producer: Any) -> Any:
    """Return a producer with one record per request: others are in flight behind a request that is refused and sent
    again."""
    options = {"enable.idempotence": False, "enable.gapless.guarantee": False, "batch.num.messages": 1}
    return lambda config: producer(config | options)


def _one_record_per_request(producer: Any) -> Any:
    return lambda config: producer(config | {"batch.num.messages": 1})


def _no_first_records(_: Any) -> Any:
    return lambda outputs, places: ([], outputs)


def _with_gaps(producer: Any) -> Any:
    """Return a producer that drops records after its own time-out.

    Records that wait for a broker are produced one by one, so that they do not all expire at the same moment."""

    class GapProducer:
        def __init__(self, config: Any) -> None:
            self.real = producer(config | {"delivery.timeout.ms": 2000, "enable.gapless.guarantee": False})

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def produce(self, *arguments: Any, **named: Any) -> None:
            self.real.produce(*arguments, **named)
            if len(self.real) > 20:
                time.sleep(0.01)

    return GapProducer


_MISDIRECTED = "a link to Kafka that misdirects single requests: the broker refuses them as after a change of leader"
GUARDS = {
    "acks": Guard(
        "Nothing is committed before its outputs are acked.",
        "scoring.committed kill (without the guard, records leave after half a second); Kafka killed",
        (Patch(PRODUCER, "Producer", _without_acks),),
    ),
    "idempotence": Guard(
        "The client's own retries neither repeat nor reorder records.",
        _MISDIRECTED,
        (Patch(PRODUCER, "Producer", _reordering),),
    ),
    "first-alone": Guard(
        "The broker knows a producer before it has more than one request in flight.",
        _MISDIRECTED,
        (Patch(PRODUCER, "Producer", _one_record_per_request), Patch(PRODUCER, "_firsts", _no_first_records)),
    ),
    "gapless": Guard(
        "No record is written behind one that failed.",
        "Kafka stalled for longer than the client tries (2 s here), then healed",
        (Patch(PRODUCER, "Producer", _with_gaps),),
    ),
}
