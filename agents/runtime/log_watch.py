"""Watches the logs' ends from outside: what the stages of a process have left to do, and why nothing moves.

A consumer cannot tell. What it has read is all that it sees, and behind an open transaction it sees nothing."""

import asyncio
from collections.abc import Mapping, Sequence

from agents.kafka.log_ends import LogEnd, LogEnds
from agents.runtime.stage_runner import Runner
from agents.settings import Settings
from streams.errors import TidecastError
from streams.log import TopicPartition

LOOK_S = 1.0
TIMEOUT_S = 3.0


class LogWatch:
    """Measures the lag of all stages of a process, by one question to Kafka a second for all of them."""

    def __init__(self, settings: Settings, runners: Sequence[Runner]) -> None:
        self._settings = settings
        self._runners = runners

    async def run(self) -> None:
        """Run until cancelled. While Kafka does not answer, the error gives the reason, such as a wrong password."""
        ends, failed = LogEnds(self._settings, TIMEOUT_S), 0
        while True:
            await asyncio.sleep(LOOK_S)
            reached = [runner.progress.reached() for runner in self._runners]
            known = {place for runner in self._runners for place in runner.progress.known}
            try:
                found = await asyncio.to_thread(ends.of, sorted(known))
            except TidecastError as error:
                failed += 1
                if failed > 1:  # once may be a broker that is busy
                    for runner in self._runners:
                        runner.unmeasured(str(error))
                continue
            failed = 0
            self._tell(reached, found)

    def _tell(self, reached: Sequence[Mapping[TopicPartition, int]], found: Mapping[TopicPartition, LogEnd]) -> None:
        for runner, before in zip(self._runners, reached, strict=True):
            runner.measured(before, found)
