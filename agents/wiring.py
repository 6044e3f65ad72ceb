"""The composition root: the clients and stores of a system. The stages that use them: agents.stages."""

from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from redis import Redis

from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import REMEMBERED, Settings
from schemas.catalog import load_schemas
from sinks.kafka.producer import KafkaEmitter
from sinks.model_store import FsspecModelStore
from streams.avro.codec import Codec
from streams.deployment import Deployment, definitions_of, deployment_id
from streams.errors import DeploymentMismatch, SettingError
from streams.keys import Keys
from streams.log import Emitter
from streams.models.store import ModelStore
from streams.state.store import ScoringStore, StageStore
from streams.usecases import UseCase, load_use_case


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
    def keys(self) -> Keys:
        """The signing keys in this log. Raises SettingError for a publisher's, and KeyMissing when one is lacking."""
        keys = self.settings.keys.of_log(self.deployment.epoch)
        if not keys.checks_control:
            raise SettingError("TIDECAST_TICK_KEYS are for publishers; set TIDECAST_SIGNING_KEYS here.")
        return keys.in_force(self.deployment.keys)

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
    def models(self) -> ModelStore:
        """Snapshots, a folder per system and log epoch: offsets begin anew with it."""
        folder = f"{self.settings.topic_prefix}{self.deployment.epoch}"
        return FsspecModelStore(f"{self.settings.model_store.rstrip('/')}/{folder}")

    def emitter(self) -> Emitter:
        """Return a producer of outputs that may come twice."""
        return KafkaEmitter(self.settings.confluent(), self.settings.topic)

    def transactional_emitter(self, group: str, stage: str) -> Emitter:
        """Return a producer of a stage's outputs, each once for readers of committed records. `group`: its consumer
        group."""
        from sinks.kafka.transactional import TransactionalEmitter

        settings = self.settings
        return TransactionalEmitter(settings.confluent(), settings.topic, settings.topic(group), stage)

    def with_stores(self, *, models: ModelStore | None = None, stage_store: StageStore | None = None) -> Self:
        """Return the same system with other stores in place of these."""
        other = copy(self)
        other.models = models or self.models
        other.stage_store = stage_store or self.stage_store
        return other


def connect_system(settings: Settings, reference: str | None) -> Wiring:
    """Return the deployment in force and the use case it was made from, checked against each other.

    Raises SettingError when nothing is deployed, and DeploymentMismatch when the definitions differ."""
    deployment = required_deployment(settings)
    use_case = load_use_case(reference or remembered_use_case(settings) or deployment.use_case)
    ours = deployment_id(definitions_of(use_case))
    if ours != deployment.deployment_id:
        raise DeploymentMismatch(
            f"the log is at deployment {deployment.deployment_id} of {deployment.use_case!r}, the definitions of "
            f"{use_case.name!r} here are {ours}: start with those definitions (--use-case), or deploy these"
        )
    return Wiring(settings, use_case, deployment)


def remembered_use_case(settings: Settings) -> str | None:
    """Return the use case that `tidecast deploy` was last given with this data folder."""
    file = settings.data / REMEMBERED
    return file.read_text().strip() if file.exists() else None
