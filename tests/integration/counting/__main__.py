"""A worker process with the counting stage: python -m tests.integration.counting KIND (PAUSE MOST ONLY)."""

import asyncio
import logging
import sys

from agents.cli import TidecastError
from agents.settings import load_settings
from agents.slots import Slot
from agents.worker import Worker
from sinks.kafka.producer import KafkaEmitter
from sinks.kafka.transactional import TransactionalEmitter
from sinks.redis.client import connect
from sinks.redis.stage_store import RedisStageStore
from streams.log import Emitter
from tests.integration.counting.stage import Counting


def main(kind: str, pause: float = 0.0, most: int = 500, only: int | None = None) -> None:
    settings = load_settings()
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def equip(worker: Worker) -> None:
        store = RedisStageStore(connect(**settings.redis()), 0, settings.topic_prefix)
        parts = (settings.confluent(), settings.topic)
        emitter: Emitter = KafkaEmitter(*parts)
        if settings.transactions:
            emitter = TransactionalEmitter(*parts, settings.topic("tidecast-counting"), "counting")
        worker.add("tidecast-counting", Counting(store, pause, most, only), emitter)

    with Slot(settings.data / "run", kind) as slot:
        asyncio.run(Worker(settings, kind, slot, 0).run(equip))


if __name__ == "__main__":
    kinds = (str, float, int, int)
    try:
        main(*(kind(word) for kind, word in zip(kinds, sys.argv[1:], strict=False)))  # type: ignore[arg-type]
    except TidecastError as error:
        print(f"tidecast: {error}", file=sys.stderr)
        sys.exit(1)
