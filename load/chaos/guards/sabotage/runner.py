"""Guards of the worker process: the order of produce and commit, and where reading starts."""

from types import SimpleNamespace
from typing import Any

from .patch import Guard, Patch, do_nothing

RUNNER, CONSUMER = "agents.runtime.stage_runner", "agents.transport.batch_consumer"


def _commit_before_produce(finish: Any) -> Any:
    def commit_and_finish(self: Any, slice_: Any, began: float, batch: Any) -> None:
        slice_.commit()
        parts = {name: getattr(slice_, name) for name in ("outputs", "positions", "rejects", "answered")}
        finish(self, SimpleNamespace(**parts, commit=lambda: None), began, batch)

    return commit_and_finish


def _accept_void_batches(work: Any) -> Any:
    async def batch(self: Any, batch: Any) -> None:
        batch.assignment = self._consumer.assignment_number
        await work(self, batch)

    return batch


def _skip_failed_slices(void: Any) -> Any:
    def void_and_read_on(self: Any, pause: float = 0.0) -> None:
        placed = self._placed
        void(self, pause)
        if pause:
            self._placed = placed

    return void_and_read_on


def _start_at_group_offset(_: Any) -> Any:
    return lambda group, place, position, kept, stateless=False: max(position, kept.group, kept.first)


def _own_everything(_: Any) -> Any:
    return lambda self, topic, partition: True


def _locks_never_taken(fcntl: Any) -> Any:
    return SimpleNamespace(LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB, flock=lambda *_: None)


GUARDS = {
    "produce-then-commit": Guard(
        "Outputs are produced before state and position are committed.",
        "scoring.computed, produce.partly or produced kill (also judging and monitoring): here after the commit",
        (Patch(RUNNER, "Runner._finish", _commit_before_produce),),
    ),
    "void-on-failure": Guard(
        "After a failed slice or a rebalance, batches that were fetched before are discarded.",
        "Redis, Kafka or ClickHouse cut for a moment under load",
        (Patch(RUNNER, "Runner._batch", _accept_void_batches),),
    ),
    "go-back": Guard(
        "After a failed slice, reading starts at the stored position again.",
        "Redis, Kafka or ClickHouse cut for a moment under load",
        (Patch(CONSUMER, "BatchConsumer.void", _skip_failed_slices),),
    ),
    "start-check": Guard(
        "Reading starts at the stored position and not at Kafka's group offset; lost state is an error.",
        "Redis or ClickHouse loses its state, or goes back to an older one",
        (Patch("agents.transport.start_offsets", "start_of", _start_at_group_offset),),
    ),
    "deployed-partitions": Guard(
        "Stages read the partitions that were deployed, and none that somebody else adds.",
        "somebody adds a partition to customer-events",
        (Patch("streams.deployment", "Deployment.owns", _own_everything),),
    ),
    "watch": Guard(
        "A running worker says what others change in the topics and servers.",
        "somebody changes a setting of customer-events",
        (Patch("agents.runtime.watch", "SystemWatch.look", do_nothing),),
    ),
    "log-watch": Guard(
        "A stage that an open transaction holds back is red.",
        "a stranger's transaction that stays open",
        (Patch("agents.runtime.log_watch", "LogWatch._tell", do_nothing),),
    ),
    "server-guard": Guard(
        "A stage stops working with a server that may drop its state, and is red.",
        "Redis' maxmemory-policy is changed",
        (Patch("sinks.redis.client", "ServerGuard.check", do_nothing),),
    ),
    "slots": Guard(
        "Two running workers never share a group membership.",
        "two workers of a kind on one data folder",
        (Patch("agents.runtime.slots", "fcntl", _locks_never_taken),),
    ),
}
