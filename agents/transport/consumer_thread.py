"""A group member that gets its partitions back after a kill, and releases them at once when it is stopped."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.kafka.read_ahead import ReadAhead, metadata
from agents.transport.errors import aiokafka_errors
from agents.transport.single_loop import OneLoop
from sinks.failpoints import REPORTED, hit

FETCH_WAIT_MS = 100
"""Milliseconds that the broker may hold a fetch that finds nothing. A record that arrives ends it at once."""
FETCH_BYTES, LEAST_FETCH_BYTES = 2 << 20, 1 << 18
"""Bytes of one fetch: over all partitions, per batch that the stage takes as one; and the least of one partition.
Fetched records take six times as much memory, and a backlog fills all partitions: history, which reads some sixty,
grew by 1.2 GB with 1 MiB each."""
SILENT_S = 5.0
"""A broker that is silent for this many seconds counts as away. It normally answers heartbeats every second."""
FIRST_TRY_S, SLOWEST_TRY_S = 0.05, 2.0
"""Seconds between two tries to reach a broker that does not answer: at first, and at most. Full jitter above a
tenth."""
KNOWN_IN_S = 4.0
"""The time, seconds, for which a group's leader asks for partitions that must exist. It is shorter than a session."""
LEAVE_PATIENCE_S = 2.0
COMMIT_PATIENCE_S = 5.0
ASK_PATIENCE_S = 10.0


class _LeaveResponse(Response):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "members",
            Array(
                ("member_id", String("utf-8")),
                ("group_instance_id", String("utf-8")),
                ("error_code", Int16),
            ),
        ),
    )


class _LeaveStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("members", Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")))),
    )


class _Leave(Request[_LeaveStruct]):  # type: ignore[misc]
    """LeaveGroup v3 (KIP-345), the version that names static members. aiokafka never lets them leave."""

    API_KEY = 13

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._fields = (group, [(member, instance)])

    def build(self, request_struct_class: type[_LeaveStruct]) -> _LeaveStruct:
        return request_struct_class(*self._fields)


def patient(connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Wrap aiokafka's function for a node's connection (None when there is none) with backoff.

    aiokafka's many loops would otherwise try hundreds of times a second while the node does not answer."""
    failures: Counter[Any] = Counter()

    async def get(node: Any, *args: Any, **named: Any) -> Any:
        failed = failures[node]
        if failed:
            await asyncio.sleep(min(SLOWEST_TRY_S, FIRST_TRY_S * 2.0 ** min(failed, 16)) * random.uniform(0.1, 1.0))
        found = await connect(node, *args, **named)
        failures[node] = failed + 1 if found is None else 0
        return found

    return get


def fetch_bytes(partitions: int, batches: int) -> int:
    """Return the bytes to fetch of each partition, for a stage that takes `batches` batches as one."""
    return max(LEAST_FETCH_BYTES, batches * FETCH_BYTES // max(1, partitions))


class Member(OneLoop, driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that holds aiokafka's consumer."""

    _taken: frozenset[aiokafka.TopicPartition] = frozenset()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust has no setting for its value of 1500
        consumer._max_partition_fetch_bytes = LEAST_FETCH_BYTES  # until the number of partitions is known
        consumer._isolation_level = "read_committed"  # nor for this without its own transactions
        return consumer

    async def on_start(self) -> None:
        """Start the consumer, and make a static member leave the group at its end. aiokafka would not."""
        await self._connect()
        coordinator = self._ensure_consumer()._coordinator
        client = self._ensure_consumer()._client
        client._get_conn = patient(client._get_conn)
        coordinator._perform_assignment = self._informed(coordinator._perform_assignment)
        instance = self.app.conf.consumer_group_instance_id
        if instance:

            async def leave() -> None:
                if coordinator.generation > 0:
                    request = _Leave(coordinator.group_id, coordinator.member_id, instance)
                    try:
                        await asyncio.wait_for(coordinator._send_req(request), LEAVE_PATIENCE_S)
                    except Exception as error:
                        self.log.warning("could not leave the consumer group: %r", error)
                coordinator.reset_generation()

            coordinator._maybe_leave_group = leave

    def _informed(self, assign: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Let the group's leader assign only when it knows the partitions.

        A broker that is still starting may report none. Faust would then silently leave the topic out until the
        metadata is renewed."""

        async def informed(response: Any) -> Any:
            consumer = self._ensure_consumer()
            until = time.monotonic() + KNOWN_IN_S
            while time.monotonic() < until and not all(map(consumer.partitions_for_topic, consumer.subscription())):
                await consumer._client.force_metadata_update()
                await asyncio.sleep(FIRST_TRY_S)
            return await assign(response)

        return informed

    async def _connect(self) -> None:
        """Start the consumer, and retry for ever. aiokafka gives up when no broker answers at the start."""
        wait = FIRST_TRY_S
        while True:
            try:
                await super().on_start()
                return
            except KafkaConnectionError:
                self.app.unreached()
                # a half-started consumer may fail in any way when it is stopped; a new one is made
                with contextlib.suppress(Exception):
                    await self._ensure_consumer().stop()
            wait = min(SLOWEST_TRY_S, 2 * wait)
            await asyncio.sleep(wait * random.uniform(0.1, 1.0))

    def reached(self) -> bool:
        """Return whether any broker is connected and has answered lately. aiokafka retries for ever without reporting
        it."""
        since = time.monotonic() - SILENT_S
        connections = [*self._ensure_consumer()._client._conns.values()]
        return any(connection.connected() and connection._last_action > since for connection in connections)

    async def commit(self, tps: Mapping[TP, int]) -> bool:
        """Report positions to the group. A failure does no harm: they are a hint, the store decides."""
        try:
            await self._report(tps)
        except Exception as error:
            told = " ".join(str(error).split()) or type(error).__name__
            self.log.warning(
                "could not report positions to the consumer group (a hint only; reported again soon): %s", told
            )
            return False
        return True

    async def _report(self, tps: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        ours = consumer.assignment()
        offsets = {aiokafka.TopicPartition(*tp): offset for tp, offset in tps.items()}
        read_ahead: ReadAhead[TP] = self.consumer.passed
        mine = {tp: (at, metadata(at, read_ahead.read_ahead(TP(*tp), at))) for tp, at in offsets.items() if tp in ours}
        if mine:  # without a limit it would retry until Kafka is back, and a stop would wait for it
            await asyncio.wait_for(consumer.commit(mine), COMMIT_PATIENCE_S)
            hit(REPORTED, self.app.conf.id.removeprefix(f"{self.app.prefix}tidecast-"))

    async def kept(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int, int]]:
        """Return first offset kept, next offset to be written and group offset (0: none) of each.

        Raises Unavailable and SettingError."""
        with aiokafka_errors(self.app.address, "read the offsets of the partitions"):
            return await asyncio.wait_for(self._kept(tps), ASK_PATIENCE_S)

    async def firsts(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Return the first offset kept of each. Raises Unavailable and SettingError."""
        places = {tp: aiokafka.TopicPartition(*tp) for tp in tps}
        asked = self._ensure_consumer().beginning_offsets(list(places.values()))
        with aiokafka_errors(self.app.address, "read the first offsets of the partitions"):
            firsts = await asyncio.wait_for(asked, ASK_PATIENCE_S)
        return {tp: firsts[place] for tp, place in places.items()}

    async def _kept(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int, int]]:
        consumer = self._ensure_consumer()
        places = {tp: aiokafka.TopicPartition(*tp) for tp in tps}
        if not places:
            return {}
        firsts = await consumer.beginning_offsets(list(places.values()))
        ends = await consumer.end_offsets(list(places.values()))
        group = await consumer._coordinator.fetch_committed_offsets(list(places.values()))
        reported = {tp: max(0, found.offset) for tp, found in group.items()}
        return {tp: (firsts[place], ends[place], reported.get(place, 0)) for tp, place in places.items()}

    def read_to(self, tp: TP) -> int | None:
        """Return the next offset to be fetched; None when it is unknown."""
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:  # just revoked
            return None
        state = subscription.assignment._tp_state.get(aiokafka.TopicPartition(*tp))
        position: int | None = None if state is None else state._position
        return position

    def take(self, offsets: Mapping[TP, int]) -> None:
        """Read these partitions, and no others, from these offsets. Raises IllegalStateError when they are not
        assigned."""
        consumer = self._ensure_consumer()
        wanted = {aiokafka.TopicPartition(*tp): offset for tp, offset in offsets.items()}
        consumer.pause(*consumer.assignment())
        for place, offset in wanted.items():
            consumer.seek(place, offset)
        self._taken = frozenset(wanted)
        consumer._fetcher._max_partition_fetch_bytes = fetch_bytes(len(wanted), self.app.batches)

    async def _fetch_records(self, consumer: aiokafka.AIOKafkaConsumer, *args: Any, **named: Any) -> Any:
        """Fetch only while somebody waits for records.

        Records that aiokafka fetches ahead are old when they are wanted, and while they wait, nothing newer is fetched
        from that broker."""
        consumer.resume(*(self._taken & consumer.assignment()))
        try:
            return await super()._fetch_records(consumer, *args, **named)
        finally:
            consumer.pause(*(self._taken & consumer.assignment()))
