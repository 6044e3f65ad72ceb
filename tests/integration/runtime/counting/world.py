"""Topics, processes and expected results of the counting stage."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from sinks.redis.stage_store import RedisStageStore
from tests.integration.conftest import Stack
from tests.integration.runtime.counting.stage import SINK, SOURCE, STAGE, chained, unpacked
from tests.waiting import PATIENCE_S, exit_code

PARTITIONS = 4
GROUP = "tidecast-counting"
_numbers = count()


class World:
    """A counting system with its own topics in a stack."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.prefix = f"counting-{os.getpid()}-{next(_numbers)}-"
        self.kafka = {"bootstrap.servers": stack.kafka, "log_level": 0}
        self.admin = AdminClient(self.kafka)
        new = [NewTopic(self.prefix + name, PARTITIONS, 1) for name in (SOURCE, SINK)]
        for future in self.admin.create_topics(new).values():
            future.result()
        self.store = RedisStageStore(redis.Redis.from_url(stack.redis), 0, self.prefix)
        self.sent: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self._producer = Producer({**self.kafka, "enable.idempotence": True, "linger.ms": 5})
        self._children: list[subprocess.Popen[bytes]] = []

    def send(self, records: int, size: int = 20) -> None:
        """Produce this many records over all partitions and flush them."""
        for number in range(records):
            partition = number % PARTITIONS
            self.send_one(partition, b"%d.%d" % (partition, len(self.sent[partition])) + b"." * size)
        self.flush()

    def flush(self) -> None:
        """Wait until all records sent so far are in the log."""
        assert self._producer.flush(PATIENCE_S) == 0

    def send_one(self, partition: int, value: bytes) -> None:
        """Produce one record without a flush."""
        while True:
            try:
                self._producer.produce(self.prefix + SOURCE, value, partition=partition)
                break
            except BufferError:
                self._producer.poll(0.1)
        self.sent[partition].append(value)

    def start(self, kind: str = "a", *arguments: object, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a worker process."""
        command = [sys.executable, "-m", "tests.integration.runtime.counting", kind, *map(str, arguments)]
        env = {**self.stack.env, "TIDECAST_TOPIC_PREFIX": self.prefix, **environment}
        root = Path(__file__).parents[4]
        with open(self.log(kind), "ab") as log:
            child = subprocess.Popen(command, env=env, cwd=root, stderr=log, stdin=subprocess.DEVNULL)
        self._children.append(child)
        return child

    def log(self, kind: str) -> Path:
        """Return the path of a worker's log."""
        return self.stack.folder / "logs" / f"{self.prefix}{kind}.log"

    def health(self, kind: str, path: str = "readyz") -> tuple[int, str]:
        """Return status and body of a worker's endpoint. The status is 0 when it does not answer."""
        try:
            address = (self.stack.folder / "run" / f"{kind}.0.health").read_text().strip()
            with urllib.request.urlopen(f"{address}/{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def ready(self, kind: str) -> bool:
        """Return whether a worker is ready."""
        return self.health(kind)[0] == 200

    def counted(self) -> list[tuple[int, int]]:
        """Return the stored (count, checksum) of each partition."""
        found = [self.store.read(STAGE, SOURCE, partition) for partition in range(PARTITIONS)]
        return [unpacked(kept[1]) if kept else (0, 0) for kept in found]

    def total(self) -> int:
        """Return the number of records counted so far."""
        return sum(records for records, _ in self.counted())

    def expected(self) -> list[tuple[int, int]]:
        """Return the (count, checksum) of each partition from everything that was sent."""
        result = []
        for values in self.sent:
            checksum = 0
            for value in values:
                checksum = chained(checksum, value)
            result.append((len(values), checksum))
        return result

    def done(self) -> bool:
        """Return whether everything sent has been counted. Raise AssertionError when no worker is left."""
        if self.total() >= sum(map(len, self.sent)):
            return True
        assert any(child.poll() is None for child in self._children), self._said()
        return False

    def _said(self) -> str:
        """Return the end of the workers' logs."""
        logs = (self.stack.folder / "logs").glob(f"{self.prefix}*.log")
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in logs)

    def outputs(self) -> list[list[int]]:
        """Return all emitted offsets of each partition in log order."""
        found: list[list[int]] = [[] for _ in range(PARTITIONS)]
        ended = set()
        # the broker would hold the last fetch for half a second
        reader = Consumer({**self.kafka, "group.id": "reader", "enable.partition.eof": True, "fetch.wait.max.ms": 10})
        reader.assign([TopicPartition(self.prefix + SINK, place, OFFSET_BEGINNING) for place in range(PARTITIONS)])
        try:
            while len(ended) < PARTITIONS:
                message = reader.poll(PATIENCE_S)
                assert message is not None, "Kafka returned no message"
                if message.error() is None:
                    found[message.partition()].append(int(message.value()))
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
            return found
        finally:
            reader.close()

    def check(self) -> None:
        """Check that no record is lost or counted twice. A reader with a mark must see each output once, in order."""
        assert self.counted() == self.expected()
        for partition, outputs in enumerate(self.outputs()):
            mark = -1
            for offset in outputs:
                assert offset <= mark + 1, (partition, offset, mark)
                mark = max(mark, offset)
            assert mark == len(self.sent[partition]) - 1

    def group_offsets(self) -> list[int]:
        """Return the group's committed offsets. Tools use them as a hint."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        asked = ConsumerGroupTopicPartitions(self.prefix + GROUP)
        [future] = self.admin.list_consumer_group_offsets([asked]).values()
        found = {place.partition: place.offset for place in future.result().topic_partitions}
        return [found.get(partition, 0) for partition in range(PARTITIONS)]

    def close(self) -> None:
        """Kill the processes that are still running."""
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait()


@contextmanager
def world(stack: Stack) -> Iterator[World]:
    """Create a world and kill its processes at the end."""
    made = World(stack)
    try:
        yield made
    finally:
        made.close()


def ended(child: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> int:
    """Send a signal. Return the exit code."""
    child.send_signal(number)
    return exit_code(child)
