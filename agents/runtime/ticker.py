"""Writes the ticks of a wall clock: each owner of a partition of customer-events writes its ticks."""

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
"""Groups of owned partitions. The groups get their ticks one after another within a tick interval, so that timers
that fall due do not delay the events of all partitions at the same moment."""


def groups(done: int, reached: int) -> set[int]:
    """Return the groups whose moment has passed since the last one that got its tick.

    Moments count in parts of the tick interval. Several may have passed while Kafka was away."""
    return {moment % GROUPS for moment in range(max(done, reached - GROUPS) + 1, reached + 1)}


class Ticker:
    """Writes a tick to every owned partition, every `tick_every` of the use case.

    It has a producer and a thread of its own, because waiting for acks in the stage's thread would delay events."""

    def __init__(self, wiring: Wiring, runner: Runner) -> None:
        self._codec = wiring.codec
        self._keys = wiring.keys
        self._every = duration_ms(wiring.use_case.tick_every) / 1000
        self._writer = f"scoring of {wiring.use_case.name}"
        self._runner = runner
        self._emitter = wiring.emitter()

    async def run(self) -> None:
        """Run until cancelled. Two owners for a moment do no harm: a tick that goes backwards is ignored."""
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
                log.warning("could not write ticks: %s", away)
                await asyncio.sleep(backoff(attempt))
                attempt += 1

    def _tick(self, chosen: Collection[int]) -> None:
        now = int(time.time() * 1000)
        outputs = []
        for place in [place for number, place in enumerate(self._runner.owned) if number % GROUPS in chosen]:
            tick: TickRecord = {"time": now, "writer": self._writer, "signature": None}
            signed = sign(TICK, tick, self._keys, CUSTOMER_EVENTS, place.partition)
            outputs.append(Output(CUSTOMER_EVENTS, place.partition, None, self._codec.encode(TICK, signed)))
        self._emitter.emit(outputs)
