"""Learning keeps its invariants. Batches, crashes and restarts do not change snapshots and switches."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.topics import CUSTOMER_EVENTS
from streams.control import check
from streams.errors import DeploymentMismatch, LogGap
from streams.keys import Key, Keys
from streams.learning.stage import Learning
from streams.log import Output
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import BadSnapshot, load_snapshot
from streams.replay import replay
from streams.usecases import Arm, Logistic, PriorRate
from tests.replay.examples import KEY, PARTITIONS, ExampleLog, stormy, use_case


def learner(log: ExampleLog, store: MemoryModelStore, arm: int = 0, **options: int) -> Learning:
    target = log.target
    return Learning(log.use_case, target, target.arms[arm], log.deployment, store, log.codec, KEY, **options)


def calm(log: ExampleLog, arm: int = 0) -> tuple[MemoryModelStore, list[Output]]:
    store = MemoryModelStore()
    pieces = replay(learner(log, store, arm), {log.partition: log.records})
    return store, [output for outputs in pieces for output in outputs]


def switches(log: ExampleLog, outputs: list[Output]) -> dict[int, list[bytes]]:
    """Return the switches that a scorer follows, by partition: those with a greater (command, offset) than the last."""
    obeyed: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    last: dict[int, tuple[int, int]] = {}
    for output in outputs:
        name, record = log.codec.decode(output.value)
        assert (name, output.topic, output.key) == ("tidecast.Switch", CUSTOMER_EVENTS, None)
        assert check(name, record, KEY, CUSTOMER_EVENTS, output.partition)
        number = (record["command"], record["offset"])
        if number > last.get(output.partition, (-1, -1)):
            last[output.partition] = number
            obeyed[output.partition].append(output.value)
    return obeyed


@pytest.mark.parametrize("kind,arm", [("binary", i) for i in range(5)] + [("regression", i) for i in range(3)])
def test_crashes_leave_no_trace(kind: str, arm: int) -> None:
    log = ExampleLog(use_case(kind, serve_every=37), seed=arm).fill(400)
    calm_store, calm_outputs = calm(log, arm)
    assert len(calm_store.blobs) == 400 // 37
    for seed in range(2):
        store = MemoryModelStore()
        outputs = list(stormy(lambda store=store: learner(log, store, arm), log, seed, 0.3))
        assert store.blobs == calm_store.blobs
        assert switches(log, outputs) == switches(log, calm_outputs)


def test_a_switch_goes_to_every_partition_and_names_its_snapshot() -> None:
    log = ExampleLog(use_case(serve_every=10)).fill(25)
    store, outputs = calm(log)
    assert [len(found) for found in switches(log, outputs).values()] == [2] * PARTITIONS
    record = log.codec.decode(outputs[-1].value)[1]
    snapshot = load_snapshot(store.get(record["snapshot"]), KEY)
    assert record["version"] == str(snapshot.version) == f"leaves/logistic.1@{record['offset']}"
    assert snapshot.examples == 20
    assert log.codec.decode(log.records[record["offset"]].value)[0] == "tidecast.LabelledExample"


def test_the_last_switch_is_sent_again_after_a_restart_without_new_examples() -> None:
    log = ExampleLog(use_case(serve_every=5))
    for _ in range(5):
        log.example()
    store, outputs = calm(log)
    again = [output for slice_ in replay(learner(log, store), {log.partition: log.records}) for output in slice_]
    assert again == outputs and len(again) == PARTITIONS
    # A shell calls the stage only with records, so one record must be left to read.
    assert learner(log, store).assign([log.partition])[log.partition] == len(log.records) - 1


def test_every_example_is_learnt_once_and_nonsense_is_counted() -> None:
    log = ExampleLog(use_case(serve_every=1000))
    for _ in range(40):
        log.example()
        log.raw(log.records[-1].value)
    log.progress()
    log.raw(b"nonsense")
    log.raw(None)
    log.append("tidecast.Tick", {"time": 1, "writer": "someone"})
    log.append("tidecast.Deployment", {**log.deployment.to_record(), "deployment_id": "forged"})
    log.example(vector=[1.0])
    log.example(label=float("inf"))
    log.example()
    stage = learner(log, MemoryModelStore())
    list(replay(stage, {log.partition: log.records}))
    assert (stage.examples, stage.skipped) == (41, 6)


def test_a_missing_example_is_an_error() -> None:
    log = ExampleLog(use_case()).fill(50)
    del log.records[10]
    with pytest.raises(LogGap, match="restore the topic"):
        calm(log)


def test_a_corrupt_latest_snapshot_is_passed_over() -> None:
    log = ExampleLog(use_case(serve_every=10)).fill(60)
    whole, _ = calm(log)
    store = MemoryModelStore()
    store.blobs = dict(list(whole.blobs.items())[:3])
    last = sorted(store.blobs)[-1]
    store.blobs[last] = store.blobs[last][:-1] + b"!"
    list(replay(learner(log, store), {log.partition: log.records}))
    assert store.blobs == whole.blobs


def test_no_readable_snapshot_names_the_key() -> None:
    log = ExampleLog(use_case(serve_every=10)).fill(30)
    store, _ = calm(log)
    keys = Keys.of(Key.of("", b"another key"))
    stage = Learning(log.use_case, log.target, log.target.arms[0], log.deployment, store, log.codec, keys)
    with pytest.raises(BadSnapshot, match="signing key"):
        stage.assign([log.partition])


def changed(before: ExampleLog, *arms: Arm, **other: object) -> ExampleLog:
    """Return a log whose definitions follow those of `before`, with more arms and other settings of the target."""
    target = replace(before.target, arms=(*before.target.arms, *arms), **other)
    return ExampleLog(replace(before.use_case, targets=(target,)), former=(before.deployment.deployment_id,))


def of(new: ExampleLog, log: ExampleLog, store: MemoryModelStore, arm: int = 0) -> Learning:
    """Return the learner under the definitions of `new` that reads `log`."""
    target = new.target
    return Learning(new.use_case, target, target.arms[arm], new.deployment, store, log.codec, KEY)


def test_later_definitions_stop_it_and_the_next_worker_goes_on() -> None:
    old = ExampleLog(use_case(serve_every=10)).fill(33)
    new = changed(old, Arm("second", Logistic(learning_rate=0.1)), observe=0.5, serve_every=7)
    old.deploy(new.deployment)
    offset = len(old.records)
    for _ in range(9):
        old.example(deployment_id=new.deployment.deployment_id)
    store = MemoryModelStore()
    with pytest.raises(DeploymentMismatch, match=new.deployment.deployment_id):
        list(replay(learner(old, store), {old.partition: old.records}))
    stage = of(new, old, store)
    assert stage.assign([old.partition])[old.partition] < offset
    list(replay(stage, {old.partition: old.records}))
    assert stage.examples == 42
    # An arm that the old definitions did not have starts untrained behind them.
    second = of(new, old, store, arm=-1)
    list(replay(second, {old.partition: old.records}))
    assert second.examples == 9


@pytest.mark.parametrize("killed_at,serve_every", [(0, 7), (5, 7), (0, 10), (12, 10), (25, 10)])
def test_the_versions_do_not_depend_on_which_worker_comes_to_the_change(killed_at: int, serve_every: int) -> None:
    """A learner is killed anywhere before the change, and only a learner of the new definitions is started again.

    Another `serve_every` is obeyed at its place, too, unless a snapshot lies before it."""
    old = ExampleLog(use_case(serve_every=10)).fill(33)
    new = changed(old, serve_every=serve_every, observe=0.5)
    old.deploy(new.deployment)
    for _ in range(9):
        old.example(deployment_id=new.deployment.deployment_id)
    stores = []
    for end in (killed_at, len(old.records)):
        store = MemoryModelStore()
        with suppress(DeploymentMismatch):
            list(replay(learner(old, store), {old.partition: old.records[:end]}))
        list(replay(of(new, old, store), {old.partition: old.records}))
        stores.append(store.blobs)
    assert stores[0] == stores[1]
    assert len(stores[0]) == 33 // 10 + 1 + 42 // serve_every - 33 // serve_every


def test_definitions_that_return_pass_over_those_between() -> None:
    log = ExampleLog(use_case(serve_every=10)).fill(15)
    between = changed(log, observe=0.5)
    log.deploy(between.deployment)
    log.example(deployment_id=between.deployment.deployment_id)
    again = replace(log.deployment, former=(log.deployment.deployment_id, between.deployment.deployment_id))
    log.deploy(again)
    log.example()
    stage = Learning(log.use_case, log.target, log.target.arms[0], again, MemoryModelStore(), log.codec, KEY)
    list(replay(stage, {log.partition: log.records}))
    assert stage.examples == 17


def test_examples_under_another_declaration_of_the_arm_are_skipped() -> None:
    log = ExampleLog(use_case(serve_every=100)).fill(20)
    arm = Arm("logistic", Logistic(learning_rate=0.5), role="champion")
    target = replace(log.target, arms=(arm,))
    new = ExampleLog(replace(log.use_case, targets=(target,)), former=(log.deployment.deployment_id,))
    log.deploy(new.deployment)
    log.example(answers={"logistic": 0.5})
    stage = of(new, log, MemoryModelStore())
    list(replay(stage, {log.partition: log.records}))
    assert stage.examples == 1


def test_examples_under_unknown_definitions_stop_it() -> None:
    log = ExampleLog(use_case()).fill(5)
    new = changed(log, observe=0.5)
    stage = Learning(
        new.use_case, new.target, new.target.arms[0], new.deployment.alone(), MemoryModelStore(), log.codec, KEY
    )
    with pytest.raises(DeploymentMismatch, match=log.deployment.deployment_id):
        list(replay(stage, {log.partition: log.records}))


def test_a_changed_arm_needs_a_new_name() -> None:
    log = ExampleLog(use_case(serve_every=10)).fill(30)
    store, _ = calm(log)
    arms = (Arm("logistic", Logistic(learning_rate=0.5), role="champion"), *log.target.arms[1:])
    other = ExampleLog(use_case(serve_every=10, arms=arms))
    stage = Learning(other.use_case, other.target, arms[0], other.deployment, store, log.codec, KEY)
    with pytest.raises(DeploymentMismatch, match="new name"):
        stage.assign([log.partition])


def test_a_candidate_that_is_not_finite_never_serves() -> None:
    arms = (Arm("mean", PriorRate(), role="champion"),)
    log = ExampleLog(use_case("regression", serve_every=10, arms=arms))
    for i in range(60):
        log.example(label={20: -1.79e308, 21: 1.79e308}.get(i, 1.0))
    store, outputs = calm(log)
    stage = learner(log, store)
    stage.assign([log.partition])
    served = [log.codec.decode(value)[1]["offset"] for value in switches(log, outputs)[0]]
    assert served == [10, 20]
    assert "probe" in stage.failure
    assert stage.examples == 30
    for seed in range(3):
        again = MemoryModelStore()
        list(stormy(lambda again=again: learner(log, again), log, seed))
        assert again.blobs == store.blobs


def test_a_candidate_that_grows_too_large_never_serves() -> None:
    log = ExampleLog(use_case(serve_every=100)).fill(900)
    sizes = [len(blob) for _, blob in sorted(calm(log, arm=2)[0].blobs.items())]
    limit = max(sizes[:3])
    assert max(sizes) > limit
    store = MemoryModelStore()
    stage = learner(log, store, arm=2, limit=limit)
    outputs = [output for slice_ in replay(stage, {log.partition: log.records}) for output in slice_]
    assert "smaller model" in stage.failure
    served = switches(log, outputs)[0]
    assert 0 < len(served) < 9
    assert max(map(len, store.blobs.values())) <= limit


SCRIPT = """
import sys
from hashlib import sha256
from pathlib import Path
from streams.models.memory import MemoryModelStore
from streams.replay import replay
from tests.replay.examples import ExampleLog, use_case
from tests.replay.test_learning import learner
end = int(sys.argv[2])
for kind, arm in (("binary", 1), ("binary", 2), ("regression", 1)):
    folder = Path(sys.argv[1], f"{kind}-{arm}")
    folder.mkdir(parents=True, exist_ok=True)
    log = ExampleLog(use_case(kind, serve_every=50), seed=1).fill(400)
    store = MemoryModelStore()
    for file in folder.iterdir():
        store.blobs[file.name.replace("+", "/")] = file.read_bytes()
    list(replay(learner(log, store, arm), {log.partition: log.records[:end]}))
    for path, blob in store.blobs.items():
        (folder / path.replace("/", "+")).write_bytes(blob)
        print(kind, path, sha256(blob).hexdigest())
"""


def test_a_restarted_process_writes_the_same_bytes(tmp_path: Path) -> None:
    def run(folder: str, end: int) -> list[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / folder), str(end)]
        env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.getcwd()}
        return sorted(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines())

    whole = run("straight", 10_000)
    run("broken", 130)
    run("broken", 290)
    assert run("broken", 10_000) == whole
    assert len(whole) == 3 * 8
