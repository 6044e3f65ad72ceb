"""The private names of Faust, mode and aiokafka that the transport uses. Each one exists and has the same meaning.

A library version that changes one of them fails here, with its name. docs/adr/0001-faust-and-aiokafka.md gives the
reason for each name."""

import ast
import inspect
import re
from pathlib import Path

import aiokafka.record.default_records as record_format
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.consumer import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import BaseCoordinator, GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from faust.app.base import App
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer

from agents.transport.batch_consumer import BatchApp, BatchConsumer, BatchTransport, ConsumerOnly, PromptTables
from agents.transport.consumer_thread import Member
from agents.transport.decompression import CODECS
from agents.transport.single_loop import OneLoop

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "docs/adr/0001-faust-and-aiokafka.md"
OURS = (BatchApp, BatchConsumer, BatchTransport, ConsumerOnly, PromptTables, Member, OneLoop)

METHODS: dict[tuple[type, str], str] = {
    (App, "_new_transport"): "self",
    (Consumer, "_new_consumer_thread"): "self",
    (Consumer, "_set_active_tps"): "self tps",
    (Consumer, "_wait_next_records"): "self timeout",
    (Consumer, "_add_gap"): "self tp offset_from offset_to",
    (Consumer, "_filter_tps_with_pending_acks"): "self topics",
    (Consumer, "_filter_committable_offsets"): "self tps",
    (AIOKafkaConsumerThread, "_create_worker_consumer"): "self transport",
    (AIOKafkaConsumerThread, "_ensure_consumer"): "self",
    (AIOKafkaConsumerThread, "_fetch_records"): "self consumer active_partitions timeout max_records",
    (AIOKafkaConsumerThread, "_serve"): "self",
    (AIOKafkaConsumerThread, "_gather_remaining_tasks"): "self",
    (GroupCoordinator, "_perform_assignment"): "self response",
    (GroupCoordinator, "_send_req"): "self request",
    (GroupCoordinator, "_maybe_leave_group"): "self",
    (AIOKafkaClient, "_get_conn"): "self node_id group no_hint",
}
"""Methods that are overridden, replaced or called, with their parameters."""
ATTRIBUTES: dict[tuple[type, str], str] = {
    (App, "_crashed"): "self._crashed = self._new_crashed_event()",
    (Consumer, "_thread"): "self._thread = self._new_consumer_thread()",
    (Consumer, "_read_offset"): "get_read_offset = self._read_offset.__getitem__",
    (Consumer, "_unacked_messages"): "self._unacked_messages.add(message)",
    (Consumer, "_waiting_for_ack"): "self._waiting_for_ack = asyncio.Future(loop=self.loop)",
    (AIOKafkaConsumerThread, "_started"): "if self._started.is_set():",
    (AIOKafkaConsumerThread, "_thread_started"): "if not self._thread_started.is_set():",
    (AIOKafkaConsumerThread, "_thread_running"): "(notify, self._thread_running)",
    (AIOKafkaConsumer, "_fetch_max_wait_ms"): "fetch_max_wait_ms=self._fetch_max_wait_ms,",
    (AIOKafkaConsumer, "_max_partition_fetch_bytes"): "max_partition_fetch_bytes=self._max_partition_fetch_bytes,",
    (AIOKafkaConsumer, "_isolation_level"): "isolation_level=self._isolation_level,",
    (AIOKafkaConsumer, "_coordinator"): "self._coordinator = GroupCoordinator(",
    (AIOKafkaConsumer, "_client"): "self._client = AIOKafkaClient(",
    (AIOKafkaConsumer, "_subscription"): "self._subscription = SubscriptionState(",
    (AIOKafkaConsumer, "_fetcher"): "self._fetcher = Fetcher(",
    (Fetcher, "_max_partition_fetch_bytes"): "self._max_partition_fetch_bytes)",
    (AIOKafkaClient, "_conns"): "self._conns[conn_id] = ",
    (AIOKafkaConnection, "_last_action"): "self._last_action = time.monotonic()",
    (Assignment, "_tp_state"): "self._tp_state[tp] = TopicPartitionState(self)",
    (TopicPartitionState, "_position"): "self._position = position",
}
"""Attributes that are read or set, each with a line of its owner that shows what it holds or that it is still used."""


def source(owner: type) -> str:
    foreign = [base for base in owner.__mro__ if base.__module__.partition(".")[0] in ("faust", "mode", "aiokafka")]
    return "\n".join(map(inspect.getsource, foreign))


@pytest.mark.parametrize(("owner", "name"), METHODS)
def test_a_method_is_there_with_the_same_parameters(owner: type, name: str) -> None:
    method = getattr(owner, name, None)
    assert method is not None, f"{owner.__qualname__} has no {name} any more; see {PAGE.name}"
    found = " ".join(inspect.signature(method).parameters)
    assert found == METHODS[owner, name], f"{owner.__qualname__}.{name} has other parameters; see {PAGE.name}"


@pytest.mark.parametrize(("owner", "name"), METHODS)
def test_a_method_is_still_called_by_its_library(owner: type, name: str) -> None:
    callers = "\n".join(map(source, (owner, BaseCoordinator, GroupCoordinator))) + inspect.getsource(
        inspect.getmodule(owner) or owner
    )
    calls = re.findall(rf"\.{name}\b[(,]", callers)
    assert calls, f"nothing calls {owner.__qualname__}.{name} any more; see {PAGE.name}"


@pytest.mark.parametrize(("owner", "name"), ATTRIBUTES)
def test_an_attribute_is_used_as_before(owner: type, name: str) -> None:
    line = ATTRIBUTES[owner, name]
    assert line in source(owner), f"{owner.__qualname__} has no line {line!r} any more; see {PAGE.name}"


@pytest.mark.parametrize("codec", CODECS)
def test_records_are_decompressed_by_a_function_of_that_name(codec: str) -> None:
    name = f"{codec}_decode"
    told = f"aiokafka's record format does not use {name} any more; see {PAGE.name}"
    assert callable(getattr(record_format, name)), told
    assert f"{name}(" in inspect.getsource(record_format), told


def touched() -> set[str]:
    """Return the private names of the libraries that our code uses."""
    theirs, found = "\n".join(map(source, OURS)), set()
    files = [*(ROOT / "agents/transport").glob("*.py"), ROOT / "agents/runtime/worker.py"]
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
            ours = isinstance(node.value, ast.Name) and node.value.id == "self"
            if not ours or re.search(rf"\bself\.{node.attr}\b|def {node.attr}\b", theirs):
                found.add(node.attr)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and f" def {node.name}(" in theirs:
            found |= {node.name} if re.match("_[a-z]", node.name) else set()
    return found - {"_exit", "_crash"}  # os._exit, and one of our own functions


def test_no_other_private_name_is_touched_and_the_page_lists_them_all() -> None:
    listed = {name for _, name in (*METHODS, *ATTRIBUTES)}
    assert touched() == listed
    told = set(re.findall(r"`(_[a-z]\w+)`", PAGE.read_text()))
    assert told == listed
