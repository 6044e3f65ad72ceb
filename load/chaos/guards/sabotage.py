"""The guards of a worker and how to switch each off. Imported at the start of a process: standard library only."""

import importlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha1
from threading import local
from types import SimpleNamespace
from typing import Any, NamedTuple


class Patch(NamedTuple):
    """What to put in place of `module.attribute`: `make` is given what is there."""

    module: str
    attribute: str
    make: Callable[[Any], Any]


class Guard(NamedTuple):
    """protects: what holds with it. shown_by: the fault after which something is wrong without it, fail points as
    STAGE.POINT. patches: how it is switched off in workers."""

    protects: str
    shown_by: str
    patches: tuple[Patch, ...]


BELOW_ALL = (-1, -1, -1)


def _hit(point: str) -> None:
    importlib.import_module("sinks.failpoints").hit(point)


# -- Redis

_COMPARE = b"if (stored or '') ~= ARGV[1] then return 0 end\n"


def _not_compared(source: bytes) -> bytes:
    if source.count(_COMPARE) != 1:
        raise LookupError("the script compares otherwise")
    return source.replace(_COMPARE, b"")


def _state_first(write: Any) -> Any:
    def torn(client: Any, writes: Any) -> Any:
        for keys, arguments in writes:
            for key, value in zip(keys[1 : int(arguments[1])], arguments[3:], strict=False):
                if value:
                    client.set(key, value)
                else:
                    client.delete(key)
        _hit("committed")
        return write(client, writes)

    return torn


# -- the runner


def _commit_first(finish: Any) -> Any:
    def swapped(self: Any, piece: Any, began: float, batch: Any) -> None:
        piece.commit()
        parts = {name: getattr(piece, name) for name in ("outputs", "positions", "set_aside")}
        finish(self, SimpleNamespace(**parts, commit=lambda: None), began, batch)

    return swapped


def _void_is_worked_on(work: Any) -> Any:
    async def batch(self: Any, batch: Any) -> None:
        batch.assignment = self._consumer.assignment_number
        await work(self, batch)

    return batch


def _not_read_again(void: Any) -> Any:
    def forget(self: Any, pause: float = 0.0) -> None:
        placed = self._placed
        void(self, pause)
        if pause:
            self._placed = placed

    return forget


def _group_is_believed(_: Any) -> Any:
    return lambda group, place, position, kept, stateless=False: max(position, kept.group, kept.first)


# -- Kafka


def _careless(producer: Any) -> Any:
    class Careless(producer):  # type: ignore[misc]
        def __init__(self, config: Any) -> None:
            told = {name: value for name, value in config.items() if name != "on_delivery"}
            super().__init__(told | {"linger.ms": 500})  # what nobody waits for need not go at once

        def flush(self, timeout: float = 0.0) -> int:
            self.poll(0)
            return 0

    return Careless


def _reordering(producer: Any) -> Any:
    """A record a request, so that a request that is refused and repeated has others behind it."""
    options = {"enable.idempotence": False, "enable.gapless.guarantee": False, "batch.num.messages": 1}
    return lambda config: producer(config | options)


def _one_by_one(producer: Any) -> Any:
    return lambda config: producer(config | {"batch.num.messages": 1})


def _all_at_once(_: Any) -> Any:
    return lambda outputs, places: ([], outputs)


def _with_gaps(producer: Any) -> Any:
    """The client gives up records by itself. While they wait for a broker more come one by one, so that they do not all
    grow too old at the same moment."""

    class Impatient:
        def __init__(self, config: Any) -> None:
            self.real = producer(config | {"delivery.timeout.ms": 2000, "enable.gapless.guarantee": False})

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def produce(self, *arguments: Any, **named: Any) -> None:
            self.real.produce(*arguments, **named)
            if len(self.real) > 20:
                time.sleep(0.01)

    return Impatient


# -- marks


def _forget_mark(marks: dict[int, Any], partition: int, source: Any) -> None:
    """Only of what was seen already: nothing else may change."""
    last = marks.get(partition)
    if last is not None and (source["epoch"], source["offset"], source["ordinal"]) <= tuple(last):
        marks[partition] = BELOW_ALL


def _learnt_again(take: Any) -> Any:
    def example(self: Any, offset: int, example: Any) -> Any:
        _forget_mark(self._state.marks, example["source"]["partition"], example["source"])
        return take(self, offset, example)

    return example


def _merged_again(take: Any) -> Any:
    def profile(self: Any, record: Any, next_source: Any) -> Iterator[Any]:
        if record["partition"] is not None:
            _forget_mark(self._marks, record["partition"], record["source"])
        return take(self, record, next_source)  # type: ignore[no-any-return]

    return profile


def _always_new(is_new: Any) -> Any:
    def new(*arguments: Any) -> bool:
        is_new(*arguments)
        return True

    return new


# -- models

_late = local()


def _put_later(put: Any) -> Any:
    def later(self: Any, path: str, blob: bytes) -> None:
        _late.puts = [*getattr(_late, "puts", []), partial(put, self, path, blob)]

    return later


def _put_now(commit: Any) -> Any:
    def late(self: Any) -> None:
        puts, _late.puts = getattr(_late, "puts", []), []
        for put in puts:
            put()
        commit(self)

    return late


def _silent_start(resume: Any) -> Any:
    def resumed(self: Any) -> None:
        resume(self)
        self._resend = False

    return resumed


def _same_object(save: Any) -> Any:
    def saved(self: Any) -> None:
        model = self._state.model
        save(self)
        if self._state.model is not None:
            self._state.model = model

    return saved


def _in_place(_: Any) -> Any:
    def write(place: str, blob: bytes) -> None:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(blob[: len(blob) // 2])
            file.flush()
            _hit("snapshot.begun")
            file.write(blob[len(blob) // 2 :])

    return write


def _untrained_will_do(load: Any) -> Any:
    def guess(self: Any, snapshot: str, digest: bytes) -> None:
        try:
            load(self, snapshot, digest)
        except importlib.import_module("streams.errors").Unavailable:
            target, arm, *_ = snapshot.split("/")
            self._models[snapshot] = self._untrained[(target, arm)][1]

    return guess


# -- scoring


def _any_switch(take: Any) -> Any:
    def switch(self: Any, work: Any, record: Any) -> None:
        serving = work.header.serving
        arm = f"{record['target']}/{record['arm']}"
        if arm in serving:
            serving[arm] = replace(serving[arm], command=-1, offset=-1)
        take(self, work, record)

    return switch


def _no_steps(begin: Any) -> Any:
    def opened(self: Any, partition: int) -> Any:
        work = begin(self, partition)
        work.ordinal = 0
        return work

    return opened


# -- history


def _positions_first(commit: Any) -> Any:
    def swapped(self: Any) -> None:
        rows, self.rows = self.rows, {}
        commit(self)
        self.rows = rows
        self.writer.write(rows)

    return swapped


def _nothing(_: Any) -> Any:
    return lambda *arguments, **named: None


def _no(_: Any) -> Any:
    return lambda *arguments: False


RUNNER, CONSUMER, EMITTER = "agents.runtime.stage_runner", "agents.transport.batch_consumer", "sinks.kafka.producer"
SCRIPT, LEARNING, MODELS = "sinks.redis.script", "streams.learning", "sinks.model_store"

GUARDS = {
    "position-cas": Guard(
        "Of two owners only one writes: state and position are written if the stored position is the expected one.",
        "scoring.acked stop, until another worker has the partition, then SIGCONT; so for judging and monitoring",
        (
            Patch(SCRIPT, "SOURCE", _not_compared),
            Patch(
                SCRIPT,
                "DIGEST",
                lambda _: sha1(importlib.import_module(SCRIPT).SOURCE, usedforsecurity=False).hexdigest(),
            ),
        ),
    ),
    "position-read": Guard(
        "A slice is computed only from customers and timers read at the position that this worker committed.",
        "scorers without a cache stopped for less than their session, in which Redis loses its last second",
        (Patch("streams.state.rules", "check_positions", _nothing),),
    ),
    "one-script": Guard(
        "State and position are written together.",
        "scoring.committed kill: here it comes between the two",
        (Patch("sinks.redis.scoring_store", "write", _state_first),),
    ),
    "cache-clear": Guard(
        "After an assignment or a conflict customers are read from the store again.",
        "a partition goes to another scorer and comes back",
        (Patch("streams.scoring.working_set", "CustomerCache.clear", _nothing),),
    ),
    "tick-steps": Guard(
        "A tick half done goes on at its step.",
        "a tick with more timers in a partition than a slice takes (here 5); no fault",
        (
            Patch("streams.scoring.timers", "SLICE", lambda _: 5),
            Patch("streams.scoring.stage", "Scoring._open", _no_steps),
        ),
    ),
    "event-digests": Guard(
        "An event or outcome published twice counts once.",
        "duplicates in the published events; no fault",
        (Patch("streams.features.customer_state", "Digests.seen", _no),),
    ),
    "acks": Guard(
        "Nothing is committed before its outputs are acked.",
        "scoring.committed kill (here records leave after half a second); Kafka killed",
        (Patch(EMITTER, "Producer", _careless),),
    ),
    "idempotence": Guard(
        "The client's own retries neither double nor reorder records.",
        "a link to Kafka on which requests are misdirected, one by one: refused, as after a change of leader",
        (Patch(EMITTER, "Producer", _reordering),),
    ),
    "first-alone": Guard(
        "The broker knows a producer before more than one of its requests is on the way.",
        "a link to Kafka on which requests are misdirected, one by one: refused, as after a change of leader",
        (Patch(EMITTER, "Producer", _one_by_one), Patch(EMITTER, "_firsts", _all_at_once)),
    ),
    "gapless": Guard(
        "No record is written behind one that failed.",
        "Kafka stalled for longer than the client tries (here 2 s), then healed",
        (Patch(EMITTER, "Producer", _with_gaps),),
    ),
    "produce-then-commit": Guard(
        "Outputs are produced before state and position are committed.",
        "scoring.computed, produce.partly or produced kill (judging and monitoring too): here after the commit",
        (Patch(RUNNER, "Runner._finish", _commit_first),),
    ),
    "void-on-failure": Guard(
        "After a failed slice or a rebalance nothing that was fetched before is worked on.",
        "Redis, Kafka or ClickHouse cut for a moment under load",
        (Patch(RUNNER, "Runner._batch", _void_is_worked_on),),
    ),
    "go-back": Guard(
        "After a failed slice reading begins at the stored position again.",
        "Redis, Kafka or ClickHouse cut for a moment under load",
        (Patch(CONSUMER, "BatchConsumer.void", _not_read_again),),
    ),
    "start-check": Guard(
        "Reading begins at the stored position and not at Kafka's group offset; lost state is an error.",
        "Redis or ClickHouse goes back to an older state, or loses it",
        (Patch("agents.transport.start_offsets", "start_of", _group_is_believed),),
    ),
    "slots": Guard(
        "Two living workers never share a group membership.",
        "two workers of a kind on one data folder",
        (
            Patch(
                "agents.runtime.slots",
                "fcntl",
                lambda fcntl: SimpleNamespace(LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB, flock=lambda *_: None),
            ),
        ),
    ),
    "learner-marks": Guard(
        "An example that comes twice is learnt once.",
        "scoring.acked kill, with examples in the slice",
        (
            Patch(LEARNING, "Learning._example", _learnt_again),
            Patch(LEARNING, "Learning._check_previous", _nothing),
        ),
    ),
    "predecessors": Guard(
        "An example that is missing before another is an error.",
        "with acks off as well (--without acks,predecessors) examples are lost without a word",
        (Patch(LEARNING, "Learning._check_previous", _nothing),),
    ),
    "judging-marks": Guard(
        "An example or progress record that comes twice is judged once.",
        "scoring.acked kill, with examples in the slice",
        (Patch("streams.judging.stage", "Judging._is_new", _always_new),),
    ),
    "monitoring-marks": Guard(
        "A prediction, progress record or partial profile that comes twice counts once.",
        "scoring.acked kill; monitoring.acked kill",
        (
            Patch("streams.monitoring.partial", "PartialProfiles.is_new", _always_new),
            Patch("streams.monitoring.merger", "Merger.take", _merged_again),
        ),
    ),
    "reader-marks": Guard(
        "A reader that keeps marks sees each output once.",
        "scoring.acked kill; it is the harness's own reader that ignores them: nothing changes in workers",
        (),
    ),
    "snapshot-before-switch": Guard(
        "A switch goes out when its snapshot is in the store.",
        "learning.acked kill and no learner for a while: scorers stand still (the learner writes the same bytes later)",
        (
            Patch(LEARNING, "Learning._put", _put_later),
            Patch(LEARNING, "LearningSlice.commit", _put_now),
        ),
    ),
    "atomic-snapshot": Guard(
        "A snapshot is there as a whole or not at all.",
        "learning.snapshot.begun kill at an arm's first version: none can be read, the learner ends with an error",
        (Patch(MODELS, "_write_durably", _in_place),),
    ),
    "learner-resend": Guard(
        "A version that is in the store is served although its switch never went out.",
        "learning.snapshot.put or produce.partly kill: some partitions answer with the version before",
        (Patch(LEARNING, "Learning._resume", _silent_start),),
    ),
    "loaded-copy": Guard(
        "The learner goes on from the loaded snapshot, so that a restart changes no bit.",
        "learning killed; only for models that are not the same after loading",
        (Patch(LEARNING, "Learning._save", _same_object),),
    ),
    "last-version": Guard(
        "A scorer that cannot get a version waits, and answers with no other.",
        "the model store hidden from a scorer that starts or reads a switch",
        (Patch("streams.scoring.model_cache", "ServedModels._load", _untrained_will_do),),
    ),
    "switch-order": Guard(
        "A switch that is not above the one in force changes nothing.",
        "learning.computed stop, another learner goes on to later versions, then SIGCONT",
        (Patch("streams.scoring.stage", "Scoring._switch", _any_switch),),
    ),
    "history-order": Guard(
        "History's positions are written after its rows.",
        "history.rows.partly kill (here it comes after the positions); ClickHouse cut",
        (Patch("sinks.clickhouse.history", "HistorySlice.commit", _positions_first),),
    ),
}
