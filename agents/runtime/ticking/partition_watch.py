"""Looks at the partitions of a wall clock: how old their last ticks are, and whether the whole stream is silent."""

import asyncio
import logging
import time
from collections.abc import Mapping

from agents.formatting import span
from agents.kafka.pause_record import pause_record
from agents.kafka.tick_sender import TickSender
from agents.runtime.metrics import PAUSED, SILENCE, TICK_AGE
from agents.runtime.stage_runner import Runner
from agents.runtime.ticking.clock_check import REDIS, ClockCheck
from agents.runtime.ticking.silence import Silence
from agents.wiring import Wiring
from sinks.redis.client import server_time
from streams.errors import SettingError, Unavailable
from streams.timeline import PartitionHeader

log = logging.getLogger(__name__)
LOOK_S = 1.0
PER_PARTITION_S = 0.01
"""Seconds between two looks, and the least share of them for each partition of the log."""
PATIENCE_S = 10.0
"""Seconds after which a record that scoring has not obeyed is written again."""
Headers = Mapping[int, PartitionHeader]


class PartitionWatch:
    """Reads scoring's state of all partitions now and then, and pauses the time of the owned ones in a silence.

    Every worker draws the same conclusion from the same state, each for its own partitions. A server that is away is
    the stage's to tell."""

    def __init__(self, wiring: Wiring, runner: Runner, clocks: ClockCheck) -> None:
        self._wiring = wiring
        self._runner = runner
        self._clocks = clocks
        self._partitions = range(wiring.deployment.partitions)
        self._silence = Silence(wiring.use_case, wiring.deployment.partitions)
        self._sender = TickSender(wiring.settings)
        self._may_ask = True
        self._written: dict[tuple[int, bool], float] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(max(LOOK_S, PER_PARTITION_S * len(self._partitions)))
            try:
                await asyncio.to_thread(self._look)
            except Unavailable:
                continue

    def _look(self) -> None:
        self._compare()
        stored = self._wiring.scoring_store.positions(self._partitions)
        headers = {partition: PartitionHeader.unpack(packed) for partition, (_, packed) in stored.items()}
        owned = {
            place.partition: headers[place.partition] for place in self._runner.owned if place.partition in headers
        }
        wanted = self._silence.look(headers)
        self._measure(owned, self._clocks.kafka_time(time.time()))
        if wanted == "pause":
            reason = f"no event in any partition for {span(self._silence.length / 1000)}"
            self._write(True, reason, {p: header for p, header in owned.items() if not header.is_paused})
        elif wanted == "resume":
            paused = {p: header for p, header in owned.items() if header.is_paused and header.pause_is_automatic}
            self._write(False, "events come again", paused)

    def _compare(self) -> None:
        """Compare our clock with Redis's, where its user may ask for the time."""
        if not self._may_ask:
            return
        before = time.time()
        try:
            theirs = server_time(self._wiring.redis)
        except SettingError as refused:
            self._may_ask = False
            log.warning("this machine's clock is not compared with Redis's: %s", refused)
            return
        self._clocks.compare(REDIS, before, time.time(), theirs)

    def _measure(self, owned: Headers, now: float) -> None:
        SILENCE.set(self._silence.length / 1000)
        for gauge in (TICK_AGE, PAUSED):
            gauge.clear()
        for partition, header in owned.items():
            PAUSED.labels(partition).set(header.is_paused)
            if header.last_tick is not None:
                TICK_AGE.labels(partition).set(now - header.last_tick / 1000)

    def _write(self, paused: bool, reason: str, headers: Headers) -> None:
        """Write a record to each of these partitions that pauses its time, or lets it go on.

        Scoring may take a while to read the last one: it is written again only after PATIENCE_S."""
        now = time.monotonic()
        headers = {p: h for p, h in headers.items() if now - self._written.get((p, paused), -PATIENCE_S) >= PATIENCE_S}
        if not headers:
            return
        writer, keys = f"scoring of {self._wiring.use_case.name}", self._wiring.keys
        records = {
            partition: pause_record(self._wiring.codec, keys, partition, header, paused, True, reason, writer)
            for partition, header in headers.items()
        }
        self._sender.send(records)
        self._written |= {(partition, paused): now for partition in headers}
        for partition in headers:
            self._written.pop((partition, not paused), None)
        what = "stands still" if paused else "goes on"
        log.warning("time %s in partitions %s: %s", what, ", ".join(map(str, sorted(headers))), reason)
