"""Publishes the messages and ticks of a chaos run at an even pace. It waits for Kafka without a time limit."""

import threading
import time
from typing import Any

from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, Message, Producer

from load.chaos.events import DAY_MS, DAY_S, START_MS, ChaosMessage, messages
from load.ticks import signed_tick, tick_key
from load.wire import Wire
from schemas.records import TICK

TOPIC = "customer-events"
TICKS_PER_DAY = 4
CLOSING_DAYS = 6
"""Event time after the last event, in which every question closes."""


class ChaosPublisher(threading.Thread):
    """The publisher's thread. `published` counts messages that Kafka has acked, `lost` those that the client
    dropped."""

    def __init__(
        self,
        stack: dict[str, Any],
        partitions: int,
        seed: int,
        rate: float,
        seconds: float,
        day_seconds: float = DAY_S,
        hushed: threading.Event | None = None,
        wall: bool = False,
    ) -> None:
        """rate: messages per second.
        day_seconds: seconds for a day of event time.
        hushed: nothing is published while it is set.
        wall: events happen now, and the workers write the ticks."""
        super().__init__(daemon=True, name="publisher")
        self._wire = Wire(stack["registry"])
        self._key = tick_key(stack)
        self._partitions = partitions
        self._days = seconds / day_seconds
        self._day_seconds = day_seconds
        self._messages = list(messages(seed, self._days, int(rate * seconds)))
        self._hushed = hushed or threading.Event()
        self.wall = wall
        self._began_ms = int(time.time() * 1000)
        self._silences: list[tuple[int, int]] = []
        self._ticks(START_MS)  # encode everything now: the registry may be away later
        for message in self._messages:
            self._value(message)
        self._producer = Producer(
            {
                "bootstrap.servers": stack["kafka"],
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 0,
            }
        )
        self.published = 0
        self.lost = 0

    def run(self) -> None:
        """Publish all messages, then the ticks that close all questions; returns when Kafka has acked everything."""
        began, ticked = time.monotonic(), 0
        self._began_ms = int(time.time() * 1000)
        step = DAY_MS // TICKS_PER_DAY
        for message in self._messages:
            while message.time >= START_MS + (ticked + 1) * step:
                ticked += 1
                self._tick(START_MS + ticked * step)
            if self._hushed.is_set():
                began += self._be_silent(message.time)
            self._wait(began + (message.time - START_MS) / DAY_MS * self._day_seconds)
            self._publish(message)
        for day in range(CLOSING_DAYS):
            self._tick(START_MS + int((self._days + 1 + day) * DAY_MS))
        while self._producer.flush(1.0):
            pass

    def _be_silent(self, now: int) -> float:
        """Publish nothing until the silence is over; return its seconds. What follows happens that much later."""
        since = time.monotonic()
        while self._hushed.is_set():
            self._producer.poll(0.05)
        silence = time.monotonic() - since
        self._silences.append((now, int(1000 * silence)))
        return silence

    def _wait(self, until: float) -> None:
        while (ahead := until - time.monotonic()) > 0:
            self._producer.poll(min(ahead, 0.05))

    def _value(self, message: ChaosMessage) -> bytes:
        if not message.name:
            return bytes(message.record)
        record = message.record
        if self.wall:
            record = {**record, "occurred_at": self._now(record["occurred_at"])}
        return self._wire.encode(message.name, record)

    def _now(self, moment: int) -> int:
        """Return when something happens by the wall clock. An event has one time, however often it is published."""
        silent = sum(length for since, length in self._silences if moment >= since)
        return self._began_ms + int((moment - START_MS) / DAY_MS * self._day_seconds * 1000) + silent

    def _publish(self, message: ChaosMessage) -> None:
        key = message.key or message.record["customer_id"].encode()
        # explicit: a fault adds partitions, over which the client's partitioner would then spread the records
        partition = (murmur2(key) & 0x7FFFFFFF) % self._partitions
        self._producer.produce(TOPIC, self._value(message), key, partition, on_delivery=self._delivered)
        self._producer.poll(0)

    def _tick(self, moment: int) -> None:
        for partition, tick in enumerate([] if self.wall else self._ticks(moment)):
            self._producer.produce(TOPIC, tick, partition=partition)

    def _ticks(self, moment: int) -> list[bytes]:
        """Return a signed tick for each partition."""
        ticks = [signed_tick(moment, "load.chaos", self._key, partition) for partition in range(self._partitions)]
        return [self._wire.encode(TICK, tick) for tick in ticks]

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.published += 1
        else:
            self.lost += 1
