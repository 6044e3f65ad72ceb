"""A Faust transport that hands agents whole batches, from positions that the stage's own store knows.

Faust spends about 87 µs on a message, so one message here carries all that was fetched, over all partitions. Group
offsets are a hint for lag tools: where to read from is asked of the stage at every assignment, and only positions
that the stage has committed are reported."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import faust
from aiokafka.errors import IllegalStateError, KafkaError
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from agents.kafka.read_ahead import Passed
from agents.transport.consumer_thread import Member
from agents.transport.start_offsets import Kept
from streams.log import LogRecord, TopicPartition

BESIDE_S = 0.1
"""How long a fetch waits while a batch is at work or gathers: nothing is read again before, if that batch fails."""
FIRST_RECORDS = 2_000
"""Most records of the first batch after an assignment; of each next one twice as many. Whoever comes back to a backlog
is heard again soon."""
LITTLE = 500
"""Records: a fetch in the midst of a log brings more, as a rule."""
AGAIN_S = 0.2
"""Before positions are asked for again."""
GATHERED_BYTES = 4 << 20
"""Of values, from which on a stage that lingers gathers no more: fetched records take six times as much memory."""


@dataclass(slots=True)
class Fetched:
    """Records by partition, and the assignment (by number) that they belong to. made_room: the next ones may be
    fetched. done: worked off."""

    records: dict[TopicPartition, list[LogRecord]]
    assignment: int
    made_room: bool = False
    done: bool = False


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """Yields one message per batch. The app's hooks say where each partition is read from (`assign`) and which are
    read at all (`wants`).

    `assignment_number` grows whenever what was fetched so far becomes void: batches of another number must not be
    worked on. Positions are set in one place only, `getmany`, which fetches nothing before that: Faust's own seeks
    at a rebalance may be cancelled, time out, or come twice."""

    app: "BatchApp"
    _thread: Member

    def on_init(self) -> None:
        """Counters of this consumer."""
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
        self.passed: Passed[TP] = Passed()

    def _new_consumer_thread(self) -> Member:
        return Member(self, loop=self.loop, beacon=self.beacon)

    # -- where to read

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust at every assignment, before records flow: the stage is asked when they do."""
        self.void()
        return {}

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """What is at work is finished first; nothing is owned afterwards."""
        await super().on_partitions_revoked(revoked)
        self.void()
        self.app.revoked()

    def void(self, pause: float = 0.0) -> None:
        """Whatever was fetched must not be worked on any more; positions are asked for again after `pause` seconds."""
        self.assignment_number += 1
        self._latest = None
        self._placed = False
        self._not_before = self.loop.time() + pause
        self._room.set()
        self._done.clear()
        self.passed.clear()

    async def _place(self) -> None:
        """Ask the stage for its positions and go there."""
        number = self.assignment_number
        await asyncio.sleep(max(0.0, self._not_before - self.loop.time()))
        places = {place: tp for tp in sorted(self.assignment()) if self.app.wants(place := self.app.place(tp))}
        found = await self.app.assign(list(places))
        offsets = {places[place]: offset for place, offset in found.items()}
        try:
            self._thread.take(offsets)
        except IllegalStateError:
            return  # Assigned otherwise meanwhile: Faust calls again.
        for tp in places.values():
            self._read_offset[tp] = None
        for tp, offset in offsets.items():
            self.passed.given(tp, offset)
            told = self._told.get(tp, 0)
            if offset == self._stored.get(tp) and offset >= told:
                self.passed.done(tp, offset)
                if offset > told:  # whoever owed the report was killed
                    self._done[tp] = offset
        self._most = FIRST_RECORDS
        self._placed = number == self.assignment_number

    def reached(self) -> bool:
        """Whether any broker is connected and speaks."""
        return self._thread.reached()

    async def kept(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, Kept]:
        """What Kafka knows of these partitions. Raises KafkaError."""
        tps = {self.app.tp(place): place for place in places}
        kept = {tp: Kept(*found) for tp, found in (await self._thread.kept(tps)).items()}
        self._told = {tp: found.group for tp, found in kept.items()}
        return {tps[tp]: found for tp, found in kept.items()}

    def stored(self, positions: Mapping[TopicPartition, int]) -> None:
        """What the stage's store says of the partitions that are placed next; 0 or nothing where it has none."""
        self._stored = {self.app.tp(place): offset for place, offset in positions.items() if offset}

    def _set_active_tps(self, tps: set[TP]) -> set[TP]:
        active: set[TP] = super()._set_active_tps({tp for tp in tps if self.app.wants(self.app.place(tp))})
        return active

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Faust resumes all after a rebalance; those that the stage does not read stay as they are."""
        super().resume_partitions({tp for tp in tps if self.app.wants(self.app.place(tp))})

    # -- batches

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """What was fetched, in as many messages as batches of the allowed size are needed."""
        if not self.flow_active:
            await self.wait_first(self.can_resume_flow.wait(), timeout=timeout)
            return
        if not self._placed:
            await self.wait_first(self._place(), self.suspend_flow.wait())
            return
        if not await self._has_room(timeout) or not self._placed:
            return  # room may come from a failed batch: what follows it must not be read before it is read again
        await self._pass_over()
        number = self.assignment_number
        if not self._placed:
            return
        at_work = self._latest is not None and not self._latest.done
        fetched = await self._fetch(min(timeout, BESIDE_S) if at_work else timeout)
        if fetched and self.app.linger_seconds:
            await self._gather(fetched, number)
        for batch in sliced(fetched, self._growing):
            while not await self._has_room(timeout):
                if not self._flows(number):
                    return
            if not self._flows(number):
                return
            self._room.clear()  # one ahead, and only shortly: what is fetched early has grown old when its turn comes
            place, found = next(iter(batch.items()))
            tp = self.app.tp(place)
            self._latest = Fetched(batch, number)
            yield tp, self._message(tp, found[-1], self._latest)

    async def _fetch(self, timeout: float) -> dict[TopicPartition, list[LogRecord]]:
        """What there is, or else what comes first within so many seconds."""
        records, active = await self._wait_next_records(timeout)
        jumps = {tp: found[0].offset for tp, found in (records or {}).items()}
        if await self._cut(jumps):
            return {}
        for tp, found in (records or {}).items():
            self.passed.given(tp, found[-1].offset + 1)
        return {self.app.place(tp): found for tp, found in (records or {}).items() if active is None or tp in active}

    async def _cut(self, found: Mapping[TP, int]) -> bool:
        """Whether the log has lost what lies between what was given and what was found (an offset each): aiokafka then
        goes on where the log begins, without a word. So does whoever is stopped for longer than records are kept.
        Positions are asked for again, where the stage hears of it. (Markers of transactions leave gaps, too.)"""
        jumps = {tp: given for tp, to in found.items() if (given := self.passed.next(tp)) is not None and to > given}
        if not jumps:
            return False
        number = self.assignment_number
        try:
            firsts = await self._thread.firsts(jumps)
        except KafkaError:
            firsts = {}  # not known: as if it were so
        if all(firsts.get(tp, given + 1) <= given for tp, given in jumps.items()):
            return False
        if number == self.assignment_number:
            self.void(AGAIN_S)
        return True

    async def _gather(self, fetched: dict[TopicPartition, list[LogRecord]], number: int) -> None:
        """More of it, for a stage that lingers: until its batches are that far apart, or this one is large. At the end
        of the log it waits; else every few records would be a fetch."""
        until = self._last_batch + self.app.linger_seconds
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
        """Whether these are not the last ones of their partitions. Markers of transactions count as more."""
        return any((self.app.end_offset(place) or 0) > found[-1].offset + 1 for place, found in fetched.items())

    def _growing(self) -> int:
        """Most records of the next batch."""
        most = min(self._most, self.app.batch_records)
        self._most = 2 * most
        return most

    async def _pass_over(self) -> None:
        """Nothing is fetched now: where all records that came are done, what was read since then holds none."""
        reads = {tp: read for tp in self.assignment() if (read := self._thread.read_to(tp)) is not None}
        if await self._cut({tp: read for tp, read in reads.items() if self.passed.is_further(tp, read)}):
            return
        for tp, read in reads.items():
            if self.passed.read(tp, read):
                self._done[tp] = self.passed.position(tp)
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
        """The outputs of a batch, or of its first slice, are acked: fetch the next one beside what is left to do."""
        if batch.assignment == self.assignment_number and not batch.made_room:
            batch.made_room = True
            self._room.set()

    def finished(self, batch: Fetched, positions: Mapping[TopicPartition, int]) -> None:
        """A batch is done (or void): make room, and report these positions with the next group commit."""
        if batch.assignment != self.assignment_number:
            return
        batch.done = True
        self.make_room(batch)
        for place, offset in positions.items():
            self._done[self.app.tp(place)] = offset
            self.passed.done(self.app.tp(place), offset)

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


def _count(fetched: Mapping[TopicPartition, Sequence[LogRecord]]) -> int:
    return sum(map(len, fetched.values()))


def _size(fetched: Mapping[TopicPartition, Sequence[LogRecord]]) -> int:
    return sum(len(record.value or b"") for found in fetched.values() for record in found)


def sliced(
    fetched: Mapping[TopicPartition, Sequence[LogRecord]], most: Callable[[], int]
) -> Iterator[dict[TopicPartition, list[LogRecord]]]:
    """Batches of at most about `most()` records, each with a fair share of every partition."""
    rest = {place: list(found) for place, found in fetched.items() if found}
    while rest:
        share = max(1, most() // len(rest))
        yield {place: found[:share] for place, found in rest.items()}
        rest = {place: found[share:] for place, found in rest.items() if len(found) > share}


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """aiokafka's transport with batches."""

    Consumer = BatchConsumer


class PromptTables(TableManager):  # type: ignore[misc]
    """There are no tables; Faust would sleep a second for them at every start."""

    async def sleep(self, n: Any) -> None:
        """Not here."""


class ConsumerOnly(BootStrategy):  # type: ignore[misc]
    """Faust's own producer is never used, and would end the worker when Kafka is away at its start."""

    enable_kafka_producer = False


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app for one stage. `prefix` is what this system puts before all topic names. `unreached` is called when
    no broker answers at the start."""

    BootStrategy = ConsumerOnly
    unreached: Callable[[], None]
    assign: Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
    wants: Callable[[TopicPartition], bool]
    revoked: Callable[[], None]
    passed: Callable[[TopicPartition, int], None]
    prefix: str
    batches: int
    batch_records: int
    linger_seconds: float

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
