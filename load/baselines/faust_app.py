"""The job as a plain faust-streaming app: an agent, a table of customers with its changelog topic, topics of bytes.

Configured for throughput as Faust's documentation advises: a larger stream buffer, and a producer that lingers. All
acks are required, since the changelog is the only durable copy of the state. The table's store is memory://, which
is rebuilt from the changelog at the start. The documentation prefers rocksdb:// in production, but neither rocksdb
nor uvloop is a dependency of this project. On this job memory is the faster store: each event reads and writes it."""

from typing import Any

import faust
import msgpack
from faust.serializers import codecs

from load.baselines.features import Tiles
from load.baselines.job import BaselineJob, tune_garbage_collector
from load.baselines.run_settings import RunSettings


class MessagePackCodec(codecs.Codec):  # type: ignore[misc]
    """MessagePack. Faust's JSON would turn slots into strings, and is several times slower."""

    def _dumps(self, value: Any) -> Any:
        return msgpack.packb(value)

    def _loads(self, data: bytes) -> Any:
        return msgpack.unpackb(data, strict_map_key=False)


codecs.register("baseline-msgpack", MessagePackCodec())


class TableCustomer(faust.Record, serializer="baseline-msgpack", include_metadata=False):  # type: ignore[misc, call-arg]
    """A customer in the table: see features.CustomerTiles."""

    hours: Tiles
    days: Tiles
    seen: dict[str, int]
    clock: int


def newcomer() -> TableCustomer:
    """Return a customer without history."""
    return TableCustomer(hours={}, days={}, seen={}, clock=0)


def build(settings: RunSettings) -> faust.App:
    """Return the app. It connects to nothing before it starts."""
    job = BaselineJob(settings.events_topic, settings.prediction_id)

    class ActivityCodec(codecs.Codec):  # type: ignore[misc]
        def _loads(self, data: bytes) -> Any:
            return job.decode(data)

    app = faust.App(
        settings.group,
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        topic_partitions=settings.partitions,
        topic_disable_leader=True,
        web_enabled=False,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        broker_max_poll_records=5000,
        producer_acks=-1,
        producer_linger=0.05,
        producer_max_batch_size=262_144,
        worker_redirect_stdouts=False,
    )
    events = app.topic(settings.events_topic, key_type=bytes, value_serializer=ActivityCodec())
    predictions = app.topic(settings.predictions_topic, key_type=bytes, value_type=bytes)
    customers = app.Table("customers", default=newcomer, key_type=bytes, value_type=TableCustomer)

    @app.agent(events)  # type: ignore[untyped-decorator]
    async def score(stream: Any) -> None:
        async for event in stream.events():
            customer = customers[event.key]
            message = event.message
            answers = job.answer(customer, event.value, message.partition, message.offset)
            customers[event.key] = customer  # writes to the changelog
            for answer in answers:
                await predictions.send(key=event.key, value=answer)

    @app.on_worker_init.connect  # type: ignore[untyped-decorator]
    def started(_app: faust.App, **_: Any) -> None:
        tune_garbage_collector()

    return app


def run(settings: RunSettings) -> None:
    """Run until SIGTERM."""
    worker = faust.Worker(build(settings), loglevel="WARNING")
    worker.spinner = None  # it sets the root logger to DEBUG: two log records per message
    worker.execute_from_commandline()
