"""A pace that follows the models: time passes no faster than scoring works and learners learn.

Each tick waits until scoring has passed it, and until every completed version of every arm serves. So the answers of
an import are those of models that know what they would have known then."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, Message
from confluent_kafka import TopicPartition as KafkaPartition

from agents.importing.learners import Learners, LearntTarget
from agents.kafka.consumer_groups import members
from agents.kafka.log_reader import tool_consumer
from agents.settings import Settings
from agents.stages import LEARNING, SCORING
from schemas.records import PROGRESS, SWITCH
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES
from streams.avro.codec import Codec
from streams.deployment import Deployment
from streams.errors import TidecastError, Undecodable
from streams.scoring.predicting import PROGRESS_MS

CHECK_EVERY = 200
"""Records between two looks at how far learners are, within a tick."""
MOST = 2000
"""Records that are taken at once."""
LOOK_S = 0.5
LEARNERS_IDLE_S = 30.0
"""Seconds without any news after which an arm that is behind is not waited for: it has failed, or skips examples."""
SCORING_IDLE_S = 15.0
"""Seconds without any news after which it is asked whether a scorer runs."""
TIMEOUT = 10.0

Tell = Callable[[str], None]


def learnt_targets(deployment: Deployment) -> dict[str, LearntTarget]:
    """Return the targets of a deployment by name."""
    found = {}
    for target in json.loads(deployment.definitions)["targets"]:
        arms = tuple(arm["name"] for arm in target["arms"])
        partition = deployment.target_partitions[target["name"]]
        found[target["name"]] = LearntTarget(partition, target["serve_every"], arms)
    return found


def refuse_idle(deployment: Deployment, settings: Settings) -> None:
    """Raise TidecastError when no worker scores, or an arm has no learner."""
    groups = [SCORING.group]
    for name, target in learnt_targets(deployment).items():
        groups += [f"{LEARNING.group}-{name}-{arm}" for arm in target.arms]
    for group in groups:
        if not members(settings, [group]):
            raise TidecastError(
                f"No worker runs for {group.removeprefix('tidecast-')}, so that publishing cannot keep in step with "
                "learning: start `tidecast worker`, then publish again, or publish with --as-fast-as-possible."
            )


class LogNews:
    """Follows what scoring and learners write from now on: progress, examples and switches. A context manager."""

    def __init__(
        self,
        settings: Settings,
        codec: Codec,
        partitions: int,
        targets: Mapping[str, LearntTarget],
        reached: Sequence[int | None],
    ) -> None:
        """`reached`: the last tick of each partition of customer-events, which brings no more progress."""
        self.learners = Learners(targets)
        self._codec = codec
        self._events, self._examples = settings.topic(CUSTOMER_EVENTS), settings.topic(LABELLED_EXAMPLES)
        self._ticks = {
            (target.partition, source): reached[source] for target in targets.values() for source in range(partitions)
        }
        options = {"isolation.level": "read_committed", "fetch.wait.max.ms": 10, "auto.offset.reset": "error"}
        self._kafka = tool_consumer(settings, options)
        places = [(self._events, number) for number in range(partitions)]
        places += [(self._examples, partition) for partition in sorted({t.partition for t in targets.values()})]
        ask = self._kafka.raw.get_watermark_offsets
        ends = [
            self._kafka.ask("ask where the topics end", ask, KafkaPartition(*place), timeout=TIMEOUT)[1]
            for place in places
        ]
        self._kafka.raw.assign([KafkaPartition(*place, end) for place, end in zip(places, ends, strict=True)])

    def __enter__(self) -> "LogNews":
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.raw.close()

    def scored(self, tick: int) -> bool:
        """Return whether scoring has passed a tick in every partition."""
        second = tick // PROGRESS_MS  # scoring tells only the first tick in each second
        return all(reached is not None and reached // PROGRESS_MS >= second for reached in self._ticks.values())

    def take(self, seconds: float) -> bool:
        """Take what arrives within that time; return whether it brought any news."""
        news = False
        first = self._kafka.ask("read the topics", self._kafka.raw.poll, seconds)
        # `consume` waits until it has as many records as it is asked for
        rest = [] if first is None else self._kafka.ask("read the topics", self._kafka.raw.consume, MOST, 0)
        for message in [*([] if first is None else [first]), *rest]:
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    continue
                raise self._kafka.error("read the topics", error)
            news |= self._message(message)
        return news

    def _message(self, message: Message) -> bool:
        if message.key() is not None:
            if message.topic() != self._examples:
                return False  # an event: perhaps one of ours
            self.learners.example(message.partition(), message.offset())
            return True
        try:
            name, record = self._codec.decode(message.value(), {PROGRESS, SWITCH})
        except Undecodable:
            return False
        if name == SWITCH:
            self.learners.switch(record["target"], record["arm"], record["offset"])
        elif message.topic() == self._examples:
            place = (message.partition(), record["source"]["partition"])
            self._ticks[place] = max(record["tick"], self._ticks.get(place) or record["tick"])
        return True


class InStep:
    """Publishes as fast as scoring and learners follow. See Pace."""

    def __init__(self, news: LogNews, flush: Callable[[], None], is_scored: Callable[[], bool], tell: Tell) -> None:
        """`flush`: waits until the broker has everything. `is_scored`: whether a scorer runs. `tell`: for a person."""
        self._news = news
        self._flush = flush
        self._is_scored = is_scored
        self._tell = tell
        self._count = 0

    def before(self, time_ms: int) -> None:
        """Now and then look whether a learner is two versions behind within a tick, and let it catch up."""
        self._count += 1
        if self._count % CHECK_EVERY == 0:
            self._news.take(0)
            if self._news.learners.behind(2):
                self._flush()
                self._wait_for_learners()

    def ticked(self, time_ms: int) -> None:
        """Wait until scoring has passed the tick and no learner is behind."""
        self._flush()
        heard = time.monotonic()
        while not self._news.scored(time_ms):
            if self._news.take(LOOK_S):
                heard = time.monotonic()
            elif time.monotonic() - heard > SCORING_IDLE_S:
                if not self._is_scored():
                    raise TidecastError(
                        "No worker scores any longer what is published: start `tidecast worker` and publish the same "
                        "files again; what was published already is dropped as duplicates."
                    )
                self._tell("Waiting for scoring: `tidecast status` shows what holds it up.")
                heard = time.monotonic()
        self._wait_for_learners()

    def _wait_for_learners(self) -> None:
        heard = time.monotonic()
        while self._news.learners.behind():
            if self._news.take(LOOK_S):
                heard = time.monotonic()
            elif time.monotonic() - heard > LEARNERS_IDLE_S:
                names = ", ".join(self._news.learners.give_up())
                self._tell(f"No new version of {names} comes: publishing goes on without waiting for it.")


def log_news(settings: Settings, deployment: Deployment, codec: Codec, reached: Sequence[int | None]) -> LogNews:
    """Follow the log of a deployment from its present end."""
    return LogNews(settings, codec, deployment.partitions, learnt_targets(deployment), reached)
