"""A downstream reader: reads predictions as they come, keeps one mark per source partition, and times silences."""

import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from load.wire import Wire
from schemas.catalog import Decoded
from schemas.marks import HighWater
from schemas.records import LABELLED_EXAMPLE, PREDICTION, SWITCH, LabelledExampleRecord, PredictionRecord, SwitchRecord

PREDICTIONS, EXAMPLES, CONTROLS = "predictions", "labelled-examples", "customer-events"


class ChaosReader(threading.Thread):
    """The reader's thread, and what it has counted.

    predictions: new ones, by their marks. repeated: dropped by the marks. twice: repetitions that the marks missed.
    examples: labelled examples per target. unsaved: switches that came before their snapshots were stored."""

    def __init__(self, stack: dict[str, Any], models: Path, partitions: int, targets: int, marks: bool = True) -> None:
        """`models`: folder of the model store. `marks`: False for a reader without marks, which relies on
        transactions."""
        super().__init__(daemon=True, name="reader")
        self._wire = Wire(stack["registry"])
        self._consumer = Consumer(
            {
                "bootstrap.servers": stack["kafka"],
                "group.id": "chaos-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        sources = [(PREDICTIONS, partition) for partition in range(partitions)]
        sources += [(EXAMPLES, partition) for partition in range(targets)]
        sources += [(CONTROLS, partition) for partition in range(partitions)]
        self._consumer.assign([TopicPartition(*source, OFFSET_BEGINNING) for source in sources])
        self._models = models
        self._keeps_marks = marks
        self._marks: HighWater[tuple[str, int, int]] = HighWater()
        self._seen: set[tuple[int, int, int]] = set()
        self.predictions = 0
        self.repeated = 0
        self.twice = 0
        self.unsaved = 0
        self.examples: Counter[str] = Counter()
        self._stamps: list[float] = []
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until `end` is called."""
        while not self._ended.is_set():
            for message in self._consumer.consume(2000, 0.1):
                if message.error() is None:
                    self._take(message)
        self._consumer.close()

    def end(self) -> None:
        """Stop reading; returns when the thread has ended."""
        self._ended.set()
        self.join()

    def silence(self, until: float) -> float:
        """Return the longest time between two predictions, or from the last one to `until` (seconds since 1970), in
        seconds.

        Times are the broker's."""
        stamps = sorted(stamp for stamp in self._stamps if stamp <= until)
        return max((later - stamp for stamp, later in pairwise([*stamps, until])), default=0.0)

    def _take(self, message: Message) -> None:
        if message.topic() == CONTROLS and message.key() is not None:
            return  # an event, valid or not
        name, record = self._decoded(message.value())
        if name == SWITCH:
            self._switch(record)
        elif name in (PREDICTION, LABELLED_EXAMPLE):
            self._output(name, record, message)

    def _switch(self, switch: SwitchRecord) -> None:
        self.unsaved += not list(self._models.glob(f"*/{switch['snapshot']}"))

    def _output(self, name: str, record: PredictionRecord | LabelledExampleRecord, message: Message) -> None:
        topic, partition, source = message.topic(), message.partition(), record["source"]
        key = (topic, partition, source["partition"])
        known = not self._marks.advance(key, source)
        if name == LABELLED_EXAMPLE:
            self.examples[record["target"]] += not known
        else:
            self._stamps.append(message.timestamp()[1] / 1000)
            self._prediction((source["partition"], source["offset"], source["ordinal"]), known)

    def _decoded(self, value: bytes) -> tuple[str, Decoded]:
        while True:
            try:
                return self._wire.decode(value)
            except OSError:  # a new schema while the registry is away
                time.sleep(0.2)

    def _prediction(self, id: tuple[int, int, int], known: bool) -> None:
        if known and self._keeps_marks:
            self.repeated += 1
            return
        self.twice += id in self._seen
        self.predictions += 1
        self._seen.add(id)
