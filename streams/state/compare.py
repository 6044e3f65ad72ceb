"""Whether two scoring stores hold the same, byte for byte."""

from collections.abc import Iterator
from itertools import islice

from streams.state.store import ScoringStore

CHUNK = 5000
ALL_TIME = 1 << 52
"""ms; beyond every due time and exact as a double."""


def differences(ours: ScoringStore, theirs: ScoringStore, partition: int) -> Iterator[str]:
    """Sentences that say where the two differ in a partition: position, counters, customers, timers."""
    a, b = (store.positions([partition]).get(partition) for store in (ours, theirs))
    if a != b:
        yield f"partition {partition}: position or header {a} against {b}"
    names = sorted({*ours.customers(partition), *theirs.customers(partition)})
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        kept, other = (store.load({partition: part})[partition] for store in (ours, theirs))
        for name in part:
            if kept[name] != other[name]:
                what = "features" if kept[name].state != other[name].state else "open observations"
                yield f"partition {partition}: {what} of customer {name!r} differ"
    timers = [set(store.due(partition, ALL_TIME, 1 << 40)) for store in (ours, theirs)]
    for due, name in islice(sorted(timers[0] ^ timers[1]), 10):
        yield f"partition {partition}: timer of customer {name!r} at {due} is in one store only"
