"""Signed ticks of an external clock.

The signature is implemented here again, from the description in streams/control and streams/keys, because load imports
nothing of Tidecast but its schemas."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import click
from confluent_kafka import Consumer, TopicPartition

from load.wire import Wire, prefixed
from schemas.records import TICK, TickRecord

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class TickKey:
    """What signs the ticks of one log: the key's id and bytes, topic prefix and log epoch. Without
    bytes nothing does."""

    id: str
    key: bytes
    system: str = ""
    epoch: int = 0


NO_KEY = TickKey("", b"")


def tick_key(stack: dict[str, Any], topic: str = "") -> TickKey:
    """Return the tick key of a stack's deployed system. `topic`: its `deployments`; default: with the set prefix.

    Raises ClickException when nothing is deployed."""
    topic = topic or prefixed("deployments")
    epoch = _epoch(stack, topic)
    if not stack.get("signing_keys"):
        return TickKey("", stack["signing_key"].encode())
    id, _, secret = stack["signing_keys"].split(",")[0].partition("=")
    derived = hmac.new(secret.encode(), b"tidecast ticks", hashlib.sha256).digest()
    return TickKey(id, derived, topic.removesuffix("deployments"), epoch)


def signed_tick(time_ms: int, writer: str, key: TickKey, partition: int) -> TickRecord:
    """Return a record tidecast.Tick for a partition of customer-events."""
    tick: TickRecord = {"time": time_ms, "writer": writer, "signature": None, "gap": None}
    if key.key:
        log = [2, key.system, key.epoch] if key.id else []
        place = [*log, TICK, "customer-events", partition, {"time": time_ms, "writer": writer}]
        text = json.dumps(place, sort_keys=True, separators=(",", ":"))
        mac = hmac.new(key.key, text.encode(), hashlib.sha256).digest()
        tick["signature"] = b"\x02" + bytes([len(key.id)]) + key.id.encode() + mac if key.id else mac
    return tick


def _epoch(stack: dict[str, Any], topic: str) -> int:
    """Return the log epoch, which every deployment record of a log names."""
    consumer = Consumer({"bootstrap.servers": stack["kafka"], "group.id": "load", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = consumer.poll(TIMEOUT_S)
        value = None if found is None or found.error() else found.value()
    finally:
        consumer.close()
    if value is None:
        raise click.ClickException(f"{topic} holds no deployment: run `tidecast deploy`")
    return int(Wire(stack["registry"]).decode(value)[1]["epoch"])
