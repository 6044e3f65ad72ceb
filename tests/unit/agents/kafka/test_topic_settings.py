"""The settings that a topic needs: a value that keeps more, or admits more, is fit."""

import pytest

from agents.kafka.topic_settings import kept_ms, unfit, wanted_settings
from schemas.topics import (
    CUSTOMER_EVENTS,
    DEAD_LETTERS,
    DEPLOYMENTS,
    FOREVER,
    LABELLED_EXAMPLES,
    MODEL_METRICS,
    PREDICTIONS,
    TOPICS,
)

DAY = 86_400_000


@pytest.mark.parametrize("topic", TOPICS.values(), ids=str)
def test_what_deploy_gives_a_topic_is_fit(topic) -> None:
    assert unfit(topic, wanted_settings(topic, FOREVER), FOREVER) == {}
    assert unfit(topic, wanted_settings(topic, 90 * DAY), 90 * DAY) == {}


@pytest.mark.parametrize(
    "topic,found,changed",
    [
        (CUSTOMER_EVENTS, {"retention.ms": str(7 * DAY)}, {"retention.ms": "-1"}),
        (CUSTOMER_EVENTS, {"retention.bytes": "1000000"}, {"retention.bytes": "-1"}),
        (PREDICTIONS, {"cleanup.policy": "compact"}, {"cleanup.policy": "delete"}),
        (LABELLED_EXAMPLES, {"cleanup.policy": "compact,delete"}, {"cleanup.policy": "delete"}),
        (DEPLOYMENTS, {"cleanup.policy": "delete"}, {"cleanup.policy": "compact"}),
        (CUSTOMER_EVENTS, {"message.timestamp.type": "CreateTime"}, {"message.timestamp.type": "LogAppendTime"}),
        (CUSTOMER_EVENTS, {"max.message.bytes": "100000"}, {"max.message.bytes": "1048588"}),
        (DEAD_LETTERS, {"max.message.bytes": "1048588"}, {"max.message.bytes": "4194304"}),
        (MODEL_METRICS, {"retention.ms": "-1"}, {}),
        (MODEL_METRICS, {"retention.ms": str(30 * DAY)}, {"retention.ms": str(365 * DAY)}),
        (CUSTOMER_EVENTS, {"max.message.bytes": "10485760"}, {}),
    ],
)
def test_what_somebody_else_changed(topic: str, found: dict[str, str], changed: dict[str, str]) -> None:
    there = wanted_settings(TOPICS[topic], FOREVER) | found
    assert unfit(TOPICS[topic], there, FOREVER) == changed


def test_the_longest_retention_is_the_one_that_was_deployed() -> None:
    found = {name: wanted_settings(topic, 90 * DAY) for name, topic in TOPICS.items()}
    assert kept_ms(found) == 90 * DAY
    found[CUSTOMER_EVENTS]["retention.ms"] = str(DAY)
    assert kept_ms(found) == 90 * DAY
    found[PREDICTIONS]["retention.ms"] = "-1"
    assert kept_ms(found) == FOREVER
    assert kept_ms({}) == FOREVER
