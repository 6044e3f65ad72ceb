"""Verify: replay the recorded logs of the stages into empty stores and compare with the live ones."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from agents.reading import LogReader
from agents.settings import Settings
from agents.wiring import connect_system
from schemas.topics import (
    CUSTOMER_EVENTS,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    FEATURE_PROFILES,
    LABELLED_EXAMPLES,
    LATE_EVENTS,
    MODEL_METRICS,
    PREDICTIONS,
)
from streams.codec import Codec
from streams.deployment import Deployment
from streams.judging import Judging
from streams.learning import Learning
from streams.log import TopicPartition
from streams.models.memory import MemoryModelStore
from streams.models.store import ModelStore
from streams.monitoring import Monitoring
from streams.replay import Fingerprints, replay
from streams.scoring import Scoring
from streams.state.compare import differences
from streams.state.memory import MemoryScoringStore, MemoryStageStore
from streams.state.store import ScoringStore, StageStore
from streams.usecases import UseCase

SHOWN = 10
"""Differences told per check."""


@dataclass
class Finding:
    """One check: what was compared, how many, and the first differences."""

    what: str
    compared: int
    differences: list[str] = field(default_factory=list)


@dataclass
class Live:
    """What a running system left behind, and how to read it."""

    use_case: UseCase
    deployment: Deployment
    codec: Codec
    scoring: ScoringStore
    stages: StageStore
    models: ModelStore
    signing_key: bytes
    reader: LogReader

    def places(self, topic: str) -> list[TopicPartition]:
        """All partitions of a topic."""
        return self.reader.partitions(topic)

    def state(self) -> object:
        """Where scoring stands and how long the logs are: changes when anything goes on."""
        positions = self.scoring.positions(range(self.deployment.partitions))
        topics = (CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS, FEATURE_PROFILES)
        ends = {place: self.reader.bounds(place)[1] for topic in topics for place in self.places(topic)}
        return ({p: position for p, (position, _) in positions.items()}, ends)

    def fingerprints(self, topics: Sequence[str]) -> Fingerprints:
        """What a reader that keeps marks sees of these topics now."""
        prints = Fingerprints(self.codec)
        for topic in topics:
            for place in self.places(topic):
                for record in self.reader.read(place):
                    prints.add(topic, place.partition, record.value)
        return prints


@contextmanager
def connect(settings: Settings, use_case: str | None) -> Iterator[Live]:
    """What there is to verify, connected; SettingError when nothing is deployed."""
    wiring = connect_system(settings, use_case)
    with LogReader(settings) as reader:
        yield Live(
            wiring.use_case,
            wiring.deployment,
            wiring.codec,
            wiring.scoring_store,
            wiring.stage_store,
            wiring.models,
            settings.signing_bytes,
            reader,
        )


Told = Callable[[str], None]


def verify_scoring(live: Live, tell: Told) -> Iterator[Finding]:
    """Features, open observations, timers, counters; predictions, examples, late events, dead letters."""
    positions = live.scoring.positions(range(live.deployment.partitions))
    outputs = (PREDICTIONS, LABELLED_EXAMPLES, LATE_EVENTS, DEAD_LETTERS)
    expected, actual = Fingerprints(live.codec), live.fingerprints(outputs)
    found: list[str] = []
    customers = 0
    for partition, (position, _) in sorted(positions.items()):
        place = TopicPartition(CUSTOMER_EVENTS, partition)
        tell(f"scoring: partition {partition}, {position.offset} records")
        empty = MemoryScoringStore()
        stage = Scoring(live.use_case, live.deployment, empty, live.codec, live.models, live.signing_key)
        for slice_outputs in replay(stage, {place: live.reader.read(place, 0, position.offset)}):
            for output in slice_outputs:
                expected.add(output.topic, output.partition, output.value)
        customers += len(empty.customers(partition))
        found += islice(differences(live.scoring, empty, partition), SHOWN)
    yield Finding("customer states, open observations, timers, counters", customers, found)
    yield compare("predictions, examples, progress, late events, dead letters by id", actual, expected)


def verify_learning(live: Live, tell: Told) -> Iterator[Finding]:
    """Every snapshot of every arm, byte for byte."""
    for target in live.use_case.targets:
        place = TopicPartition(LABELLED_EXAMPLES, live.deployment.target_partitions[target.name])
        for arm in target.arms:
            tell(f"learning: {target.name}/{arm.name}")
            empty = MemoryModelStore()
            stage = Learning(live.use_case, target, arm, live.deployment, empty, live.codec, live.signing_key)
            for _ in replay(stage, {place: live.reader.read(place)}):
                pass
            prefix = f"{target.name}/{arm.name}/"
            ours, theirs = live.models.list(prefix), empty.list(prefix)
            finding = Finding(f"model versions of {target.name}/{arm.name}", len(ours))
            for path in sorted({*ours} ^ {*theirs}):
                finding.differences.append(f"{path} is in one store only")
            for path in sorted({*ours} & {*theirs}):
                if live.models.get(path) != empty.get(path):
                    finding.differences.append(f"{path} has other bytes")
            yield finding


def verify_judging(live: Live, tell: Told) -> Iterator[Finding]:
    """Metrics and detectors per target, and what they put out."""
    empty = MemoryStageStore()
    expected = Fingerprints(live.codec)
    places = [TopicPartition(LABELLED_EXAMPLES, p) for p in sorted(live.deployment.target_partitions.values())]
    found = []
    for place in places:
        tell(f"judging: partition {place.partition}")
        stage = Judging(live.use_case, live.deployment, empty, live.codec, live.signing_key)
        for slice_outputs in replay(stage, {place: live.reader.read(place)}):
            for output in slice_outputs:
                expected.add(output.topic, output.partition, output.value)
        found += _blob_differences(live.stages, empty, "judging", [place])
    yield Finding("metrics and detectors", len(places), found)
    actual = live.fingerprints((MODEL_METRICS, DRIFT_ALERTS))
    yield compare("model metrics and loss alerts by id", _from(actual, LABELLED_EXAMPLES), expected)


def verify_monitoring(live: Live, tell: Told) -> Iterator[Finding]:
    """Profiles per partition, merged profiles and input-drift alerts."""
    empty = MemoryStageStore()
    expected = Fingerprints(live.codec)
    places = [*live.places(PREDICTIONS), *live.places(FEATURE_PROFILES)]
    for place in places:
        tell(f"monitoring: {place.topic}, partition {place.partition}")
        stage = Monitoring(live.use_case, live.deployment, empty, live.codec)
        for slice_outputs in replay(stage, {place: live.reader.read(place)}):
            for output in slice_outputs:
                expected.add(output.topic, output.partition, output.value)
    yield Finding("profiles in the making", len(places), _blob_differences(live.stages, empty, "monitoring", places))
    actual = live.fingerprints((FEATURE_PROFILES, DRIFT_ALERTS))
    yield compare("profiles and input alerts by id", _from(actual, PREDICTIONS, FEATURE_PROFILES), expected)


CHECKS = {
    "scoring": verify_scoring,
    "learning": verify_learning,
    "judging": verify_judging,
    "monitoring": verify_monitoring,
}


def compare(what: str, actual: Fingerprints, expected: Fingerprints) -> Finding:
    """Two readers' views of the same topics."""
    difference = actual.difference(expected)
    return Finding(what, len(expected), [] if difference is None else [difference])


def _from(prints: Fingerprints, *sources: str) -> Fingerprints:
    """Only what these source topics caused."""
    prints.seen = {place: records for place, records in prints.seen.items() if place[2] in sources}
    return prints


def _blob_differences(ours: StageStore, theirs: StageStore, stage: str, places: Sequence[TopicPartition]) -> list[str]:
    found = []
    for topic, partition in places:
        live, calm = (store.read(stage, topic, partition) for store in (ours, theirs))
        if live != calm:
            at = [kept[0] if kept else None for kept in (live, calm)]
            found.append(f"{stage} of {topic}[{partition}]: state at {at[0]} against {at[1]} differs")
    return found
