"""A Faust transport that hands agents whole batches, from positions that the stage's own store knows.

Faust spends about 87 µs on a message, so one message here carries all that was fetched, over all partitions. Group
offsets are a hint for lag tools: where to read from is asked of the stage at every assignment, and only positions
that the stage has committed are reported."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka
import faust
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.log import LogRecord, TopicPartition

FETCH_WAIT_MS = 100
"""How long the broker may hold a fetch that finds nothing; a record that arrives ends it at once."""
IN_FLIGHT = 2
"""Batches handed out and not yet done: one at work, one ready. More would take the backlog into memory."""
Assign = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


@dataclass(slots=True)
class Fetched:
    """Records of one fetch by partition, and the assignment (by number) that they belong to."""

    records: dict[TopicPartition, list[LogRecord]]
    assignment: int


class _LeaveResponse(Response):
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


class _LeaveStruct(RequestStruct):
    API_KEY = 13
    API_VERSION = 3
    RESPONSE_TYPE = _LeaveResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("members", Array(("member_id", String("utf-8")), ("group_instance_id", String("utf-8")))),
    )


class _Leave(Request[_LeaveStruct]):
    """LeaveGroup v3 (Kafka protocol, KIP-345): names static members, whom aiokafka never lets leave."""

    API_KEY = 13

    def __init__(self, group: str, member: str, instance: str) -> None:
        self._fields = (group, [(member, instance)])

    def build(self, request_struct_class: type[_LeaveStruct]) -> _LeaveStruct:
        return request_struct_class(*self._fields)


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka's consumer lives."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # Faust has no setting for its 1500
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group first, so that others take the partitions over at once."""
        consumer = self._consumer
        coordinator = getattr(consumer, "_coordinator", None)
        instance = self.app.conf.consumer_group_instance_id
        if instance and coordinator is not None and coordinator.generation > 0:
            leave = _Leave(coordinator.group_id, coordinator.member_id, instance)
            try:
                await asyncio.wait_for(coordinator._send_req(leave), 2.0)
            except Exception as error:
                self.log.warning("The group was not told that we leave: %r", error)
        await super().on_thread_stop()

    async def commit(self, tps: Mapping[TP, int]) -> bool:
        """Report positions to the group. A failure is no harm: they are a hint, the truth is in the store."""
        try:
            return await self.call_thread(self._report, tps)
        except Exception as error:
            self.log.warning("Group offsets were not reported: %r", error)
            return False

    async def _report(self, tps: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        ours = consumer.assignment()
        offsets = {aiokafka.TopicPartition(*tp): offset for tp, offset in tps.items()}
        await consumer.commit({tp: offset for tp, offset in offsets.items() if tp in ours})
        return True


class BatchConsumer(driver.Consumer):
    """Yields one message per fetch. `app.assign` says where each partition is read from, `app.wants` which are
    read at all; `assignment_number` grows whenever positions are set anew, and older batches are void."""

    app: "BatchApp"

    def on_init(self) -> None:
        """Counters of this consumer."""
        self.assignment_number = 0
        self._in_flight = 0
        self._room = asyncio.Event()
        self._room.set()
        self._done: dict[TP, int] = {}

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # -- where to read

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust at every assignment before records flow: the stage's positions, not the group's."""
        return await self.set_positions()

    async def set_positions(self) -> dict[TP, int]:
        """Ask the stage for its positions and go there; every batch fetched before is void."""
        self.assignment_number += 1
        self._in_flight = 0
        self._room.set()
        self._done.clear()
        wanted = [place for tp in sorted(self.assignment()) if self.app.wants(place := self.app.place(tp))]
        number = self.assignment_number
        found = await self.app.assign(wanted)
        if number != self.assignment_number:
            return {}
        offsets = {self.app.tp(place): offset for place, offset in found.items()}
        for tp, offset in offsets.items():
            await self._seek(tp, offset)
            self._read_offset[tp] = None
        return offsets

    def _set_active_tps(self, tps: set[TP]) -> set[TP]:
        return super()._set_active_tps({tp for tp in tps if self.app.wants(self.app.place(tp))})

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Faust resumes all after a rebalance; those that the stage does not read stay as they are."""
        super().resume_partitions({tp for tp in tps if self.app.wants(self.app.place(tp))})

    # -- batches

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """What a fetch brought, in as many messages as batches of the allowed size are needed."""
        if not await self._has_room(timeout):
            return
        number = self.assignment_number
        records, active = await self._wait_next_records(timeout)
        fetched = {self.app.place(tp): found for tp, found in (records or {}).items() if active is None or tp in active}
        for batch in sliced(fetched, self.app.batch_records):
            while not await self._has_room(timeout):
                if self.should_stop or not self.flow_active or number != self.assignment_number:
                    return
            if self.should_stop or not self.flow_active or number != self.assignment_number:
                return
            self._in_flight += 1
            if self._in_flight >= IN_FLIGHT:
                self._room.clear()
            place, found = next(iter(batch.items()))
            tp = self.app.tp(place)
            yield tp, self._message(tp, found[-1], Fetched(batch, number))

    async def _has_room(self, timeout: float) -> bool:
        if not self._room.is_set():
            await self.wait_first(self._room.wait(), self.suspend_flow.wait(), timeout=timeout)
        return self._room.is_set()

    def _message(self, tp: TP, last: Any, batch: Fetched) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            (),
            None,
            batch,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def finished(self, batch: Fetched, positions: Mapping[TopicPartition, int]) -> None:
        """A batch is done (or void): make room, and report these positions with the next group commit."""
        if batch.assignment != self.assignment_number:
            return
        self._in_flight -= 1
        self._room.set()
        for place, offset in positions.items():
            self._done[self.app.tp(place)] = offset

    # -- Faust's own bookkeeping is by single messages; ours is by positions

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps mean nothing: positions come from the stage."""

    def ack(self, message: Any) -> bool:
        """Mark a batch's message as worked off, so that a rebalance need not wait for it."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        waiting = self._waiting_for_ack
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Any:
        return list(self._done)

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return {tp: self._done.pop(tp) for tp in tps if tp in self._done}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's watch over single messages does not apply; lag and health are ours."""


def sliced(
    fetched: Mapping[TopicPartition, Sequence[LogRecord]], most: int
) -> Iterator[dict[TopicPartition, list[LogRecord]]]:
    """Batches of at most about `most` records, each with a fair share of every partition."""
    rest = {place: list(found) for place, found in fetched.items() if found}
    while rest:
        share = max(1, most // len(rest))
        yield {place: found[:share] for place, found in rest.items()}
        rest = {place: found[share:] for place, found in rest.items() if len(found) > share}


class BatchTransport(driver.Transport):
    """aiokafka's transport with batches."""

    Consumer = BatchConsumer


class PromptTables(TableManager):
    """There are no tables; Faust would sleep a second for them at every start."""

    async def sleep(self, n: Any) -> None:
        """Not here."""


class BatchApp(faust.App):
    """A Faust app for one stage. `prefix` is what this system puts before all topic names."""

    assign: Assign
    wants: Callable[[TopicPartition], bool]
    prefix: str
    batch_records: int

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def place(self, tp: Any) -> TopicPartition:
        """A partition by its topic's logical name."""
        return TopicPartition(tp[0].removeprefix(self.prefix), tp[1])

    def tp(self, place: TopicPartition) -> TP:
        """A partition by its topic's name on the broker."""
        return TP(self.prefix + place.topic, place.partition)

    def end_offset(self, place: TopicPartition) -> int | None:
        """Next offset to be written, as of the last fetch; None before one."""
        consumer: BatchConsumer = self.consumer
        try:
            end: int | None = consumer.highwater(self.tp(place))
        except Exception:  # just revoked
            return None
        return end
