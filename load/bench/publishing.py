"""Publishing: a backlog at once, or an open loop in which every record has its moment beforehand."""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from load.bench.job import Made


class Publisher:
    """Sends what was made, and knows which moment each record was meant for."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 0.5,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        self.due: dict[tuple[int, int], float] = {}
        """(partition, offset) → the moment (perf_counter) a timed record was meant for."""
        self.behind = 0.0
        """The longest time in s by which the publisher itself was late."""

    def all(self, made: Iterable[Made]) -> None:
        """As fast as it goes."""
        for one in made:
            self._send(one)
        self._producer.flush()

    def paced(self, made: Sequence[Made], rate: int) -> None:
        """Event number n is meant for n / rate s after the start, whatever the system does: what waits because
        something before it was slow has waited since that moment (Tene, "How NOT to Measure Latency")."""
        self.behind = 0.0
        began, number = time.perf_counter() + 0.05, 0
        for one in made:
            due = began + number / rate
            while (ahead := due - time.perf_counter()) > 0:
                self._producer.poll(0)
                time.sleep(min(ahead, 0.001))
            self.behind = max(self.behind, -ahead)
            self._send(one, due)
            number += one.partition is None
        self._producer.flush()

    def _send(self, one: Made, due: float | None = None) -> None:
        def delivered(_error: KafkaError | None, message: Message) -> None:
            if due is not None:
                self.due[message.partition() or 0, message.offset() or 0] = due

        timed = delivered if due is not None and one.partition is None else None
        while True:
            try:
                if one.partition is None:
                    self._producer.produce(self._topic, one.value, one.key, on_delivery=timed)
                else:
                    self._producer.produce(self._topic, one.value, partition=one.partition)
                return
            except BufferError:
                self._producer.poll(0.1)
