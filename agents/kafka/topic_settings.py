"""The settings that our topics need on the broker: reads, compares and changes them."""

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.settings import Settings
from schemas.topics import DEAD_LETTERS, FOREVER, LATE_EVENTS, TOPICS, Topic
from sinks.kafka.client import admin
from streams.errors import SettingError

TIMEOUT = 10.0
"""Seconds after which the broker counts as away."""
RETENTION, RETENTION_BYTES = "retention.ms", "retention.bytes"
CLEANUP, LARGEST, TIMESTAMPS = "cleanup.policy", "max.message.bytes", "message.timestamp.type"
IN_SYNC = "min.insync.replicas"
WRAPPING = {LATE_EVENTS, DEAD_LETTERS}
"""Topics whose records contain a whole record of another topic, and so may be larger."""
RECORD_BYTES = 1024 * 1024 + 12
"""Kafka's own default of max.message.bytes."""
WRAPPED_BYTES = 4 * 1024 * 1024


def wanted_settings(topic: Topic, forever_ms: int) -> dict[str, str]:
    """Return the settings of a topic. forever_ms: retention of the topics that are otherwise kept for ever."""
    wanted = {
        TIMESTAMPS: "LogAppendTime",  # the broker's clock decides, not a producer's wrong one
        CLEANUP: "compact" if topic.compact else "delete",
        LARGEST: str(WRAPPED_BYTES if topic.name in WRAPPING else RECORD_BYTES),
    }
    if not topic.compact:
        wanted[RETENTION] = str(forever_ms if topic.retention_ms == FOREVER else topic.retention_ms)
        wanted[RETENTION_BYTES] = "-1"
    return wanted


def kept_ms(found: Mapping[str, Mapping[str, str]]) -> int:
    """Return the retention that `deploy` gave the topics that are otherwise kept for ever: the longest one of theirs.

    found: settings by topic. `deploy` gives all of them the same, so that a shorter one is somebody else's."""
    spans = [
        int(settings[RETENTION])
        for name, settings in found.items()
        if TOPICS[name].retention_ms == FOREVER and not TOPICS[name].compact
    ]
    return FOREVER if not spans or min(spans) < 0 else max(spans)


def unfit(topic: Topic, found: Mapping[str, str], forever_ms: int) -> dict[str, str]:
    """Return the settings to change: name → wanted value. A value that keeps or admits more is fit."""
    wanted = wanted_settings(topic, forever_ms)
    return {name: value for name, value in wanted.items() if not _fits(name, found[name], value)}


def _fits(name: str, found: str, wanted: str) -> bool:
    if name in (RETENTION, RETENTION_BYTES):
        return int(found) < 0 or 0 <= int(wanted) <= int(found)
    if name == LARGEST:
        return int(found) >= int(wanted)
    return found.replace(" ", "") == wanted


class TopicSettings:
    """The settings of one system's topics on the broker. Raises Unavailable when Kafka does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = admin(settings.confluent())

    def read(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the settings of these existing topics (logical names), also those of the broker that they inherit.

        Raises SettingError when this user may not read them."""
        resources = {ConfigResource(ResourceType.TOPIC, self._settings.topic(name)): name for name in names}
        if not resources:
            return {}
        futures = self._admin.raw.describe_configs(list(resources), request_timeout=TIMEOUT)
        return {resources[at]: self._values(future) for at, future in futures.items()}

    def _values(self, future: Any) -> dict[str, str]:
        try:
            entries = future.result(TIMEOUT)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise SettingError(
                    "The topics' settings were not checked: this user may not read them; allow DescribeConfigs on the "
                    "topics."
                ) from error
            raise self._admin.error("read the topics' settings", error.args[0]) from error
        return {name: str(entry.value) for name, entry in entries.items()}

    def change(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Set these settings: topic → name → value."""
        resources = []
        for topic, values in changes.items():
            entries = [
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in values.items()
            ]
            resources.append(
                ConfigResource(ResourceType.TOPIC, self._settings.topic(topic), incremental_configs=entries)
            )
        for future in (self._admin.raw.incremental_alter_configs(resources) if resources else {}).values():
            self._admin.ask("change the topics' settings", future.result, TIMEOUT)

    def command(self, topic: str, values: Mapping[str, str]) -> str:
        """Return the command of Kafka's own tools that sets these settings of a topic."""
        told = ",".join(f"{name}={value}" for name, value in values.items())
        return (
            f"kafka-configs.sh --bootstrap-server {self._admin.address} --alter --entity-type topics "
            f"--entity-name {self._settings.topic(topic)} --add-config {told}"
        )
