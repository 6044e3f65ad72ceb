"""Writes the ticks of a wall clock: each owner of a partition of customer-events writes its ticks."""

import asyncio
import time
from collections.abc import Collection

from agents.kafka.tick_sender import TickSender
from agents.runtime.health import StageHealth
from agents.runtime.stage_runner import Runner, backoff
from agents.runtime.ticking.broker_clock import BrokerClock
from agents.runtime.ticking.clock_check import KAFKA, ClockCheck
from agents.wiring import Wiring
from schemas.records import TICK, TickRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.control import sign
from streams.errors import Unavailable
from streams.features.window import duration_ms

GROUPS = 4
"""Groups of owned partitions. The groups get their ticks one after another within a tick interval, so that timers
that fall due do not delay the events of all partitions at the same moment."""


def groups(done: int, reached: int) -> set[int]:
    """Return the groups whose moment has passed since the last one that got its tick.

    Moments count in parts of the tick interval. Several may have passed while Kafka was away."""
    return {moment % GROUPS for moment in range(max(done, reached - GROUPS) + 1, reached + 1)}


class Ticker:
    """Writes a tick to every owned partition, every `tick_every` of the use case.

    A tick cannot be taken back. So it is the earlier one of two clocks: this machine's, and the one by which the
    broker stamps that partition. A clock that is ahead then delays nothing and makes no event late."""

    def __init__(self, wiring: Wiring, runner: Runner, clocks: ClockCheck, health: StageHealth | None = None) -> None:
        """`health` turns red while ticks cannot be written."""
        self._codec = wiring.codec
        self._keys = wiring.keys
        self._every = duration_ms(wiring.use_case.tick_every) / 1000
        self._writer = f"scoring of {wiring.use_case.name}"
        self._runner = runner
        self._sender = TickSender(wiring.settings)
        self._clocks = clocks
        self._broker = BrokerClock()
        self._health = health or StageHealth("ticks")

    async def run(self) -> None:
        """Run until cancelled. Two owners for a moment do no harm: a tick that goes backwards is ignored."""
        self._health.green()
        attempt = 0
        part = self._every / GROUPS
        done = round(time.monotonic() / part)
        while True:
            await asyncio.sleep(part - time.monotonic() % part)
            reached = round(time.monotonic() / part)
            try:
                await asyncio.to_thread(self._tick, groups(done, reached))
                done, attempt = reached, 0
                self._health.green()
            except Unavailable as away:
                self._health.red(f"Time stands still, because no ticks can be written. {away}")
                await asyncio.sleep(backoff(attempt))
                attempt += 1

    def _tick(self, chosen: Collection[int]) -> None:
        owned = [place.partition for place in self._runner.owned]
        self._broker.keep(owned)
        due = [partition for number, partition in enumerate(owned) if number % GROUPS in chosen]
        if not due:
            return
        unknown = self._broker.unknown(due)
        if unknown:  # their first tick is not ahead of their last record: it only shows what the broker's time is
            for partition, timestamp in self._sender.newest(unknown).items():
                self._broker.show(partition, timestamp)
        before = time.time()
        times = {partition: self._broker.bound(partition, int(before * 1000)) for partition in due}
        appended = self._sender.send({partition: self._encoded(partition, ms) for partition, ms in times.items()})
        self._learn(before, time.time(), appended)

    def _encoded(self, partition: int, time_ms: int) -> bytes:
        tick: TickRecord = {"time": time_ms, "writer": self._writer, "signature": None, "gap": None}
        return self._codec.encode(TICK, sign(TICK, tick, self._keys, CUSTOMER_EVENTS, partition))

    def _learn(self, before: float, after: float, appended: dict[int, int | None]) -> None:
        """Take over the broker's times of these ticks; `before` and `after`: our own time around them, s."""
        stamped = {partition: timestamp for partition, timestamp in appended.items() if timestamp is not None}
        for partition, timestamp in stamped.items():
            self._broker.show(partition, timestamp)
        if len(stamped) < len(appended):
            self._clocks.create_time()
            return
        furthest = max(stamped.values(), key=lambda timestamp: abs(before * 1000 - timestamp))
        self._clocks.compare(KAFKA, before, after, furthest / 1000)
