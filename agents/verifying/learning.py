"""Verifies learning by replay: every version of every arm, and the switches that serve them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256

from agents.stages import StageRow
from agents.verifying.finding import Finding
from agents.verifying.live import Live
from schemas.records import SWITCH, SwitchRecord
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.control import check
from streams.errors import Undecodable
from streams.learning.stage import Learning
from streams.log import Record, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.models.version import Version

Sent = dict[tuple[int, bytes], str]
"""(partition of customer-events, digest of a switch's value) → its version. Each partition holds a copy."""


@dataclass
class ReplayedArm:
    """An arm that learns again from the beginning of its log."""

    name: str
    stage: Learning
    models: MemoryModelStore
    sent: Sent = field(default_factory=dict)
    later: set[str] = field(default_factory=set)
    """Snapshots after the newest one in the model store. A learner that has stopped makes them later."""


class LearningCheck:
    """Checks snapshots, byte for byte, and switches."""

    def __init__(self, live: Live, row: StageRow) -> None:
        self._live = live
        self._row = row
        self._arms: dict[TopicPartition, list[ReplayedArm]] = {}
        self._switches = Finding(f"{row.name}/switches", row.results)
        self._sent: Sent = {}
        self._digests: dict[str, bytes | None] = {}
        for target in live.use_case.targets:
            place = TopicPartition(LABELLED_EXAMPLES, live.deployment.target_partitions[target.name])
            for arm in target.arms:
                empty = MemoryModelStore()
                stage = Learning(live.use_case, target, arm, live.deployment, empty, live.codec, live.keys)
                stage.assign([place])
                self._arms.setdefault(place, []).append(ReplayedArm(f"{target.name}/{arm.name}", stage, empty))

    def wants(self, place: TopicPartition) -> bool:
        """See Check: the targets' examples, and the topic of the switches."""
        return place in self._arms or place.topic == CUSTOMER_EVENTS

    def feed(self, place: TopicPartition, records: Sequence[Record]) -> None:
        """See Check."""
        if place.topic == CUSTOMER_EVENTS:
            for raw in records:
                if raw.key is None and raw.value is not None:
                    self._served(place, raw.value)
            return
        for arm in self._arms[place]:
            for slice_ in arm.stage.process({place: records}):
                for output in slice_.outputs:
                    switch: SwitchRecord = self._live.codec.decode(output.value)[1]
                    arm.sent[output.partition, _digest(output.value)] = switch["version"]
                slice_.commit()

    def end(self, place: TopicPartition) -> None:
        """See Check."""

    def findings(self) -> Iterator[Finding]:
        """See Check."""
        expected: Sent = {}
        for arms in self._arms.values():
            for arm in arms:
                yield self._versions(arm)
                expected |= {key: version for key, version in arm.sent.items() if path_of(version) not in arm.later}
        self._switches.compared = len(expected)
        for partition, digest in sorted(expected.keys() - self._sent.keys()):
            where = f"{CUSTOMER_EVENTS}[{partition}]"
            self._switches.differs(f"the switch to {expected[partition, digest]} was not sent to {where}")
        for partition, digest in sorted(self._sent.keys() - expected.keys()):
            where = f"{CUSTOMER_EVENTS}[{partition}]"
            self._switches.differs(
                f"a switch to {self._sent[partition, digest]} in {where} does not come from the replay"
            )
        yield self._switches

    def _versions(self, arm: ReplayedArm) -> Finding:
        """Compare the versions up to the newest one in the model store."""
        ours, theirs = (set(store.list(f"{arm.name}/")) for store in (self._live.models, arm.models))
        later = {path for path in theirs if ours and path > max(ours)}
        arm.later = later
        theirs -= later
        finding = Finding(f"{self._row.name}/{arm.name}", f"{self._row.state} of {arm.name}", len(theirs))
        finding.left = len(later)
        for path in sorted(ours - theirs):
            finding.differs(f"{path} is in the model store, but the replay does not make it")
        for path in sorted(theirs - ours):
            finding.differs(f"{path} is not in the model store")
        for path in sorted(ours & theirs):
            if self._live.models.get(path) != arm.models.get(path):
                finding.differs(f"{path} has other bytes")
        return finding

    def _served(self, place: TopicPartition, value: bytes) -> None:
        """Check that a signed switch names a snapshot that exists."""
        try:
            name, record = self._live.codec.decode(value)
        except Undecodable:
            return
        if name != SWITCH or not check(name, record, self._live.keys, *place):
            return
        switch: SwitchRecord = record
        known = len(self._sent)
        self._sent[place.partition, _digest(value)] = switch["version"]
        if len(self._sent) == known:
            self._switches.repeated += 1
        else:
            self._check_snapshot(place, switch)

    def _check_snapshot(self, place: TopicPartition, switch: SwitchRecord) -> None:
        path = switch["snapshot"]
        if path not in self._digests:
            try:
                self._digests[path] = sha256(self._live.models.get(path)).digest()
            except KeyError:
                self._digests[path] = None
        found = self._digests[path]
        if found != switch["digest"]:
            wrong = "is not in the model store" if found is None else "has a digest other than the switch names"
            self._switches.differs(f"{place.topic}[{place.partition}], switch to {switch['version']}: {path} {wrong}")


def path_of(version: str) -> str:
    """Return the path of a version's snapshot."""
    return Version.parse(version).path


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
