"""A worker process with the counting stage: python -m tests.integration.runtime.counting KIND (PAUSE MOST ONLY).

TEST_SESSION_S is how long its session in the consumer group lasts; see also `Telling` and the stage."""

import asyncio
import logging
import os
import sys
from pathlib import Path

from agents.cli import TidecastError
from agents.runtime.slots import Slot
from agents.runtime.worker import Worker
from agents.settings import load_settings
from agents.transport import app
from sinks.kafka.producer import KafkaEmitter
from sinks.kafka.transactional import TransactionalEmitter
from sinks.redis.client import connect
from sinks.redis.stage_store import RedisStageStore
from streams.log import Emitter
from tests.integration.runtime.counting.stage import Counting


class Telling(Worker):
    """A worker that makes the file `stopping` in the folder TEST_BATCHES when it begins to stop."""

    async def _stop(self) -> bool:
        if "TEST_BATCHES" in os.environ:
            (Path(os.environ["TEST_BATCHES"]) / "stopping").touch()
        return await super()._stop()


def main(kind: str, pause: float = 0.0, most: int = 500, only: int | None = None) -> None:
    settings = load_settings()
    app.SESSION_TIMEOUT_S = float(os.environ.get("TEST_SESSION_S", app.SESSION_TIMEOUT_S))
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def equip(worker: Worker) -> None:
        store = RedisStageStore(connect(**settings.redis()), 0, settings.topic_prefix)
        parts = (settings.confluent(), settings.topic)
        emitter: Emitter = KafkaEmitter(*parts)
        if settings.transactions:
            emitter = TransactionalEmitter(*parts, settings.topic("tidecast-counting"), "counting")
        worker.add("tidecast-counting", Counting(store, pause, most, only), emitter)

    with Slot(settings.data / "run", kind) as slot:
        asyncio.run(Telling(settings, kind, slot, 0).run(equip))


if __name__ == "__main__":
    kinds = (str, float, int, int)
    try:
        main(*(kind(word) for kind, word in zip(kinds, sys.argv[1:], strict=False)))  # type: ignore[arg-type]
    except TidecastError as error:
        print(f"tidecast: {error}", file=sys.stderr)
        sys.exit(1)
