"""A worker process with the counting stage: python -m tests.integration.runtime.counting KIND (PAUSE MOST ONLY)

TEST_SESSION_S sets the length of its session in the consumer group. TEST_STOP_S sets how long it waits for its slice on
a stop. See also the gate and the stage."""

import asyncio
import logging
import os
import sys
from typing import Any

from agents.cli import TidecastError
from agents.runtime import worker
from agents.runtime.slots import Slot
from agents.runtime.worker import Worker
from agents.settings import load_settings
from agents.transport import app
from agents.transport.batch_consumer import BatchConsumer
from sinks.kafka.producer import KafkaEmitter
from sinks.kafka.transactional import TransactionalEmitter
from sinks.redis.client import connect
from sinks.redis.stage_store import RedisStageStore
from streams.log import Emitter
from tests.integration.runtime.counting.gate import GATE
from tests.integration.runtime.counting.stage import Counting


class Telling(Worker):
    """A worker that reports to its gate that it is stopping."""

    async def _stop(self) -> bool:
        self._telling = asyncio.ensure_future(self._tell())
        return await super()._stop()

    async def _tell(self) -> None:
        while any(app.consumer.flow_active for app in self._apps):
            await asyncio.sleep(0.01)
        if GATE.folder:
            (GATE.folder / "stopping").touch()


def watch_fetches() -> None:
    """Count the bytes of all values fetched from Kafka."""
    wait = BatchConsumer._wait_next_records

    async def watched(self: BatchConsumer, timeout: float) -> Any:
        records, active = await wait(self, timeout)
        GATE.fetched_bytes += sum(len(r.value) for found in (records or {}).values() for r in found)
        return records, active

    BatchConsumer._wait_next_records = watched


def main(kind: str, pause: float = 0.0, most: int = 500, only: int | None = None) -> None:
    settings = load_settings()
    app.SESSION_TIMEOUT_S = float(os.environ.get("TEST_SESSION_S", app.SESSION_TIMEOUT_S))
    worker.STOP_PATIENCE_S = float(os.environ.get("TEST_STOP_S", worker.STOP_PATIENCE_S))
    watch_fetches()
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def equip(made: Worker) -> None:
        store = RedisStageStore(connect(**settings.redis()), 0, settings.topic_prefix)
        parts = (settings.confluent(), settings.topic)
        emitter: Emitter = KafkaEmitter(*parts)
        if settings.transactions:
            emitter = TransactionalEmitter(*parts, settings.topic("tidecast-counting"), "counting")
        made.add("tidecast-counting", Counting(store, pause, most, only), emitter)

    with Slot(settings.data / "run", kind) as slot:
        asyncio.run(Telling(settings, kind, slot, 0).run(equip))


if __name__ == "__main__":
    kinds = (str, float, int, int)
    try:
        main(*(kind(word) for kind, word in zip(kinds, sys.argv[1:], strict=False)))  # type: ignore[arg-type]
    except TidecastError as error:
        print(f"tidecast: {error}", file=sys.stderr)
        sys.exit(1)
