"""Compares two scoring stores, byte for byte."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from operator import eq

from streams.identity import Position
from streams.state.store import ScoringStore
from streams.timeline import PartitionHeader

CHUNK = 5000
ALL_TIME = 1 << 52
"""A time in ms after every due time, exact as a double."""


def differences(
    ours: ScoringStore,
    theirs: ScoringStore,
    partition: int,
    customers: Iterable[str],
    same_state: Callable[[bytes | None, bytes | None], bool] = eq,
) -> Iterator[str]:
    """Return sentences that say where two stores differ in a partition: position, counters, customers, timers.

    `customers`: those of our store. Listing them can be slow, so the caller does it once for all partitions.
    `same_state`: whether a state of our store agrees with one of theirs."""
    yield from _position_differences(ours, theirs, partition)
    names = sorted({*customers, *theirs.customers([partition])[partition]})
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        kept, other = (store.load({partition: part})[partition] for store in (ours, theirs))
        for name in part:
            if kept[name] == other[name]:
                continue
            if not same_state(kept[name].state, other[name].state):
                yield f"partition {partition}: features of customer {name!r} differ"
            elif kept[name].observations != other[name].observations:
                yield f"partition {partition}: open observations of customer {name!r} differ"
    timers = [set(store.due(partition, ALL_TIME, 1 << 40)) for store in (ours, theirs)]
    for due, name in islice(sorted(timers[0] ^ timers[1]), 10):
        yield f"partition {partition}: timer of customer {name!r} at {due} is in one store only"


def _position_differences(ours: ScoringStore, theirs: ScoringStore, partition: int) -> Iterator[str]:
    (at, header), (other_at, other_header) = (
        store.positions([partition]).get(partition, (Position(0), b"")) for store in (ours, theirs)
    )
    if at != other_at:
        yield f"partition {partition}: position {at} against {other_at}"
    if header == other_header:
        return
    headers = [PartitionHeader.unpack(packed) if packed else None for packed in (header, other_header)]
    fields, other = (asdict(header) if header else {} for header in headers)
    wrong = [name for name in fields.keys() | other.keys() if fields.get(name) != other.get(name)]
    for name in sorted(wrong):
        yield f"partition {partition}: {name} is {fields.get(name)} against {other.get(name)}"
    if not wrong and len({header and header.pack() for header in headers}) > 1:  # earlier versions had fewer counters
        yield f"partition {partition}: the header has other bytes"
