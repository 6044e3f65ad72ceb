"""The events of a chaos run expose a scorer that mistakes ids, without any fault."""

from collections import Counter
from importlib import import_module

import pytest

from load.chaos.events import messages
from load.chaos.guards.sabotage import GUARDS
from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import sign
from streams.deployment import Fingerprint, deploy_of
from streams.log import Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from streams.usecases import load_use_case
from tests.replay.world import KEY

PLACE = TopicPartition(CUSTOMER_EVENTS, 0)
CASE = load_use_case("load/chaos/use_case")
CODEC = Codec(MemoryRegistry(), load_schemas() | CASE.schemas)
DEPLOYMENT = deploy_of(CASE, 1, 1, {}, Fingerprint("", "", "", ""))


def log() -> list[Record]:
    """The log of a run in one partition, without the passing of time."""
    signed = sign("tidecast.Deployment", DEPLOYMENT.to_record(), KEY, *PLACE)
    values: list[tuple[bytes | None, bytes, int]] = [(None, CODEC.encode("tidecast.Deployment", signed), 0)]
    for message in messages(7, 5, 600):
        value = CODEC.encode(message.name, message.record) if message.name else message.record
        values.append((message.key or message.record["customer_id"].encode(), value, message.time))
    return [Record(offset, time, key, value) for offset, (key, value, time) in enumerate(values)]


def counters() -> Counter[str]:
    store = MemoryScoringStore()
    list(replay(Scoring(CASE, DEPLOYMENT, store, CODEC, MemoryModelStore(), KEY), {PLACE: log()}))
    return Counter(PartitionHeader.unpack(store.positions([0])[0][1]).counters)


@pytest.mark.parametrize("guard", ["event-digests", "id-kinds", "id-contents"])
def test_without_a_guard_other_records_are_accepted(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = counters()
    assert min(right[fate] for fate in ("duplicate", "conflicts", "dead")) > 2
    for module, attribute, make in GUARDS[guard].patches:
        holder = import_module(module)
        *outer, name = attribute.split(".")
        for part in outer:
            holder = getattr(holder, part)
        monkeypatch.setattr(holder, name, make(getattr(holder, name)))
    wrong = counters()
    assert wrong != right
    assert (wrong["accepted"] > right["accepted"]) == (guard == "event-digests")
