"""The emitter on a real Kafka. It returns after all acknowledgements and keeps the order. Its errors say what to do."""

from collections.abc import Callable

import psutil
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from agents.stack.place import read_place
from agents.stack.supervise import up
from sinks.kafka import producer as producing
from sinks.kafka.producer import KafkaEmitter
from streams.errors import TidecastError, Unavailable
from streams.log import Output
from tests.integration.conftest import Stack
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.integration
PARTITIONS = 3
Read = Callable[[int], list[tuple[bytes | None, bytes]]]


@pytest.fixture
def topic(stack: Stack, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("[", "-").rstrip("]")
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result()
    return name


@pytest.fixture
def read(stack: Stack, topic: str) -> Read:
    def records(partition: int) -> list[tuple[bytes | None, bytes]]:
        prompt = {"enable.partition.eof": True, "fetch.wait.max.ms": 10}
        reader = Consumer({"bootstrap.servers": stack.kafka, "group.id": "reader", **prompt})
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        found = []
        while (message := reader.poll(PATIENCE_S)) is not None and message.error() is None:
            found.append((message.key(), message.value()))
        reader.close()
        return found

    return records


def emitter(stack: Stack, topic: str) -> KafkaEmitter:
    return KafkaEmitter({"bootstrap.servers": stack.kafka, "log_level": 0}, lambda name: {"out": topic}[name])


def outputs(numbers: range) -> list[Output]:
    return [Output("out", number % PARTITIONS, b"k%d" % number, b"v%d" % number) for number in numbers]


def expected(numbers: range, partition: int) -> list[tuple[bytes | None, bytes]]:
    return [(b"k%d" % n, b"v%d" % n) for n in numbers if n % PARTITIONS == partition]


def test_all_are_in_their_partition_in_order_when_it_returns(stack: Stack, topic: str, read: Read) -> None:
    ours = emitter(stack, topic)
    ours.emit([])
    for start in range(0, 9_000, 3_000):
        ours.emit(outputs(range(start, start + 3_000)))
    for partition in range(PARTITIONS):
        assert read(partition) == expected(range(9_000), partition)


def test_a_full_queue_is_waited_for(stack: Stack, topic: str, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = emitter(stack, topic)
    ours._config["queue.buffering.max.messages"] = 100
    ours.emit(outputs(range(3_000)))
    for partition in range(PARTITIONS):
        assert read(partition) == expected(range(3_000), partition)


@pytest.mark.parametrize("size", [2 << 20, 5 << 20])  # above the topic's limit, above the client's limit
def test_too_large_a_record_is_said_so(stack: Stack, topic: str, size: int) -> None:
    with pytest.raises(TidecastError, match="too large") as caught:
        emitter(stack, topic).emit([Output("out", 0, None, b"x" * size)])
    assert not isinstance(caught.value, Unavailable)  # a retry would not help


def test_an_outage_is_unavailable_and_what_follows_is_in_order(
    stack: Stack, topic: str, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = emitter(stack, topic)
    ours.emit(outputs(range(300)))
    broker = psutil.Process(read_place(stack.folder).processes["kafka"].pid)
    broker.kill()
    broker.wait(PATIENCE_S)
    refused(ours, outputs(range(300, 600)), monkeypatch)
    up(stack.folder, print)
    until(lambda: emitted(ours, outputs(range(300, 600))))
    until(lambda: emitted(ours, outputs(range(600, 900))))
    for partition in range(PARTITIONS):
        assert marked(read(partition)) == [value for _, value in expected(range(900), partition)]


def test_a_broker_that_hangs_for_a_while_loses_and_reorders_nothing(
    stack: Stack, topic: str, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = emitter(stack, topic)
    ours.emit(outputs(range(300)))
    broker = psutil.Process(read_place(stack.folder).processes["kafka"].pid)
    broker.suspend()
    try:
        # the broker may write these records after the emitter has given up on them
        refused(ours, outputs(range(300, 600)), monkeypatch)
    finally:
        broker.resume()
    until(lambda: emitted(ours, outputs(range(300, 600))))
    until(lambda: emitted(ours, outputs(range(600, 900))))
    for partition in range(PARTITIONS):
        assert marked(read(partition)) == [value for _, value in expected(range(900), partition)]


def refused(ours: KafkaEmitter, made: list[Output], monkeypatch: pytest.MonkeyPatch) -> None:
    """Emit twice to an unreachable broker. Both attempts must fail."""
    with monkeypatch.context() as patch:
        patch.setattr(producing, "TIMEOUT_S", 2.0)
        for _ in range(2):
            with pytest.raises(Unavailable):
                ours.emit(made)


def emitted(ours: KafkaEmitter, made: list[Output]) -> bool:
    """Return whether a broker that has just restarted accepts the records."""
    try:
        ours.emit(made)
    except Unavailable:
        return False
    return True


def marked(records: list[tuple[bytes | None, bytes]]) -> list[bytes]:
    """Return what a reader with a mark takes: only values above its mark."""
    mark, taken = -1, []
    for _, value in records:
        number = int(value[1:])
        if number > mark:
            taken.append(value)
            mark = number
    return taken
