"""Reads consumer groups, for tools: their offsets and their members."""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from agents.kafka.log_reader import TIMEOUT
from agents.settings import Settings
from sinks.kafka.client import admin, consumer
from streams.errors import TidecastError
from streams.log import TopicPartition

PATIENCE_S = 8.0
"""Seconds that a member may need to leave: more than the session time-out of a killed one."""
ASK_AGAIN_S = 0.3


def reported(settings: Settings, group: str, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset that a group (named without the prefix) reported for each partition; 0 where it has none."""
    name = settings.topic_prefix + group
    asking = consumer(settings.confluent(), name)
    try:
        asked = [KafkaPartition(settings.topic(topic), partition) for topic, partition in places]
        found = asking.ask(f"read the offsets of the group {name}", asking.raw.committed, asked, timeout=TIMEOUT)
    finally:
        asking.raw.close()
    return {place: max(0, told.offset) for place, told in zip(places, found, strict=True)}


def members(settings: Settings, groups: Iterable[str]) -> list[str]:
    """Return the present members of these groups, as `group: member on host`. Raises Unavailable."""
    asking = admin(settings.confluent())
    names = [settings.topic_prefix + group for group in groups]
    found = []
    for name, future in (asking.raw.describe_consumer_groups(names, request_timeout=TIMEOUT) if names else {}).items():
        try:
            described = future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                continue
            raise asking.error(f"list the members of the group {name}", error.args[0]) from None
        found += [f"{name}: {m.group_instance_id or m.member_id} on {m.host}" for m in described.members]
    return sorted(found)


def assigned(settings: Settings, groups: Iterable[str]) -> dict[str, set[TopicPartition]]:
    """Return the partitions that members of these groups own now, by group. Raises Unavailable.

    A group without members has none. A group that is being rebalanced is left out."""
    asking = admin(settings.confluent())
    names = {settings.topic_prefix + group: group for group in groups}
    prefix, owned = settings.topic_prefix, dict[str, set[TopicPartition]]()
    futures = asking.raw.describe_consumer_groups(list(names), request_timeout=TIMEOUT) if names else {}
    for name, future in futures.items():
        try:
            described = future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise asking.error(f"list the members of the group {name}", error.args[0]) from None
            owned[names[name]] = set()
            continue
        if described.members and described.state != ConsumerGroupState.STABLE:
            continue
        owned[names[name]] = {
            TopicPartition(place.topic.removeprefix(prefix), place.partition)
            for member in described.members
            for place in (member.assignment.topic_partitions if member.assignment else ())
        }
    return owned


def refuse_members(
    settings: Settings, groups: Sequence[str], patience: float = PATIENCE_S, command: str = "tidecast rebuild"
) -> None:
    """Raise TidecastError when a member of these groups does not leave within `patience` seconds.

    `command`: what to run again then."""
    end = time.monotonic() + patience
    while found := members(settings, groups):
        if time.monotonic() > end:
            raise TidecastError(
                f"workers are still running ({'; '.join(found[:3])}{'; …' if len(found) > 3 else ''}): stop them, "
                f"then run `{command}` again."
            )
        time.sleep(ASK_AGAIN_S)
