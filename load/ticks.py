"""Signed ticks of an external clock.

The signature is implemented here again, from the description in streams/control, because load imports nothing of
Tidecast but its schemas."""

import hashlib
import hmac
import json

from schemas.records import TICK, TickRecord


def signed_tick(time_ms: int, writer: str, key: str, partition: int) -> TickRecord:
    """Return a record tidecast.Tick for a partition of customer-events. `key`: the system's signing key; "" signs
    nothing."""
    tick: TickRecord = {"time": time_ms, "writer": writer, "signature": None}
    if key:
        fields = {"time": time_ms, "writer": writer}
        text = json.dumps([TICK, "customer-events", partition, fields], sort_keys=True, separators=(",", ":"))
        tick["signature"] = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return tick
