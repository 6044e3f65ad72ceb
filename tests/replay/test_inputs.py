"""A model knows the names of its inputs. Where its arm reads others, it neither serves nor learns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from load.chaos.guards import GUARDS
from schemas.marks import HighWater
from streams.deployment import Deployment, Fingerprint, deploy_of
from streams.errors import DeploymentMismatch
from streams.identity import Position
from streams.learning.stage import Learning
from streams.models import inputs
from streams.models.factory import build_model
from streams.models.inputs import arm_inputs
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import Snapshot, dump_snapshot, load_snapshot
from streams.models.version import Version
from streams.replay import replay
from streams.scoring.stage import Scoring
from streams.state.memory import MemoryScoringStore
from streams.timeline import PartitionHeader
from streams.usecases import Arm, Ask, Count, ExplicitOutcome, LastValue, Linear, PriorRate, Sum, Target, UseCase
from tests.replay.examples import ExampleLog, use_case
from tests.replay.world import EVENTS, KEY, PARTITIONS, Log, decoded

FEATURES = (Sum("spend", of="Buy", field="cents", over="30d"), Count("buys", of="Buy", over="30d"))
ARMS = (
    Arm("linear", Linear(), role="champion"),
    Arm("last", LastValue("spend"), role="naive"),
    Arm("mean", PriorRate(), role="naive"),
)


def shop(features: tuple[Any, ...] = FEATURES, arms: tuple[Arm, ...] = ARMS) -> UseCase:
    target = Target("next", Ask(on=("Buy",)), ExplicitOutcome(within="9d"), arms, kind="regression")
    return UseCase("small", features, (target,), clock="external", max_ahead="3650d", events=EVENTS)


def deployed(use_case: UseCase, number: int = 0) -> Deployment:
    return deploy_of(use_case, 7, PARTITIONS, {}, Fingerprint("", "", "", ""), number)


def scorer(log: Log, use_case: UseCase, models: MemoryModelStore, store: MemoryScoringStore) -> Scoring:
    return Scoring(use_case, deployed(use_case), store, log.codec, models, KEY)


class World:
    """A log in which every arm was switched to a version that has learnt 50 examples, and one purchase behind it."""

    def __init__(self, digests: bool = True, use_case: UseCase | None = None) -> None:
        """`digests`: whether snapshots and switches say what they have learnt from; former releases did not."""
        self.use_case = use_case or shop()
        self.log, self.models, self.store = Log(), MemoryModelStore(), MemoryScoringStore()
        self.found = arm_inputs(deployed(self.use_case).definitions)
        self.deploy(self.use_case)
        for arm in self.use_case.targets[0].arms:
            self.switch(arm, digests)
        self.number = 1
        self.buy(1)
        self.before = self.answers(self.use_case)

    def deploy(self, use_case: UseCase, number: int = 0) -> None:
        self.log.control("tidecast.Deployment", deployed(use_case, number).to_record())

    def switch(self, arm: Arm, digests: bool) -> None:
        said = self.found["next", arm.name]
        model = build_model(arm, "next", "regression", said.vector, 1)
        for number in range(50):
            model.learn([1000.0 * number, float(number)], 500.0 * number)
        named, digest = Version("next", arm.name, 1, 49), said.digest if digests else ""
        blob = dump_snapshot(Snapshot(named, model, HighWater(), Position(50), 50, inputs=digest), KEY)
        self.models.put(named.path, blob)
        record = {"target": "next", "arm": arm.name, "version": str(named), "command": 0, "offset": 49}
        kept = {"snapshot": named.path, "digest": sha256(blob).digest(), "inputs": digest or None, "signature": None}
        self.log.control("tidecast.Switch", {**record, **kept})

    def buy(self, number: int) -> None:
        self.log.say("small.Buy", event_id=f"e{number}", customer_id="c", occurred_at=number, cents=700)

    def outputs(self, use_case: UseCase) -> list[Any]:
        stage = scorer(self.log, use_case, self.models, self.store)
        return [output for outputs in replay(stage, self.log.logs) for output in outputs]

    def answers(self, use_case: UseCase) -> dict[str, tuple[str, float, bool]]:
        """Arm → (version, value, fallback) of the last prediction that is new."""
        *_, last = decoded(self.log, self.outputs(use_case), "Prediction")
        return {answer["arm"]: (answer["version"], answer["value"], answer["fallback"]) for answer in last["answers"]}

    def go_on(self, use_case: UseCase) -> dict[str, tuple[str, float, bool]]:
        """Deploy other definitions, buy once more, and answer."""
        self.number += 1
        self.deploy(use_case, self.number)
        self.buy(self.number)
        return self.answers(use_case)

    @property
    def fallbacks(self) -> dict[str, int]:
        """As they are kept with the positions."""
        kept = self.store.positions(range(PARTITIONS)).values()
        headers = [PartitionHeader.unpack(packed) for _, packed in kept]
        names = {name for header in headers for name in header.fallbacks}
        return {name: sum(header.fallbacks.get(name, 0) for header in headers) for name in sorted(names)}


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize(
    "features,why",
    [
        (FEATURES[::-1], "in another order"),
        ((Count("visits", of="Visit"), *FEATURES), "reads visits, from which it has not learnt"),
        ((FEATURES[0], Count("bought", of="Buy", over="30d")), "no longer reads buys and reads bought"),
    ],
)
def test_scoring_refuses_a_version_of_other_inputs(
    features: tuple[Any, ...], why: str, digests: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The untrained model answers instead. The answer is marked and counted, and the log says why and what to do."""
    world = World(digests)
    assert world.before["linear"][0] == "next/linear.1@49"
    answers = world.go_on(shop(features))
    assert answers["linear"] == ("next/linear.1@-1", 0.0, True)
    assert answers["last"] == ("next/last.1@49", 1400.0, False), "it finds the amount by name, wherever it is"
    assert answers["mean"] == world.before["mean"], "it reads nothing"
    assert world.fallbacks == {"next/linear/other_inputs": 1}
    (told,) = {record.message for record in caplog.records}
    assert why in told and "next/linear.1@49 cannot answer" in told and "a new name" in told


def test_a_feature_of_the_same_name_is_another_input_when_it_is_declared_otherwise() -> None:
    answers = World().go_on(shop((replace(FEATURES[0], over="3d"), FEATURES[1])))
    assert [answers[arm][2] for arm in ("linear", "last", "mean")] == [True, True, False]
    assert World(digests=False).go_on(shop((replace(FEATURES[0], over="3d"), FEATURES[1])))["last"][2] is False, (
        "snapshots of former releases tell names only"
    )


def test_the_remedy_works_also_after_the_change() -> None:
    """Under a new name the arm starts untrained, which is no fallback; the others go on."""
    world, features = World(), (Count("visits", of="Visit"), *FEATURES[::-1])
    assert world.go_on(shop(features))["linear"][2] is True
    answers = world.go_on(shop(features, (Arm("linear_2", Linear(), role="champion"), *ARMS[1:])))
    assert answers["linear_2"] == ("next/linear_2.1@-1", 0.0, False)
    assert answers["last"] == ("next/last.1@49", 2100.0, False)
    assert answers["mean"] == world.before["mean"]
    assert world.fallbacks == {"next/linear/other_inputs": 1, "next/linear_2/untrained": 1}


def test_the_former_definitions_bring_the_version_back() -> None:
    world = World()
    world.go_on(shop(FEATURES[::-1]))
    assert world.go_on(world.use_case)["linear"][::2] == ("next/linear.1@49", False)


def test_a_switch_to_a_version_of_other_inputs_is_a_dead_letter_and_the_former_version_answers() -> None:
    """A learner of other definitions must not decide what answers here."""
    world, stranger = World(), World(use_case=shop(FEATURES[::-1]))
    named = Version("next", "linear", 1, 99)
    blob = stranger.models.get(named._replace(offset=49).path)
    world.models.put(named.path, blob)
    record = {"target": "next", "arm": "linear", "version": str(named), "command": 0, "offset": 99}
    kept = {"snapshot": named.path, "digest": sha256(blob).digest(), "signature": None}
    world.log.control("tidecast.Switch", {**record, **kept, "inputs": stranger.found["next", "linear"].digest})
    world.buy(2)
    outputs = world.outputs(world.use_case)
    letters = decoded(world.log, outputs, "DeadLetter")
    assert [letter["reason"] for letter in letters] == ["bad_control"] * PARTITIONS
    assert all("other features than its arm reads" in letter["detail"] for letter in letters)
    (prediction,) = decoded(world.log, outputs, "Prediction")
    assert prediction["answers"][0]["version"] == "next/linear.1@49"


@contextmanager
def without_guard(name: str) -> Iterator[None]:
    """Switch a guard of this process off."""
    with pytest.MonkeyPatch.context() as patching:
        for patch in GUARDS[name].patches:
            owner, attribute = inputs.ArmInputs, patch.attribute.rpartition(".")[2]
            assert patch.module == inputs.__name__
            patching.setattr(owner, attribute, patch.make(getattr(owner, attribute)))
        yield


def test_without_the_check_nonsense_is_served_unmarked() -> None:
    """The guard is needed: nothing else notices that a name now means a count, and not an amount any more."""
    world, reused = World(), (Count("spend", of="Buy", over="30d"), FEATURES[1])
    assert World().go_on(shop(reused))["linear"][2] is True
    with without_guard("input-names"):
        answers = world.go_on(shop(reused))
    version, value, marked = answers["linear"]
    honest = World()
    assert (version, marked) == ("next/linear.1@49", False)
    assert abs(value - honest.go_on(honest.use_case)["linear"][1]) > 100


# -- learning


def learner(log: ExampleLog, use_case: UseCase, store: MemoryModelStore, arm: int) -> Learning:
    target = use_case.targets[0]
    return Learning(use_case, target, target.arms[arm], deployed_as(use_case), store, log.codec, KEY)


def deployed_as(use_case: UseCase) -> Deployment:
    return deploy_of(use_case, 7, PARTITIONS, {}, Fingerprint("0.26.1", "0", "3.11", "x"))


def learnt(arm: int) -> tuple[ExampleLog, MemoryModelStore]:
    log, store = ExampleLog(use_case(serve_every=10)).fill(30), MemoryModelStore()
    list(replay(learner(log, log.use_case, store, arm), {log.partition: log.records}))
    return log, store


def other_features(before: UseCase, change: Any) -> UseCase:
    return replace(before, features=tuple(change(list(before.features))))


CHANGES = {
    "permuted": lambda features: features[::-1],
    "one more": lambda features: [*features, Count("more", of="Buy")],
    "redefined": lambda features: [replace(features[0], over="99d"), *features[1:]],
}
READS: dict[str, Sequence[int]] = {"permuted": (0, 1, 2), "one more": (0, 1, 2), "redefined": (0, 1, 2, 4)}
"""Change → the arms of tests.replay.examples that read other inputs after it."""


@pytest.mark.parametrize("arm", range(5))
@pytest.mark.parametrize("change", CHANGES)
def test_learning_goes_on_where_the_arm_reads_the_same_and_nowhere_else(change: str, arm: int) -> None:
    log, store = learnt(arm)
    after = learner(log, other_features(log.use_case, CHANGES[change]), store, arm)
    if arm in READS[change]:
        with pytest.raises(DeploymentMismatch, match="new name"):
            after.assign([log.partition])
    else:
        after.assign([log.partition])
        assert after.examples == 30


def test_an_arm_that_reads_nothing_learns_from_vectors_of_any_length() -> None:
    log, store = ExampleLog(use_case(serve_every=10)), MemoryModelStore()
    for length in (5, 3, 0):
        log.example(vector=[1.0] * length)
    for arm, examples in ((0, 1), (3, 3)):
        stage = learner(log, log.use_case, store, arm)
        list(replay(stage, {log.partition: log.records}))
        assert (stage.examples, stage.skipped) == (examples, 3 - examples)


def test_snapshots_and_switches_say_what_they_have_learnt_from() -> None:
    log, store = learnt(0)
    said = arm_inputs(log.deployment.definitions)[log.target.name, "logistic"]
    outputs = [o for outs in replay(learner(log, log.use_case, store, 0), {log.partition: log.records}) for o in outs]
    assert {log.codec.decode(output.value)[1]["inputs"] for output in outputs} == {said.digest}
    snapshot = load_snapshot(next(reversed(store.blobs.values())), KEY)
    assert snapshot.model is not None
    assert (snapshot.inputs, snapshot.model.reads) == (said.digest, said.reads)


def test_snapshots_of_former_releases_are_read_and_compared_by_name() -> None:
    """They say what the arm declared as text, and nothing of its inputs but the names in the model."""
    log, store = learnt(0)
    path, blob = next(reversed(store.blobs.items()))
    snapshot, arm = load_snapshot(blob, KEY), log.target.arms[0]
    snapshot.declared, snapshot.inputs = repr((arm.model, "binary", ("f0", "f1", "f2", "f3", "f4"))), ""
    store.put(path, dump_snapshot(snapshot, KEY))
    stage = learner(log, log.use_case, store, 0)
    stage.assign([log.partition])
    assert stage.examples == 30
    permuted = learner(log, other_features(log.use_case, CHANGES["permuted"]), store, 0)
    with pytest.raises(DeploymentMismatch, match="another order"):
        permuted.assign([log.partition])
