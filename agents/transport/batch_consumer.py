"""A Faust transport that hands agents whole batches, read from the positions in the stage's store.

Faust spends about 87 µs on a message. So one message here carries everything that was fetched, over all partitions.
Group offsets are a hint for lag tools: at every assignment the stage says where to read from, and only positions that
the stage has committed are reported to the group."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka.errors import IllegalStateError
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from agents.kafka.read_ahead import ReadAhead
from agents.transport.consumer_thread import Member
from agents.transport.start_offsets import KafkaOffsets
from streams.errors import TidecastError
from streams.log import LogRecord, TopicPartition

BESIDE_S = 0.1
"""The maximum time, seconds, that a fetch waits while a batch is processed or gathers. If that batch fails, records are
read again only after the wait."""
FIRST_RECORDS = 2_000
"""The maximum number of records of the first batch after an assignment. Each next batch may have twice as many. A
worker that returns to a backlog thus produces its first outputs soon."""
LITTLE = 500
"""A fetch with fewer records usually means that the end of the log is near."""
AGAIN_S = 0.2
"""Seconds before the stage is asked for its positions again."""
GATHERED_BYTES = 4 << 20
"""Bytes of values at which a gathering stage stops gathering. Fetched records take six times as much memory."""


@dataclass(slots=True)
class Fetched:
    """Records by partition, and the number of the assignment that they belong to.

    made_room: the next batch may be fetched. done: the batch is finished."""

    records: dict[TopicPartition, list[LogRecord]]
    assignment: int
    made_room: bool = False
    done: bool = False


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Yields one message per batch.

    The app's hooks say where each partition is read from (`assign`) and which partitions are read at all (`wants`).
    `assignment_number` grows whenever the records fetched so far become void: batches of another number must not be
    processed. Only `getmany` sets positions, and it fetches nothing before that, because Faust's own seeks at a
    rebalance may be cancelled, time out, or come twice."""

    app: "BatchApp"
    _thread: Member

    def on_init(self) -> None:
        """Set up the counters of this consumer."""
        self.assignment_number = 0
        self._placed = False
        self._not_before = 0.0
        self._told: dict[TP, int] = {}
        self._stored: dict[TP, int] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._done: dict[TP, int] = {}
        self._most = FIRST_RECORDS
        self._last_batch = 0.0
        self._latest: Fetched | None = None
        self.passed: ReadAhead[TP] = ReadAhead()

    def _new_consumer_thread(self) -> Member:
        return Member(self, loop=self.loop, beacon=self.beacon)

    # -- where to read

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Make fetched records void. Faust calls it at every assignment, before records flow; `getmany` asks the stage
        later."""
        self.void()
        return {}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Wait until the batch in progress is finished; own nothing afterwards."""
        await super().on_partitions_revoked(revoked)
        self.void()
        self.app.revoked()

    def void(self, pause: float = 0.0) -> None:
        """Make all fetched records void, and ask the stage for its positions again after `pause` seconds."""
        self.assignment_number += 1
        self._latest = None
        self._placed = False
        self._not_before = self.loop.time() + pause
        self._room.set()
        self._done.clear()
        self.passed.clear()

    async def _place(self) -> None:
        """Ask the stage for its positions and seek to them."""
        number = self.assignment_number
        await asyncio.sleep(max(0.0, self._not_before - self.loop.time()))
        places = {place: tp for tp in sorted(self.assignment()) if self.app.wants(place := self.app.place(tp))}
        found = await self.app.assign(list(places))
        offsets = {places[place]: offset for place, offset in found.items()}
        try:
            self._thread.take(offsets)
        except IllegalStateError:
            return  # The assignment changed meanwhile: Faust calls again.
        for tp in places.values():
            self._read_offset[tp] = None
        for tp, offset in offsets.items():
            self.passed.start(tp, offset)
            told = self._told.get(tp, 0)
            if offset == self._stored.get(tp) and offset >= told:
                self.passed.done(tp, offset)
                if offset > told:  # the process that owed the report was killed
                    self._done[tp] = offset
        self._most = FIRST_RECORDS
        self._placed = number == self.assignment_number

    def reached(self) -> bool:
        """Return whether any broker is connected and answers."""
        return self._thread.reached()

    async def kept(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, KafkaOffsets]:
        """Return the bounds and group offsets of these partitions. Raises Unavailable and SettingError."""
        tps = {self.app.tp(place): place for place in places}
        kept = {tp: KafkaOffsets(*found) for tp, found in (await self._thread.kept(tps)).items()}
        self._told = {tp: found.group for tp, found in kept.items()}
        return {tps[tp]: found for tp, found in kept.items()}

    def stored(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note the stored positions of the partitions that are placed next. A position of 0 counts as not stored."""
        self._stored = {self.app.tp(place): offset for place, offset in positions.items() if offset}

    def _set_active_tps(self, tps: set[TP]) -> set[TP]:
        active: set[TP] = super()._set_active_tps({tp for tp in tps if self.app.wants(self.app.place(tp))})
        return active

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Resume partitions after a rebalance, except those that the stage does not read. Faust would resume all."""
        super().resume_partitions({tp for tp in tps if self.app.wants(self.app.place(tp))})

    # -- batches

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield the fetched records as messages, one per batch of the allowed size."""
        if not self.flow_active:
            await self.wait_first(self.can_resume_flow.wait(), timeout=timeout)
            return
        if not self._placed:
            await self.wait_first(self._place(), self.suspend_flow.wait())
            return
        if not await self._has_room(timeout) or not self._placed:
            return  # a failed batch also makes room: its records must be read again before those that follow
        await self._pass_over()
        number = self.assignment_number
        if not self._placed:
            return
        at_work = self._latest is not None and not self._latest.done
        fetched = await self._fetch(min(timeout, BESIDE_S) if at_work else timeout)
        if fetched and self.app.batch_interval:
            await self._gather(fetched, number)
        for batch in sliced(fetched, self._growing):
            while not await self._has_room(timeout):
                if not self._flows(number):
                    return
            if not self._flows(number):
                return
            self._room.clear()  # one batch ahead, and only just in time: records that are fetched early add latency
            place, found = next(iter(batch.items()))
            tp = self.app.tp(place)
            self._latest = Fetched(batch, number)
            yield tp, self._message(tp, found[-1], self._latest)

    async def _fetch(self, timeout: float) -> dict[TopicPartition, list[LogRecord]]:
        """Return the records that are there, or else the first to arrive within `timeout` seconds."""
        records, active = await self._wait_next_records(timeout)
        jumps = {tp: found[0].offset for tp, found in (records or {}).items()}
        if await self._cut(jumps):
            return {}
        for tp, found in (records or {}).items():
            self.passed.given(tp, found[-1].offset + 1)
        return {self.app.place(tp): found for tp, found in (records or {}).items() if active is None or tp in active}

    async def _cut(self, found: Mapping[TP, int]) -> bool:
        """Return whether the log has lost the records between two offsets, the last one given and the next one found.

        aiokafka then silently continues at the log's new beginning, for instance after a pause that was longer than the
        retention. The positions are then asked for again, and the stage raises an error. Markers of transactions leave
        gaps too, which are no loss."""
        jumps = {tp: given for tp, to in found.items() if (given := self.passed.next(tp)) is not None and to > given}
        if not jumps:
            return False
        number = self.assignment_number
        try:
            firsts = await self._thread.firsts(jumps)
        except TidecastError:
            firsts = {}  # unknown: treat it as a loss
        if all(firsts.get(tp, given + 1) <= given for tp, given in jumps.items()):
            return False
        if number == self.assignment_number:
            self.void(AGAIN_S)
        return True

    async def _gather(self, fetched: dict[TopicPartition, list[LogRecord]], number: int) -> None:
        """Gather more records for a stage with a batch interval, until the interval is over or the batch is large.

        It waits at the end of the log; otherwise there would be a fetch for every few records."""
        until = self._last_batch + self.app.batch_interval
        came, more, count, size = fetched, self._has_more(fetched), _count(fetched), _size(fetched)
        while self._flows(number) and count < self.app.batch_records // 2 and size < GATHERED_BYTES:
            pause = until - self.loop.time()
            if pause <= 0 and (not more or _count(came) < LITTLE):
                break
            if not more:
                await self.wait_first(asyncio.sleep(pause), self.suspend_flow.wait())
            came = await self._fetch(BESIDE_S)
            for place, found in came.items():
                fetched.setdefault(place, []).extend(found)
            more = bool(came) and self._has_more(fetched)
            count, size = count + _count(came), size + _size(came)
        self._last_batch = self.loop.time()

    def _has_more(self, fetched: Mapping[TopicPartition, Sequence[LogRecord]]) -> bool:
        """Return whether the log holds more records after these. Markers of transactions count as more."""
        return any((self.app.end_offset(place) or 0) > found[-1].offset + 1 for place, found in fetched.items())

    def _growing(self) -> int:
        """Return the most records of the next batch."""
        most = min(self._most, self.app.batch_records)
        self._most = 2 * most
        return most

    async def _pass_over(self) -> None:
        """Note that nothing is fetched now. If all records given to the stage are done, the log holds none up to
        here."""
        reads = {tp: read for tp in self.assignment() if (read := self._thread.read_to(tp)) is not None}
        if await self._cut({tp: read for tp, read in reads.items() if self.passed.is_further(tp, read)}):
            return
        for tp, read in reads.items():
            if self.passed.read(tp, read):
                self._done[tp] = self.passed.position(tp, self._told.get(tp, 0))
                self.app.passed(self.app.place(tp), read)

    def _flows(self, number: int) -> bool:
        return self.flow_active and not self.should_stop and number == self.assignment_number

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

    def make_room(self, batch: Fetched) -> None:
        """Fetch the next batch beside the rest of the work. Called when the outputs of a batch's first slice are
        acked."""
        if batch.assignment == self.assignment_number and not batch.made_room:
            batch.made_room = True
            self._room.set()

    def finished(
        self, batch: Fetched, positions: Mapping[TopicPartition, int], worked: Mapping[TopicPartition, int]
    ) -> None:
        """Finish a batch that is done: make room, and report these positions with the next group commit. A void batch
        is ignored.

        positions: those stored. worked: offsets before which every record is processed. They are beyond the positions
        where a stage keeps its state in memory for a while."""
        if batch.assignment != self.assignment_number:
            return
        batch.done = True
        self.make_room(batch)
        for place, offset in positions.items():
            self._done[self.app.tp(place)] = offset
            self.passed.done(self.app.tp(place), offset)
        for place, offset in worked.items():
            tp = self.app.tp(place)
            self.passed.worked(tp, offset)
            self._done[tp] = self.passed.position(tp, self._told.get(tp, 0))

    # -- Faust's bookkeeping counts single messages; ours uses positions

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore gaps: positions come from the stage."""

    def ack(self, message: Any) -> bool:
        """Mark a batch's message as done, so that a rebalance need not wait for it."""
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
        """Do nothing: Faust watches single messages. Lag and health are measured elsewhere."""


def _count(fetched: Mapping[TopicPartition, Sequence[LogRecord]]) -> int:
    return sum(map(len, fetched.values()))


def _size(fetched: Mapping[TopicPartition, Sequence[LogRecord]]) -> int:
    return sum(len(record.value or b"") for found in fetched.values() for record in found)


def sliced(
    fetched: Mapping[TopicPartition, Sequence[LogRecord]], most: Callable[[], int]
) -> Iterator[dict[TopicPartition, list[LogRecord]]]:
    """Split records into batches of at most about `most()` records, each with a fair share of every partition."""
    rest = {place: list(found) for place, found in fetched.items() if found}
    while rest:
        share = max(1, most() // len(rest))
        yield {place: found[:share] for place, found in rest.items()}
        rest = {place: found[share:] for place, found in rest.items() if len(found) > share}


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """aiokafka's transport, with batches."""

    Consumer = BatchConsumer


class PromptTables(TableManager):  # type: ignore[misc]
    """Faust's table manager without its sleep of a second at every start. There are no tables."""

    async def sleep(self, n: Any) -> None:
        """Skip the sleep."""


class ConsumerOnly(BootStrategy):  # type: ignore[misc]
    """A producer that does not start. Faust's own is never used, and would end the worker if Kafka is away."""

    enable_kafka_producer = False


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app for one stage.

    prefix: the system's prefix of all topic names. address: Kafka's bootstrap servers. unreached: called when no broker
    answers at the start."""

    BootStrategy = ConsumerOnly
    unreached: Callable[[], None]
    assign: Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
    wants: Callable[[TopicPartition], bool]
    revoked: Callable[[], None]
    passed: Callable[[TopicPartition, int], None]
    prefix: str
    address: str
    batches: int
    batch_records: int
    batch_interval: float

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def place(self, tp: Any) -> TopicPartition:
        """Return the partition with its topic's logical name."""
        return TopicPartition(tp[0].removeprefix(self.prefix), tp[1])

    def tp(self, place: TopicPartition) -> TP:
        """Return the partition with its topic's name on the broker."""
        return TP(self.prefix + place.topic, place.partition)

    def end_offset(self, place: TopicPartition) -> int | None:
        """Return the next offset to be written, as of the last fetch; None before a fetch."""
        consumer: BatchConsumer = self.consumer
        try:
            end: int | None = consumer.highwater(self.tp(place))
        except Exception:  # just revoked
            return None
        return end
