"""Running a stage in a Faust app: batches in, slices produced and committed, outages waited out."""

import asyncio
import itertools
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from agents.kafka.log_ends import LogEnd
from agents.kafka.progress import Progress
from agents.runtime.dead_letter_limits import DeadLetterLimits
from agents.runtime.fallback_watch import FallbackWatch
from agents.runtime.health import KAFKA, LATE, LOG, STORE, WORK, StageHealth
from agents.runtime.late_limits import LateLimits
from agents.runtime.metrics import (
    DEAD_LETTERS,
    FALLBACKS,
    LAG,
    LATE_EVENTS,
    OUTPUTS,
    POSITION,
    QUESTIONS,
    RECORDS,
    RETRIES,
    SLICES,
    STEP_SECONDS,
)
from agents.transport.batch_consumer import BatchApp, BatchConsumer, Fetched
from agents.transport.start_offsets import starts_of
from sinks.failpoints import ACKED, COMMITTED, COMPUTED, hit
from streams.errors import DeadReason, LogGap, PositionConflict, SettingError, TidecastError, Unavailable
from streams.log import Answered, Emitter, Rejects, Slice, Stage, TopicPartition

log = logging.getLogger(__name__)
FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0
WATCH_S = 1.0
PROBE_EVERY = 3
"""Of so many looks at the brokers one is also at the store. A stage that gets nothing would not notice its loss."""
KAFKA_AWAY = "Kafka does not answer: waiting for it."
T = TypeVar("T")


def backoff(attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Return the seconds before try number `attempt` (0, 1, …): exponential with full jitter above a tenth (Brooker,
    "Exponential Backoff And Jitter")."""
    most = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempt, 16))
    return most * (0.1 + 0.9 * jitter())


class Runner:
    """One stage, one thread that works on it, one Faust app that feeds it. `failed` tells what ended it."""

    def __init__(
        self,
        name: str,
        stage: Stage,
        emitter: Emitter,
        health: StageHealth,
        limits: DeadLetterLimits | None = None,
        fallbacks: FallbackWatch | None = None,
        late_limits: LateLimits | None = None,
        progress: Progress | None = None,
    ) -> None:
        """`limits` stop the stage at too many dead letters. `fallbacks` warns of them. `late_limits` make it red at too
        many late events. `progress` is told how far the stage has worked."""
        self.name = name
        self.stage = stage
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self.owned: tuple[TopicPartition, ...] = ()
        self._emitter = emitter
        self._health = health
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._attempt = 0
        self._limits = limits or DeadLetterLimits(0, 0.0)
        self._fallbacks = fallbacks or FallbackWatch(0.0)
        self._late_limits = late_limits or LateLimits(0.0)
        self.progress = progress or Progress(name)
        self.busy = False
        self.guard: Callable[[], None] | None = None
        """Raises SettingError while the store's server must not be used, such as one that would drop state."""

    def attach(self, app: BatchApp) -> None:
        """Make the app's only agent and its hooks."""
        self.app = app
        app.assign = self.assign
        app.wants = self.stage.wants
        app.revoked = self._revoked
        app.unreached = lambda: self._health.red(KAFKA_AWAY, KAFKA)
        app.passed = self.progress.reach
        topics = [app.prefix + topic for topic in self.stage.topics]
        channel = app.topic(*topics, key_serializer="raw", value_serializer="raw")

        async def work(stream: Any) -> None:
            async for event in stream.noack().events():
                await self._batch(event.value)
                self._consumer.ack(event.message)

        app.agent(channel, name=self.name)(work)

    async def in_thread(self, call: Callable[..., T], *args: Any) -> T:
        """Run something in the stage's thread, after what it is doing now."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def watch(self) -> None:
        """Turn health red while no broker or store answers, or the store lost state: an idle stage would not notice."""
        for number in itertools.count():
            await asyncio.sleep(WATCH_S)
            if not self._consumer.reached():
                self._health.red(KAFKA_AWAY, KAFKA)
            else:
                self._health.green(KAFKA)
            if number % PROBE_EVERY == 0 and self.owned and not self.busy:
                await self._probe()

    async def _probe(self) -> None:
        """Compare the store with what was committed. If they differ, `assign` says what is lost."""
        number = self._consumer.assignment_number
        try:
            intact = await self.in_thread(self._intact)
        except Unavailable as away:
            self._health.red(str(away), STORE)
            return
        except LogGap as gap:
            self._fail(gap)
            return
        except TidecastError:
            intact = False
        if not intact and number == self._consumer.assignment_number and self.owned:
            self._consumer.void()
        self._health.green(STORE)

    def _intact(self) -> bool:
        """Return, in the stage's thread, whether the stage may go on with its store."""
        if self.guard is not None:
            self.guard()
        return self.stage.intact()

    def measured(self, reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, LogEnd]) -> None:
        """Take the ends of the logs, read after `reached` was: set the lag, and find out why nothing moves."""
        for place in reached.keys() & ends.keys() & set(self.owned):
            LAG.labels(self.name, *place).set(max(0, ends[place].high - reached[place]))
        if self.progress.shrunk(reached, ends) and self.owned:
            self._consumer.void()  # `assign` says what is wrong
        if self._health.has(WORK):
            self.progress.excuse()
        if problem := self.progress.problem(reached, ends, self.busy, self._loop.time()):
            self._health.red(problem, LOG)
        else:
            self._health.green(LOG)

    def unmeasured(self, why: str) -> None:
        """Turn health red, because the ends of the logs are unknown."""
        self._health.red(why, LOG)

    def close(self) -> None:
        """Let the thread end when it is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def _consumer(self) -> BatchConsumer:
        consumer: BatchConsumer = self.app.consumer
        return consumer

    async def assign(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return where to read each partition from, as the stage says. Waits while its store or Kafka is away."""
        attempt = 0
        while True:
            try:
                await self.in_thread(self._check_server)
                await self.in_thread(self._emitter.assign, places)
                found = await self.in_thread(self.stage.assign, places)
                kept = await self._consumer.kept(places)
                self._consumer.stored(found)
                starts = starts_of(self.name, places, found, kept, self.stage.stateless)
            except Unavailable as away:
                self._wait_for(away)
                await asyncio.sleep(backoff(attempt))
                attempt += 1
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._fail(error)
                await asyncio.Event().wait()  # until the worker has stopped
            else:
                self._own(starts)
                self._works()
                return starts

    def _works(self) -> None:
        """The stage works; it is red all the same while too many events are late."""
        self._health.green()
        if problem := self._late_limits.problem:
            self._health.red(problem, LATE)
        else:
            self._health.green(LATE)

    def _check_server(self) -> None:
        """Wait, in the stage's thread, while the store's server must not be used, as for one that is away."""
        try:
            if self.guard is not None:
                self.guard()
        except SettingError as error:
            raise Unavailable(str(error)) from error

    def _own(self, starts: Mapping[TopicPartition, int]) -> None:
        """Own these partitions, and no others. Gauges of lost ones go: their next owner shows them."""
        lost = set(self.owned) - starts.keys()
        self.owned = tuple(starts)
        self.progress.begin(starts)
        for place in lost:
            for gauge in (LAG, POSITION):
                with suppress(KeyError):
                    gauge.remove(self.name, *place)

    def _revoked(self) -> None:
        self._own({})
        self._limits.begin_anew()
        self._late_limits.begin_anew()

    async def _batch(self, batch: Fetched) -> None:
        consumer = self._consumer
        if self.failed.done() or batch.assignment != consumer.assignment_number:
            return
        self.busy = True
        try:
            positions, worked = await self.in_thread(self._work, batch)
        except (Unavailable, PositionConflict) as error:
            # Nothing of the failed slice may linger, nor may what follows it be worked on before.
            consumer.void(backoff(self._attempt))
            self._attempt += 1
            self._wait_for(error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)
        else:
            self._attempt = 0
            self._works()
            consumer.finished(batch, positions, worked)
        finally:
            self.busy = False

    def _work(self, batch: Fetched) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Work through a batch in the stage's thread, slice by slice, until it is done or the partitions are wanted
        elsewhere.

        Return the stored positions, and the offsets before which every record is processed."""
        consumer = self._consumer
        positions: dict[TopicPartition, int] = {}
        worked: dict[TopicPartition, int] = {}
        slices = iter(self.stage.process(batch.records))
        while True:
            began = time.perf_counter()
            slice_ = next(slices, None)
            if slice_ is None:
                worked = {place: records[-1].offset + 1 for place, records in batch.records.items()}
                break
            self._finish(slice_, began, batch)
            positions |= slice_.positions
            for place, offset in slice_.positions.items():
                self.progress.reach(place, offset)
            if not consumer.flow_active or batch.assignment != consumer.assignment_number:
                break
        self._count(batch, positions)
        for place, offset in worked.items():
            self.progress.reach(place, offset)
        return positions, worked

    def _finish(self, slice_: Slice, began: float, batch: Fetched) -> None:
        """Produce a slice's outputs, wait for the acks, commit."""
        computed = time.perf_counter()
        hit(COMPUTED)
        self._emitter.emit(slice_.outputs)
        produced = time.perf_counter()
        hit(ACKED)
        with suppress(RuntimeError):  # the loop is closed: the worker ends, and this slice is committed all the same
            self._loop.call_soon_threadsafe(self._consumer.make_room, batch)
        slice_.commit()
        committed = time.perf_counter()
        hit(COMMITTED)
        steps = (("compute", computed - began), ("produce", produced - computed), ("commit", committed - produced))
        for step, seconds in steps:
            STEP_SECONDS.labels(self.name, step).observe(seconds)
        SLICES.labels(self.name).inc()
        counts: dict[str, int] = {}
        for output in slice_.outputs:
            counts[output.topic] = counts.get(output.topic, 0) + 1
        for topic, count in counts.items():
            OUTPUTS.labels(self.name, topic).inc(count)
        if slice_.answered is not None:
            self._count_answers(slice_.answered)
        if slice_.rejects is not None:
            self._count_rejects(slice_.rejects)

    def _count_rejects(self, rejects: Rejects) -> None:
        """Count the rejects of a committed slice. Raises TooManyDeadLetters when a limit is exceeded."""
        counts = Counter(dead.reason for dead in rejects.dead)
        counts[DeadReason.FAILED] += rejects.failed_timers
        for reason in DeadReason:  # from 0 on, so that the first ones are seen to grow
            DEAD_LETTERS.labels(self.name, reason.value).inc(counts[reason])
        LATE_EVENTS.labels(self.name).inc(sum(late.events for late in rejects.late.values()))
        self._late_limits.add(rejects)
        self._limits.add(rejects)

    def _count_answers(self, answered: Answered) -> None:
        for target, count in answered.asked.items():
            QUESTIONS.labels(target).inc(count)
        for (target, arm, cause), count in answered.fallbacks.items():
            FALLBACKS.labels(target, arm, cause).inc(count)
        self._fallbacks.add(answered)

    def _count(self, batch: Fetched, positions: Mapping[TopicPartition, int]) -> None:
        self._health.warn(" ".join(filter(None, (self.stage.failure, self._fallbacks.warning))))
        for place, records in batch.records.items():
            RECORDS.labels(self.name, place.topic).inc(len(records))
        for place, offset in positions.items():
            if place in self.owned:
                POSITION.labels(self.name, place.topic, place.partition).set(offset)

    def _wait_for(self, error: Exception) -> None:
        kind = "conflict" if isinstance(error, PositionConflict) else "unavailable"
        RETRIES.labels(self.name, kind).inc()
        self._health.red(str(error))

    def _fail(self, error: BaseException) -> None:
        """End the worker with an error. What was not committed is computed again, so nothing is lost."""
        self._health.red(f"{type(error).__name__}: {error}")
        if not self.failed.done():
            if not isinstance(error, TidecastError):
                log.error("%s stops at an error that it does not know", self.name, exc_info=error)
            self.failed.set_exception(error)
