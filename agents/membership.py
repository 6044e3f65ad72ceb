"""A group member that comes back to its partitions after a kill, and gives them up at once when it is stopped."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import aiokafka
from aiokafka.errors import KafkaTimeoutError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch that finds nothing; a record that arrives ends it at once."""
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
    """LeaveGroup v3 (KIP-345): the version that names static members, whom aiokafka never lets leave."""

    API_KEY = 13

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._fields = (group, [(member, instance)])

    def build(self, request_struct_class: type[_LeaveStruct]) -> _LeaveStruct:
        return request_struct_class(*self._fields)


class MemberThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread in which aiokafka's consumer lives; all that touches the consumer is called in it."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust has no setting for its 1500
        return consumer

    async def on_start(self) -> None:
        """Start the consumer; a static member leaves where aiokafka lets only others leave."""
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        instance = self.app.conf.consumer_group_instance_id
        if instance:

            async def leave() -> None:
                if coordinator.generation > 0:
                    request = _Leave(coordinator.group_id, coordinator.member_id, instance)
                    try:
                        await asyncio.wait_for(coordinator._send_req(request), LEAVE_PATIENCE_S)
                    except Exception as error:
                        self.log.warning("The group was not told that we leave: %r", error)
                coordinator.reset_generation()

            coordinator._maybe_leave_group = leave

    def reached(self) -> bool:
        """Whether any broker is connected; aiokafka itself tries for ever, and says nothing."""
        return any(connection.connected() for connection in [*self._ensure_consumer()._client._conns.values()])

    async def commit(self, tps: Mapping[TP, int]) -> bool:
        """Report positions to the group. A failure is no harm: they are a hint, the truth is in the store."""
        try:
            await self.call_thread(self._report, tps)
        except Exception as error:
            self.log.warning("Group offsets were not reported: %r", error)
            return False
        return True

    async def _report(self, tps: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        ours = consumer.assignment()
        offsets = {aiokafka.TopicPartition(*tp): offset for tp, offset in tps.items()}
        mine = {tp: offset for tp, offset in offsets.items() if tp in ours}
        if mine:  # without a limit it would be tried until Kafka is back, and a stop would wait for it
            await asyncio.wait_for(consumer.commit(mine), COMMIT_PATIENCE_S)

    async def kept(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int, int]]:
        """First offset kept, next offset to be written and group offset (0 for none) of each. Raises KafkaError."""
        kept: dict[TP, tuple[int, int, int]] = await self.call_thread(self._kept_in_time, tps)
        return kept

    async def _kept_in_time(self, tps: Iterable[TP]) -> dict[TP, tuple[int, int, int]]:
        try:
            return await asyncio.wait_for(self._kept(tps), ASK_PATIENCE_S)
        except TimeoutError:
            raise KafkaTimeoutError("Kafka does not say what its partitions hold") from None

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

    async def take(self, offsets: Mapping[TP, int]) -> None:
        """Read these partitions from these offsets, and nothing else."""
        await self.call_thread(self._take, offsets)

    async def _take(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        wanted = {aiokafka.TopicPartition(*tp): offset for tp, offset in offsets.items()}
        consumer.pause(*(consumer.assignment() - wanted.keys()))
        for place, offset in wanted.items():
            consumer.seek(place, offset)
