"""Ticks of an external clock, signed as streams/control documents it: written here once more, from outside."""

import hashlib
import hmac
import json
from typing import Any

NAME = "tidecast.Tick"


def signed_tick(time_ms: int, writer: str, key: str, partition: int) -> dict[str, Any]:
    """The record tidecast.Tick for a partition of customer-events; `key` is the system's signing key or empty."""
    fields = {"time": time_ms, "writer": writer}
    if not key:
        return {**fields, "signature": None}
    text = json.dumps([NAME, "customer-events", partition, fields], sort_keys=True, separators=(",", ":"))
    return {**fields, "signature": hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()}
