"""Signed ticks of an external clock.

The signature is implemented here again, from the description in streams/control, because load imports nothing of
Tidecast."""

import hashlib
import hmac
import json
from typing import Any

NAME = "tidecast.Tick"


def signed_tick(time_ms: int, writer: str, key: str, partition: int) -> dict[str, Any]:
    """A record tidecast.Tick for a partition of customer-events. `key`: the system's signing key; "" signs nothing."""
    fields = {"time": time_ms, "writer": writer}
    if not key:
        return {**fields, "signature": None}
    text = json.dumps([NAME, "customer-events", partition, fields], sort_keys=True, separators=(",", ":"))
    return {**fields, "signature": hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()}
