"""The wall clock's ticks: written by whoever owns a partition of customer-events."""

import asyncio
import logging
import time
from collections.abc import Collection

from agents.runtime.stage_runner import Runner, backoff
from agents.wiring import Wiring
from schemas.records import TICK, TickRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.control import sign
from streams.errors import Unavailable
from streams.features.window import duration_ms
from streams.log import Output

log = logging.getLogger(__name__)
GROUPS = 4
"""Owned partitions get their ticks in so many groups, evenly over the time between two ticks: what falls due by then
would else hold up the events of all at the same moment."""


def groups(done: int, reached: int) -> set[int]:
    """Those whose moments passed since the one that was done last, counted in parts of the time between two ticks:
    while Kafka was away several may have."""
    return {moment % GROUPS for moment in range(max(done, reached - GROUPS) + 1, reached + 1)}


class Ticker:
    """Writes a tick to every owned partition, every `tick_every` of the use case. With a producer of its own, beside
    the stage's thread: to wait for acks there would hold up the events."""

    def __init__(self, wiring: Wiring, runner: Runner) -> None:
        self._codec = wiring.codec
        self._key = wiring.settings.signing_bytes
        self._every = duration_ms(wiring.use_case.tick_every) / 1000
        self._writer = f"scoring of {wiring.use_case.name}"
        self._runner = runner
        self._emitter = wiring.emitter()

    async def run(self) -> None:
        """Until cancelled. Two owners for a moment do no harm: a tick that goes backwards is ignored."""
        attempt = 0
        part = self._every / GROUPS
        done = round(time.time() / part)
        while True:
            await asyncio.sleep(part - time.time() % part)
            reached = round(time.time() / part)
            try:
                await asyncio.to_thread(self._tick, groups(done, reached))
                done, attempt = reached, 0
            except Unavailable as away:
                log.warning("no ticks: %s", away)
                await asyncio.sleep(backoff(attempt))
                attempt += 1

    def _tick(self, chosen: Collection[int]) -> None:
        now = int(time.time() * 1000)
        outputs = []
        for place in [place for number, place in enumerate(self._runner.owned) if number % GROUPS in chosen]:
            tick: TickRecord = {"time": now, "writer": self._writer, "signature": None}
            signed = sign(TICK, tick, self._key, CUSTOMER_EVENTS, place.partition)
            outputs.append(Output(CUSTOMER_EVENTS, place.partition, None, self._codec.encode(TICK, signed)))
        self._emitter.emit(outputs)
