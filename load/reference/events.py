"""The events of the reference job: 84 bytes, 48,000 customers (Zipf 0.8), mostly in order. Seeded."""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

START_MS = 1_704_067_200_000
DAY_MS = 86_400_000
CUSTOMERS = 48_000
EVENTS, DAYS = 500_000, 30
"""Events of the whole job, and the days over which they are spread."""
TYPES = ("call", "sms", "data", "topup")
NAME = "reference.Activity"


def activities(count: int, days: float, seed: int, start_ms: int = START_MS) -> Iterator[dict[str, Any]]:
    """Yield `count` events, evenly spread over `days`, some up to 10 minutes out of order. Event ids differ between
    seeds."""
    rng = random.Random(seed)
    weights = list(accumulate(1 / (rank + 1) ** 0.8 for rank in range(CUSTOMERS)))
    customers = rng.choices(range(CUSTOMERS), cum_weights=weights, k=count)
    step = days * DAY_MS / count
    for number, customer in enumerate(customers):
        moment = start_ms + int(number * step)
        kind = rng.choices(TYPES, (0.4, 0.2, 0.35, 0.05))[0]
        yield {
            "event_id": f"{seed:020d}-{number:013d}",
            "customer_id": f"c{customer:05d}",
            "type": kind,
            "occurred_at": max(start_ms, moment - rng.randrange(600_000) if rng.random() < 0.05 else moment),
            "amount": None if kind == "sms" else round(rng.expovariate(0.1), 2),
            "props": {"quality": round(rng.random(), 3)},
            "source": "",
        }
