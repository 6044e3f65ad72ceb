"""Compares records that are to be published with those that the log has, and with where its clock stands."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from agents.importing.checks.identities import Identities, content_of, identity_of
from agents.kafka.log_reader import LogReader
from agents.settings import Settings
from schemas.records import OUTCOME, TICK
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.control import check
from streams.deployment import Deployment
from streams.errors import Undecodable
from streams.keys import Keys
from streams.log import TopicPartition
from streams.partitioner import partition_of

WINDOWS = (500, 20_000, 1_000_000)
"""Records at the end of a partition among which the last tick is looked for, before the whole partition."""
BATCH = 5000


@dataclass(frozen=True, slots=True)
class LogClock:
    """The last tick of each partition, ms; None before the first."""

    ticks: tuple[int | None, ...]

    @property
    def reached(self) -> int | None:
        """The latest tick of all partitions."""
        return max((tick for tick in self.ticks if tick is not None), default=None)

    def late(self, lateness: int) -> Callable[[str, int], bool]:
        """Return a function that says whether an event of a customer at a time is late."""
        if self.reached is None:
            return lambda customer, time: False
        count = len(self.ticks)
        partition = lru_cache(maxsize=200_000)(lambda customer: partition_of(customer, count))

        def is_late(customer: str, time: int) -> bool:
            tick = self.ticks[partition(customer)]
            return tick is not None and time < tick - lateness

        return is_late


@dataclass(slots=True)
class LogComparison:
    """What the log has of the records. conflicts: places of records whose id it has with other contents.
    remapped: records of the same files that were published by another mapping."""

    conflicts: set[int] = field(default_factory=set)
    remapped: int = 0


def log_clock(settings: Settings, codec: Codec, deployment: Deployment) -> LogClock:
    """Read where the clock of the deployed partitions of customer-events stands."""
    keys = settings.keys.of_log(deployment.epoch)
    with LogReader(settings) as reader:
        places = [TopicPartition(CUSTOMER_EVENTS, partition) for partition in range(deployment.partitions)]
        return LogClock(tuple(_last_tick(reader, place, keys, codec) for place in places))


def _last_tick(reader: LogReader, place: TopicPartition, keys: Keys, codec: Codec) -> int | None:
    low, high = reader.bounds(place)
    for window in (*WINDOWS, high - low):
        last = None
        for record in reader.read(place, max(low, high - window), high):
            if record.key is not None:
                continue
            try:
                name, tick = codec.decode(record.value, {TICK})
            except Undecodable:
                continue
            if check(name, tick, keys, CUSTOMER_EVENTS, place.partition):
                last = tick["time"] if last is None else max(last, tick["time"])
        if last is not None or high - window <= low:
            return last
    return None


def log_size(settings: Settings) -> int:
    """Return the number of records that a comparison reads."""
    with LogReader(settings) as reader:
        return sum(high - low for low, high in map(reader.bounds, reader.partitions(CUSTOMER_EVENTS)))


def compare_log(
    settings: Settings,
    codec: Codec,
    names: Collection[str],
    identities: Identities,
    fallbacks: Collection[str],
    advance: Callable[[int], None],
) -> LogComparison:
    """Read the log and compare it with sorted identities.

    names: full names of the records to be published. fallbacks: starts of the ids that files give to their rows."""
    found = LogComparison()
    digests = tuple({fallback.split("-")[0] + "-" for fallback in fallbacks})
    ours = tuple(fallback + "-" for fallback in fallbacks)
    with LogReader(settings) as reader:
        for batch in _batches(reader, advance):
            keys, contents = [], []
            for value in batch:
                try:
                    name, record = codec.decode(value, names)
                except Undecodable:
                    continue
                id = record["outcome_id" if name == OUTCOME else "event_id"]
                keys.append(identity_of(name, record["customer_id"], id))
                written = codec.encode(name, record) if value[:5] != codec.header(name) else value
                contents.append(content_of(written))
                found.remapped += id.startswith(digests) and not id.startswith(ours)
            found.conflicts.update(identities.compare(keys, contents))
    return found


def _batches(reader: LogReader, advance: Callable[[int], None]) -> Iterator[list[bytes]]:
    """Yield the values of all records that customers caused."""
    batch: list[bytes] = []
    for place in reader.partitions(CUSTOMER_EVENTS):
        low, _ = reader.bounds(place)
        for count, record in enumerate(reader.read(place, low), 1):
            if count % BATCH == 0:
                advance(BATCH)
            if record.key is not None and record.value is not None:
                batch.append(record.value)
            if len(batch) >= BATCH:
                yield batch
                batch = []
    yield batch
