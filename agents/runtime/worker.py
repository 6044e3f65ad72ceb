"""One worker process: stages, each in a Faust app with a thread of its own, all in one event loop."""

import asyncio
import gc
import logging
import math
import os
import signal
import socket
import sys
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from agents.kafka.progress import Progress
from agents.runtime.dead_letter_limits import DeadLetterLimits
from agents.runtime.fallback_watch import FallbackWatch
from agents.runtime.health import HealthServer, StageHealth
from agents.runtime.late_limits import LateLimits
from agents.runtime.log_watch import LogWatch
from agents.runtime.slots import Slot
from agents.runtime.stage_runner import Runner, backoff
from agents.settings import Settings
from agents.stages import GROUP_PREFIX, stage_row
from agents.transport.app import build_app
from agents.transport.batch_consumer import BatchApp
from agents.transport.errors import aiokafka_errors
from streams.errors import DeploymentMismatch, Unavailable
from streams.log import Emitter, Stage

if TYPE_CHECKING:
    from agents.wiring import Wiring

log = logging.getLogger(__name__)
SWITCH_INTERVAL_S = 0.0005
"""Batches are worked on in a thread; the event loop beside it answers the broker. Measured: +14 %."""
YOUNG_S, YOUNG_SWEEPS = 1.0, 120
"""How often the young objects are searched for unreachable ones, and after how many times all are: those of five
seconds at once took a scorer up to 22 ms."""
CONNECT_PATIENCE_S = 60.0
STOP_PATIENCE_S = 15.0
ENDING_S = 5.0
"""Seconds that the other stages of a process have to reach the end of their definitions as well."""
START_STOP_PATIENCE_S = 2.0
"""The same while the stages start: nothing is at work that could be finished."""
THREAD_PATIENCE_S = 1.0
"""Seconds that a thread may still wait for a server at the end."""
THREADS = "beside"
"""Beginning of the names of threads that work for no stage."""
T = TypeVar("T")


class Worker:
    """Runs the stages that `equip` adds. `run` returns when told to stop and raises what ended a stage."""

    def __init__(self, settings: Settings, kind: str, slot: Slot, port: int, supervised: bool = False) -> None:
        """`supervised`: standard input is a pipe that closes when the parent dies. The worker waits without limit for
        servers that are away at the start, because the parent has reached them before."""
        self.settings = settings
        self._kind = kind
        self._slot = slot
        self._port = port
        self._supervised = supervised
        self._start = StageHealth("start")
        self._healths = [self._start]
        self._runners: list[Runner] = []
        self._apps: list[BatchApp] = []
        self._threads = ThreadPoolExecutor(thread_name_prefix=THREADS)
        self._beside: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def add(self, group: str, stage: Stage, emitter: Emitter) -> Runner:
        """Add a stage as a member of the consumer group of that name. Return its runner."""
        health = StageHealth(group.removeprefix(GROUP_PREFIX))
        limits = DeadLetterLimits(self.settings.dead_letter_run, self.settings.dead_letter_share)
        fallbacks = FallbackWatch(self.settings.fallback_share)
        late_limits = LateLimits(self.settings.late_share)
        progress = Progress(health.name, self.settings.kafka, self.settings.topic_prefix)
        runner = Runner(health.name, stage, emitter, health, limits, fallbacks, late_limits, progress)
        app = build_app(self.settings, group, self._instance())
        app.batches = stage.batches
        app.batch_records = stage.batches * self.settings.batch_records
        app.batch_interval = stage.batch_interval
        runner.attach(app)
        self._healths.append(health)
        self._runners.append(runner)
        self._apps.append(app)
        return runner

    def watch(self, name: str) -> StageHealth:
        """Return a further entry of this worker's health, beside those of its stages."""
        health = StageHealth(name)
        self._healths.append(health)
        return health

    def beside(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something else for as long as the stages run."""
        self._beside.append(work)

    async def patiently(self, ask: Callable[..., T], *args: Any) -> T:
        """Call `ask(*args)` in a thread and return its result. While a server is away, call it again."""
        loop = asyncio.get_running_loop()
        deadline = math.inf if self._supervised else loop.time() + CONNECT_PATIENCE_S
        attempt = 0
        while True:
            try:
                return await asyncio.to_thread(ask, *args)
            except Unavailable as away:
                if loop.time() > deadline:
                    raise
                self._start.red(str(away))
            await asyncio.sleep(backoff(attempt))
            attempt += 1

    async def run(self, equip: Callable[["Worker"], Awaitable[None]]) -> None:
        """Equip and start, wait for a signal or a failure, stop everything."""
        stop = asyncio.Event()
        asyncio.get_running_loop().set_default_executor(self._threads)
        self._listen(stop)
        health = HealthServer(self._healths, "0.0.0.0" if self._port else "127.0.0.1", self._port)
        file = self.settings.data / "run" / f"{self._kind}.{self._slot.number}.health"
        await health.start(file)
        working = asyncio.ensure_future(self._work(equip))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        error = working.exception() if working.done() else None
        for task in (working, stopping):
            task.cancel()
        stopped = await self._stop()
        await health.stop()
        file.unlink(missing_ok=True)
        if not stopped:
            _leave(error, said=self._start.ready)
        if self._lingers():
            _leave(error, said=False)
        if error is not None:
            raise error

    async def _work(self, equip: Callable[["Worker"], Awaitable[None]]) -> None:
        await equip(self)
        await asyncio.gather(*(app.start() for app in self._apps))
        self._start.green()
        tune()
        ends = [runner.failed for runner in self._runners]
        beside = (*self._beside, *(runner.watch for runner in self._runners))
        beside = (*beside, LogWatch(self.settings, self._runners).run)
        ends += [asyncio.ensure_future(work()) for work in beside]
        ends += [asyncio.ensure_future(_crash(app)) for app in self._apps]
        ends += [asyncio.ensure_future(sweep(runner)) for runner in self._runners[:1]]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if any(not ended.cancelled() and isinstance(ended.exception(), DeploymentMismatch) for ended in done):
                await self._let_others_end()
            for ended in done:
                ended.result()
        finally:
            for end in ends:
                end.cancel()

    async def _let_others_end(self) -> None:
        """Wait until all stages have come to the end of their definitions, and have saved what lies before it.

        It stands in every partition of their logs. History does not notice it, and others may be far behind."""
        await asyncio.wait([runner.failed for runner in self._runners], timeout=ENDING_S)
        for runner in self._runners:
            if runner.failed.done():
                runner.failed.exception()  # only the first one is told

    async def _stop(self) -> bool:
        """Stop the apps; whether they did in time."""
        stops = [asyncio.ensure_future(app.stop()) for app in self._apps]
        # not wait_for: it would wait for what it cancels, and Faust does not let itself be cancelled everywhere
        patience = STOP_PATIENCE_S if self._start.ready else START_STOP_PATIENCE_S
        _, late = await asyncio.wait(stops, timeout=patience) if stops else ((), ())
        for stop in stops:
            if stop.done() and stop.exception() is not None:
                log.warning("while stopping: %r", stop.exception())
        for runner in self._runners:
            runner.close()
        return not late

    def _lingers(self) -> bool:
        """Return whether a thread still waits for a server, after a moment. Python would wait for it at its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        names = (THREADS, *(runner.name for runner in self._runners))
        threads = [thread for thread in threading.enumerate() if thread.name.startswith(names)]
        end = time.monotonic() + THREAD_PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return any(thread.is_alive() for thread in threads)

    def _listen(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def told() -> None:
            if stop.is_set():
                os._exit(130)  # told twice: at once; nothing is lost by it
            stop.set()

        def orphaned() -> None:
            loop.remove_reader(0)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, told)
        if self._supervised:
            loop.add_reader(0, orphaned)

    def _instance(self) -> str:
        """Return the static membership of this process: the same after a restart, never that of another living
        process."""
        folder = zlib.crc32(str(self.settings.data.resolve()).encode())
        return f"{socket.gethostname()}-{folder:08x}-{self._kind}-{self._slot.number}"


def _leave(error: BaseException | None, said: bool) -> None:
    """End although something still waits for a server that is away. Nothing is lost by it: what was not committed
    will be worked off again."""
    if said:
        print(f"tidecast: not everything stopped within {STOP_PATIENCE_S:.0f} s: left as it is", file=sys.stderr)
    if error is not None:
        print(f"tidecast: {error}", file=sys.stderr)
    sys.stderr.flush()
    os._exit(0 if error is None else 1)


async def _crash(app: BatchApp) -> None:
    """Wait until Faust itself gives up, then raise its error."""
    await app._crashed.wait()
    reason = app.crash_reason
    with aiokafka_errors(app.address, "read the topics"):
        raise reason if isinstance(reason, Exception) else RuntimeError("Faust gave up")


def tune() -> None:
    """Tune this process to run for long: set the switch interval, and switch automatic garbage collection off."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.disable()


async def sweep(runner: Runner) -> None:
    """Collect garbage between the batches of a stage, again and again.

    Only objects in reference cycles need it. Left to itself, Python would collect in the middle of batches, and search
    the objects in use each time."""
    while True:
        for _ in range(YOUNG_SWEEPS):
            await asyncio.sleep(YOUNG_S)
            await runner.in_thread(gc.collect, 0)
        await runner.in_thread(gc.collect)


async def run_worker(
    settings: Settings, reference: str | None, names: tuple[str, ...], port: int, supervised: bool = False
) -> None:
    """Run the stages of these names, under the deployment in force, in this process."""

    async def equip(worker: Worker) -> None:
        from agents.fingerprint import running
        from agents.preflight import Moment, Severity, Situation, ask, refuse
        from agents.runtime.watch import SystemWatch
        from agents.wiring import connect_system
        from sinks.redis.client import ServerGuard
        from streams.deployment import differences

        wiring = await worker.patiently(connect_system, settings, reference)
        if not supervised:  # else the supervisor's command has said so
            found = await worker.patiently(ask, Situation.of(wiring, Moment.START, names))
            refuse(found, Severity.STOPS)
            for warning in [*differences(wiring.deployment.fingerprint, running()), *(each.text for each in found)]:
                log.warning(warning)
        for row in map(stage_row, names):
            for group, stage in (await worker.patiently(row.build, wiring)).items():
                runner = worker.add(group, stage, row.emitter(wiring))
                if row.store.is_redis:
                    runner.guard = ServerGuard(wiring.redis).check
                if row.writes_ticks and wiring.use_case.clock == "wall":
                    _write_ticks(worker, wiring, runner)
            if row.writes_ticks:
                worker.beside(SystemWatch(wiring).run)

    kind = "-".join(names)
    with Slot(settings.data / "run", kind) as slot:
        await Worker(settings, kind, slot, port, supervised).run(equip)


def _write_ticks(worker: Worker, wiring: "Wiring", runner: Runner) -> None:
    """Let a worker write the ticks of the partitions that it owns. Others need none of these modules."""
    from agents.runtime.ticking.clock_check import ClockCheck
    from agents.runtime.ticking.partition_watch import PartitionWatch
    from agents.runtime.ticking.ticker import Ticker

    clocks = ClockCheck(worker.watch("clock"))
    worker.beside(Ticker(wiring, runner, clocks, worker.watch("ticks")).run)
    worker.beside(PartitionWatch(wiring, runner, clocks).run)
