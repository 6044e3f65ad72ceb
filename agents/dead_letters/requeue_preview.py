"""Predicts what becomes of a dead letter that is sent again now, by the deployment in force and today's registry."""

import json
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from agents.dead_letters.rejected import RejectedLetter
from agents.settings import Settings
from schemas.catalog import Schema, load_schemas
from schemas.records import OUTCOME
from sinks.redis.client import connect
from sinks.redis.scoring_store import RedisScoringStore
from streams.avro.codec import Codec, SchemaRegistry
from streams.deployment import Deployment
from streams.errors import DeadReason, Undecodable
from streams.features.window import duration_ms
from streams.keys import Keys
from streams.log import Record
from streams.partitioner import partition_of_key
from streams.scoring.intake import CONTROLS, Intake, Taken, check_outcome
from streams.timeline import PartitionHeader


class RequeueOutcome(StrEnum):
    """What would become of a dead letter that is sent again."""

    FINE = "fine"
    LATE = "late"
    AGAIN = "again"
    CONTROL = "control"
    NOTHING = "nothing"


class Preview(NamedTuple):
    """The partition that a dead letter would go to, the expected outcome, and the reason."""

    partition: int
    outcome: RequeueOutcome
    why: str = ""


class RequeueCheck:
    """Judges dead letters as scoring would now. It needs the deployment only, not the use case's module."""

    def __init__(
        self,
        deployment: Deployment,
        registry: SchemaRegistry,
        headers: Mapping[int, PartitionHeader],
        keys: Keys,
    ) -> None:
        """`headers`: scoring's state of each partition."""
        definitions = json.loads(deployment.definitions)
        events: dict[str, Schema] = {
            f"{deployment.use_case}.{short}": schema for short, schema in definitions["events"].items()
        }
        self.codec = Codec(registry, {**load_schemas(), **events})
        self._partitions = deployment.partitions
        self._lateness = duration_ms(definitions["allowed_lateness"])
        self._kinds: dict[str, str] = {target["name"]: target["kind"] for target in definitions["targets"]}
        ahead = duration_ms(definitions["max_ahead"])
        self._intake = Intake(self.codec, events, deployment.partitions, ahead, keys)
        self._headers = headers

    @classmethod
    def now(cls, settings: Settings, deployment: Deployment, registry: SchemaRegistry) -> "RequeueCheck":
        """Return a check against the present state of scoring. Raises Unavailable when Redis does not answer."""
        store = RedisScoringStore(connect(**settings.redis()), deployment.epoch, settings.topic_prefix)
        found = store.positions(range(deployment.partitions))
        headers = {partition: PartitionHeader.unpack(packed) for partition, (_, packed) in found.items()}
        return cls(deployment, registry, headers, settings.keys.of_log(deployment.epoch))

    def of(self, rejected: RejectedLetter) -> Preview:
        """Return the preview of a dead letter. Raises Unavailable while the registry is away."""
        key, value = rejected.record["key"], rejected.value
        partition = partition_of_key(key, self._partitions) if key else rejected.record["source"]["partition"]
        if rejected.record["reason"] == DeadReason.FAILED.value and value is None:
            return Preview(partition, RequeueOutcome.NOTHING, "a timer failed, not a record: nothing can be sent again")
        header = self._headers.get(partition, PartitionHeader())
        try:
            raw = Record(rejected.record["source"]["offset"], int(time.time() * 1000), key, value)
            taken = self._intake.take(partition, raw, header.last_tick)
            if taken.name == OUTCOME:
                check_outcome(self._kinds, taken.record)
        except Undecodable as refused:
            outcome = RequeueOutcome.CONTROL if refused.reason is DeadReason.BAD_CONTROL else RequeueOutcome.AGAIN
            return Preview(partition, outcome, f"{refused.reason.value}: {refused.detail}")
        if rejected.record["reason"] == DeadReason.CONFLICTING_ID.value:
            return Preview(partition, RequeueOutcome.AGAIN, f"{rejected.record['reason']}: {rejected.record['detail']}")
        if taken.name in CONTROLS:
            return Preview(
                partition, RequeueOutcome.CONTROL, f"{taken.name} is a control record: only its writer may send it"
            )
        return self._check_time(partition, taken, header)

    def _check_time(self, partition: int, taken: Taken, header: PartitionHeader) -> Preview:
        watermark = header.watermark(self._lateness)
        if taken.event and watermark is not None and taken.record["occurred_at"] < watermark:
            return Preview(
                partition, RequeueOutcome.LATE, "it is older than the watermark by now: it will be a late event"
            )
        return Preview(partition, RequeueOutcome.FINE)
