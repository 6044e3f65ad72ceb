"""The use case and the events of a chaos run, valid and broken. The same seed gives the same events."""

import math
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from schemas.records import OUTCOME

USE_CASE = Path(__file__).parent / "use_case"
DAY_S = 2
"""Seconds for a day of the use case, as the publisher counts them."""
CLOCK = 'clock="external",\n    profile_window="2d"'
WALL = f'clock="wall",\n    allowed_lateness="30s",\n    pause_after="6s",\n    profile_window="{2 * DAY_S}s"'
"""The silence after which time is paused is shorter than every silence that is a fault, and longer than a restart."""
DAY_MS = 86_400_000
START_MS = 1_704_067_200_000
"""2024-01-01 UTC."""
CUSTOMERS = 300
VISIT, ORDER = "chaos.Visit", "chaos.Order"


class ChaosMessage(NamedTuple):
    """A record for customer-events.

    time: event time in ms at which it is published. name: its schema; "" for raw bytes. record: its fields, or the
    bytes. key: None means the record's customer."""

    time: int
    name: str
    record: Any
    key: bytes | None = None


def messages(seed: int, days: float, count: int) -> Iterator[ChaosMessage]:
    """Yield about `count` messages in the order of `time`. Most are valid, some are duplicates, late, out of order or
    broken, or have the id of another record."""
    r, ids = random.Random(seed), random.Random(f"{seed} ids")
    leaves = [r.uniform(0.3, 3.0) * days for _ in range(CUSTOMERS)]
    likes = [r.random() for _ in range(CUSTOMERS)]
    before: list[ChaosMessage] = []
    for number in range(count):
        time = START_MS + int(number * days * DAY_MS / count)
        customer = int(CUSTOMERS * r.random() ** 2)
        if (time - START_MS) / DAY_MS > leaves[customer]:
            customer = r.randrange(CUSTOMERS)
        for message in _events(r, f"{seed}-{number}", time, customer, likes[customer]):
            yield message
            before.append(message)
        if len(before) > 500:
            del before[:250]
        if before and r.random() < 0.02:
            yield r.choice(before)._replace(time=time)
        if before and ids.random() < 0.02:
            yield same_id(ids, ids.choice(before), time)
        if r.random() < 0.005:
            yield broken(r, time)


def _events(r: random.Random, id: str, time: int, customer: int, likes: float) -> Iterator[ChaosMessage]:
    """Yield a visit; or an order, sometimes with an outcome from the customer."""
    name = f"customer-{customer:04d}"
    moment = time - _delay(r)
    event = {"event_id": id, "customer_id": name, "occurred_at": max(START_MS, moment), "source": "chaos"}
    if r.random() < 0.7:
        seconds = None if r.random() < 0.1 else round(r.expovariate(0.02), 3)
        yield ChaosMessage(time, VISIT, {**event, "page": f"page {int(30 * r.random() ** 2)}", "seconds": seconds})
        return
    yield ChaosMessage(time, ORDER, {**event, "amount_cents": int(math.exp(r.gauss(6.0 + likes, 1.0)))})
    if r.random() < 0.4:
        value = float(r.random() < likes)
        outcome = {"outcome_id": f"o-{id}", "customer_id": name, "target": "likes", "prediction_id": None}
        when = moment + r.randrange(1, 3_600_000)
        yield ChaosMessage(time, OUTCOME, {**outcome, "occurred_at": when, "value": value, "source": "chaos"})


def _delay(r: random.Random) -> int:
    """Return the milliseconds by which an event is published late: mostly none, sometimes minutes, rarely days."""
    share = r.random()
    if share < 0.9:
        return 0
    return r.randrange(1_800_000) if share < 0.99 else r.randrange(3, 6) * DAY_MS


def same_id(r: random.Random, first: ChaosMessage, time: int) -> ChaosMessage:
    """Return a record that has the id of the first: one of another kind, or the same with other contents."""
    fields = first.record
    if first.name == OUTCOME:
        return first._replace(time=time, record={**fields, "value": 1.0 - fields["value"]})
    common = {name: fields[name] for name in ("event_id", "customer_id", "occurred_at", "source")}
    name = r.choice((VISIT, ORDER))
    own = {"page": "another", "seconds": None} if name == VISIT else {"amount_cents": 1 + r.randrange(10)}
    return ChaosMessage(time, name, {**common, **own})


def broken(r: random.Random, time: int) -> ChaosMessage:
    """Return a record that is no valid event: random bytes, no bytes, an unknown schema, or a key of another
    customer."""
    key = f"customer-{r.randrange(CUSTOMERS):04d}".encode()
    kind = r.randrange(5)
    if kind == 0:
        return ChaosMessage(time, "", r.randbytes(r.randrange(1, 200)), key)
    if kind == 1:
        return ChaosMessage(time, "", b"\0" + (2**31 - 1).to_bytes(4, "big") + r.randbytes(20), key)
    if kind == 2:
        return ChaosMessage(time, "", b"", key)
    fields = {"event_id": f"x{r.random()}", "customer_id": "", "occurred_at": time, "page": "", "seconds": None}
    if kind == 3:
        return ChaosMessage(time, VISIT, {**fields, "source": ""}, key)
    return ChaosMessage(time, VISIT, {**fields, "customer_id": "somebody else", "seconds": math.nan, "source": ""}, key)


def wall_use_case(folder: Path) -> Path:
    """Write the use case of chaos, on a wall clock and with horizons and schedules of seconds, into `folder`."""
    shutil.copytree(USE_CASE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "usecase.py"
    text = file.read_text()
    if CLOCK not in text:
        raise ValueError(f"{file} does not declare its clock as expected")
    lines = [_in_seconds(line) for line in text.replace(CLOCK, WALL).splitlines()]
    file.write_text("\n".join(lines) + "\n")
    return folder


def _in_seconds(line: str) -> str:
    """Return a line with its horizons and schedules in seconds; features keep their windows."""
    if not line.lstrip().startswith(("ask=", "outcome=")):
        return line
    return re.sub(r'"(\d+)d"', lambda found: f'"{DAY_S * int(found[1])}s"', line)
