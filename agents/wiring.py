"""The composition root: which implementation stands behind each stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from redis import Redis

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import REMEMBERED, Settings
from schemas.catalog import load_schemas
from sinks.kafka.producer import KafkaEmitter
from sinks.model_store import FsspecModelStore
from streams.avro.codec import Codec
from streams.deployment import Deployment, definitions_of, deployment_id
from streams.errors import DeploymentMismatch
from streams.log import Emitter, Stage
from streams.models.store import ModelStore
from streams.state.store import ScoringStore, StageStore
from streams.usecases import UseCase, load_use_case

TRANSACTIONAL = ("scoring", "judging", "monitoring")
"""Whose outputs TIDECAST_TRANSACTIONS concerns."""


@dataclass
class Wiring:
    """Everything a process needs, made when it is first asked for."""

    settings: Settings
    use_case: UseCase
    deployment: Deployment

    @cached_property
    def codec(self) -> Codec:
        """Over the HTTP registry, with our schemas and the use case's."""
        return Codec(HttpRegistry(self.settings), load_schemas() | self.use_case.schemas)

    @cached_property
    def redis(self) -> Redis:
        """The client for state; the server's eviction policy is checked first."""
        from sinks.redis.client import check_server, connect

        client = connect(**self.settings.redis())
        check_server(client)
        return client

    @cached_property
    def scoring_store(self) -> ScoringStore:
        """Customers' state in Redis."""
        from sinks.redis.scoring_store import RedisScoringStore

        return RedisScoringStore(self.redis, self.deployment.epoch, self.settings.topic_prefix)

    @cached_property
    def stage_store(self) -> StageStore:
        """The other stages' state in Redis."""
        from sinks.redis.stage_store import RedisStageStore

        return RedisStageStore(self.redis, self.deployment.epoch, self.settings.topic_prefix)

    @cached_property
    def models(self) -> FsspecModelStore:
        """Snapshots, a folder per system and log epoch: offsets begin anew with it."""
        folder = f"{self.settings.topic_prefix}{self.deployment.epoch}"
        return FsspecModelStore(f"{self.settings.model_store.rstrip('/')}/{folder}")

    def check(self, verbs: Sequence[str]) -> None:
        """Reach what these verbs cannot start without. SettingError, Unavailable. (History waits for ClickHouse.)"""
        if {"scoring", "judging", "monitoring"} & {*verbs}:
            _ = self.redis

    def emitter(self, verb: str = "") -> Emitter:
        """A producer of outputs; one per stage. Learning's are commands, which do no harm when they come twice."""
        parts = (self.settings.confluent(), self.settings.topic)
        if not self.settings.transactions or verb not in TRANSACTIONAL:
            return KafkaEmitter(*parts)
        from sinks.kafka.transactional import TransactionalEmitter

        return TransactionalEmitter(*parts, self.settings.topic(f"tidecast-{verb}"), verb)

    def stages(self, verb: str, models: ModelStore | None = None) -> dict[str, Stage]:
        """The stages of a verb by consumer group: one, or for learning one per target and arm, which keep their
        snapshots in `models` (default: the system's)."""
        key = self.settings.signing_bytes
        if verb == "scoring":
            from streams.scoring.stage import Scoring

            kept = self.settings.cache_customers
            parts = (self.use_case, self.deployment, self.scoring_store, self.codec, self.models, key, kept)
            return {"tidecast-scoring": Scoring(*parts)}
        if verb == "learning":
            return self._learners(key, models or self.models)
        if verb == "judging":
            from streams.judging.stage import Judging

            return {"tidecast-judging": Judging(self.use_case, self.deployment, self.stage_store, self.codec, key)}
        if verb == "monitoring":
            from streams.monitoring import Monitoring

            return {"tidecast-monitoring": Monitoring(self.use_case, self.deployment, self.stage_store, self.codec)}
        return {"tidecast-history": self._history()}

    def _learners(self, key: bytes, models: ModelStore) -> dict[str, Stage]:
        from streams.learning.stage import Learning

        return {
            f"tidecast-learning-{target.name}-{arm.name}": Learning(
                self.use_case, target, arm, self.deployment, models, self.codec, key
            )
            for target in self.use_case.targets
            for arm in target.arms
        }

    def _history(self) -> Stage:
        from sinks.clickhouse.client import WRITING, connect
        from sinks.clickhouse.history import History

        database = self.settings.clickhouse_database

        def client() -> object:
            return connect(database, WRITING, **self.settings.clickhouse())

        return History(client, self.codec, self.deployment.epoch)


def connect_system(settings: Settings, reference: str | None) -> Wiring:
    """The deployment in force and the use case it was made from, checked against each other.

    SettingError when nothing is deployed, DeploymentMismatch when the definitions differ."""
    deployment = required_deployment(settings)
    use_case = load_use_case(reference or remembered_use_case(settings) or deployment.use_case)
    ours = deployment_id(definitions_of(use_case))
    if ours != deployment.deployment_id:
        raise DeploymentMismatch(
            f"the log is at deployment {deployment.deployment_id} of {deployment.use_case!r}, the definitions of "
            f"{use_case.name!r} here are {ours}: start the worker with those definitions (--use-case), or deploy these"
        )
    return Wiring(settings, use_case, deployment)


def remembered_use_case(settings: Settings) -> str | None:
    """The use case that `tidecast deploy` was last given with this data folder."""
    file = settings.data / REMEMBERED
    return file.read_text().strip() if file.exists() else None
