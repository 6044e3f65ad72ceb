"""One worker process: the stages of its verbs, each in a Faust app, all in one event loop."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from pathlib import Path

from agents.app import build_app
from agents.health import HealthServer, StageHealth
from agents.runner import Runner
from agents.settings import Settings
from agents.slots import Slot
from agents.ticking import Ticker
from agents.transport import BatchApp
from agents.wiring import Wiring
from streams.errors import TidecastError, Unavailable

log = logging.getLogger(__name__)
SWITCH_INTERVAL_S = 0.0005
"""Batches are worked on in a thread; the event loop beside it answers the broker. Measured: +14 %."""
GC_THRESHOLDS = (50_000, 50, 1_000)
"""After warm-up millions of objects live for ever; Python's defaults would walk them again and again."""
CONNECT_PATIENCE_S = 60.0


class Worker:
    """The stages of some verbs, running. `run` returns when told to stop and raises what ended a stage."""

    def __init__(self, settings: Settings, wiring: Wiring, verbs: tuple[str, ...], slot: Slot, port: int) -> None:
        self._settings = settings
        self._wiring = wiring
        self._verbs = verbs
        self._slot = slot
        self._port = port
        self._runners: list[Runner] = []
        self._apps: list[BatchApp] = []
        self._healths: list[StageHealth] = []
        self._tickers: list[Ticker] = []

    async def run(self) -> None:
        """Start everything, wait for a signal or a failure, stop everything."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        for verb in self._verbs:
            for group, stage in (await asyncio.to_thread(self._stages, verb)).items():
                health = StageHealth(group.removeprefix("tidecast-"))
                runner = Runner(health.name, stage, self._wiring.emitter(), health)
                app = build_app(self._settings, group, f"{socket.gethostname()}-{self._slot.number}")
                runner.attach(app)
                self._healths.append(health)
                self._runners.append(runner)
                self._apps.append(app)
                if verb == "scoring" and self._wiring.use_case.clock == "wall":
                    self._tickers.append(Ticker(self._wiring, runner))
        health_server = HealthServer(self._healths, "0.0.0.0" if self._port else "127.0.0.1", self._port)
        await health_server.start(self._health_file())
        try:
            await asyncio.gather(*(app.start() for app in self._apps))
            tune()
            await self._until(stop)
        finally:
            await self._stop()
            await health_server.stop()

    def _stages(self, verb: str):  # type: ignore[no-untyped-def]
        return self._wiring.stages(verb)

    async def _until(self, stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        ticking = [asyncio.ensure_future(ticker.run()) for ticker in self._tickers]
        failed = [runner.failed for runner in self._runners]
        crashed = [asyncio.ensure_future(_crash(app)) for app in self._apps]
        try:
            await asyncio.wait([stopping, *failed, *ticking, *crashed], return_when=asyncio.FIRST_COMPLETED)
            for ended in (*failed, *ticking, *crashed):
                if ended.done():
                    ended.result()
        finally:
            for task in (stopping, *ticking, *crashed):
                task.cancel()

    async def _stop(self) -> None:
        results = await asyncio.gather(*(app.stop() for app in self._apps), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                log.warning("while stopping: %r", result)
        for runner in self._runners:
            runner.close()

    def _health_file(self) -> Path:
        return self._settings.data / "run" / f"{'-'.join(self._verbs)}.{self._slot.number}.health"


async def _crash(app: BatchApp) -> None:
    """Ends with an error when Faust itself gives up."""
    await app._crashed.wait()
    reason = app.crash_reason
    raise reason if isinstance(reason, Exception) else RuntimeError("Faust gave up")


def tune() -> None:
    """What a process that works for long needs and a short one does not."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def run_worker(settings: Settings, reference: str | None, verbs: tuple[str, ...], port: int) -> None:
    """Connect and run. While servers are away at the start it waits a minute before it gives up."""
    with Slot(settings.data / "run", "-".join(verbs)) as slot:
        wiring = await _patiently(settings, reference)
        await Worker(settings, wiring, verbs, slot, port).run()


async def _patiently(settings: Settings, reference: str | None) -> Wiring:
    from agents.wiring import connect_system

    deadline = asyncio.get_running_loop().time() + CONNECT_PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(connect_system, settings, reference)
        except Unavailable as away:
            if asyncio.get_running_loop().time() > deadline:
                raise TidecastError(str(away)) from None
            log.warning("waiting: %s", away)
            await asyncio.sleep(1.0)
