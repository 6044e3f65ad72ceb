"""The table of stages agrees with everything that depends on it. Failures are readable sentences."""

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.settings import Settings
from agents.sizing import advice
from agents.stages import STAGES, StageRow, Store, as_json, by_process, stage_row
from agents.verifying import CHECKS
from agents.wiring import Wiring
from load.chaos.workers import KINDS
from schemas.catalog import load_schemas
from schemas.topics import TOPICS
from sinks.failpoints import POINTS
from sinks.kafka.transactional import TransactionalEmitter
from streams.avro.codec import Codec, MemoryRegistry
from streams.deployment import Fingerprint, deploy_of
from streams.errors import SettingError
from streams.identity import Position
from streams.log import Stage, TopicPartition
from streams.models.memory import MemoryModelStore
from streams.state.memory import MemoryScoringStore, MemoryStageStore
from streams.usecases import load_use_case
from tests.integration.runtime.counting.stage import SINK, SOURCE, Counting

ROOT = Path(__file__).parents[3]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PROMETHEUS = (ROOT / "docs/compose/prometheus.yml").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
ADDRESSES = {
    "kafka": "localhost:1",
    "registry": "http://localhost:1",
    "redis_url": "redis://localhost:1",
    "clickhouse_url": "http://localhost:1",
    "model_store": "memory://models",
}
BY_HAND = {
    "agents/stages.py": "the table",
    "agents/sizing/cpu.py": "`tidecast size` says which stages it leaves out",
    "agents/sizing/estimate.py": "as agents/sizing/cpu.py",
    "tests/contract/stages/cases.py": "the contract suite compares it with the table",
    "load/chaos/workers.py": "the worker processes of a chaos run, compared here",
}
"""Files that may list stages by hand, each with the reason."""
ROWS = pytest.mark.parametrize("row", STAGES.values(), ids=list(STAGES))


def _tallying(wiring: Wiring) -> Mapping[str, Stage]:
    return {"tidecast-tallying": Counting(wiring.stage_store)}


TALLYING = StageRow(
    name="tallying",
    topics=(SOURCE,),
    outputs=(SINK,),
    build=_tallying,
    store=Store.PARTITIONS,
    state="counts and checksums",
    results="offsets",
    process="tallying",
)


class Named(MemoryStageStore):
    """A store that records the names under which it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def read(self, stage: str, topic: str, partition: int) -> tuple[Position, bytes] | None:
        self.names.add(stage)
        return super().read(stage, topic, partition)


@pytest.fixture
def wiring() -> Wiring:
    """Create a system with all stores in memory."""
    use_case = load_use_case("telecom")
    made = Wiring(Settings(**ADDRESSES), use_case, deploy_of(use_case, 1, 4, {}, Fingerprint("", "", "", "")))
    made.codec = Codec(MemoryRegistry(), load_schemas() | use_case.schemas)
    made.models, made.scoring_store, made.stage_store = MemoryModelStore(), MemoryScoringStore(), Named()
    return made


# -- the table itself


def test_an_unknown_stage_is_refused_by_naming_the_known_ones() -> None:
    with pytest.raises(SettingError, match="no stage 'learnign'; the stages are scoring, learning, judging, monit"):
        stage_row("learnign")
    with pytest.raises(SettingError, match="learnign"):
        by_process(["scoring", "learnign"])


def test_stages_share_processes_in_the_order_of_the_table() -> None:
    shared = by_process(["history", "monitoring", "judging", "scoring"])
    assert {process: [row.name for row in rows] for process, rows in shared.items()} == {
        "scoring": ["scoring"],
        "watching": ["judging", "monitoring"],
        "history": ["history"],
    }
    assert [*by_process(["monitoring", "scoring"])] == ["scoring", "watching"]


def test_the_table_is_printed_for_tools_from_outside() -> None:
    done = subprocess.run([sys.executable, "-m", "agents.stages"], capture_output=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == json.loads(json.dumps(as_json()))


@ROWS
def test_a_row_says_what_its_implementation_does(row: StageRow, wiring: Wiring) -> None:
    assert {*row.topics, *row.outputs} <= {*TOPICS}
    members = row.build(wiring)
    assert members
    for group, stage in members.items():
        assert group == row.group or group.startswith(f"{row.group}-")
        assert tuple(stage.topics) == row.topics, f"the topics of {row.name} in agents/stages.py differ from its class"
        assert stage.stateless is not row.store.is_rebuilt, f"{row.name}.stateless does not fit {row.store}"


@ROWS
def test_state_per_partition_lies_under_the_name_of_the_stage(row: StageRow, wiring: Wiring) -> None:
    if row.store is not Store.PARTITIONS:
        return
    stage = row.build(wiring)[row.group]
    places = [TopicPartition(topic, number) for topic in row.topics for number in range(16)]
    stage.assign([place for place in places if stage.wants(place)])
    assert isinstance(wiring.stage_store, Named)
    assert wiring.stage_store.names == {row.name}, "verify and status read it under the name in agents/stages.py"


@ROWS
@pytest.mark.parametrize("transactions", [False, True])
def test_transactions_concern_the_stages_that_say_so(row: StageRow, transactions: bool, wiring: Wiring) -> None:
    wiring.settings = wiring.settings.model_copy(update={"transactions": transactions})
    emitter = row.emitter(wiring)
    assert isinstance(emitter, TransactionalEmitter) is (transactions and row.transactional)


def test_each_store_has_one_check_and_only_values_per_partition_are_shared() -> None:
    assert CHECKS.keys() == {*Store}, "agents/verifying/__init__.py: CHECKS has no check for a store"
    special = [row.store for row in STAGES.values() if row.store is not Store.PARTITIONS]
    assert len(special) == len({*special}), "verify and status expect one stage per store, except Store.PARTITIONS"


# -- other places that list the stages


def forgotten(stages: Mapping[str, StageRow]) -> list[str]:
    """Return one sentence for each change that these stages still need."""
    return [*_compose(stages), *_prometheus(stages), *_chaos(stages), *_architecture(stages)]


def _compose(stages: Mapping[str, StageRow]) -> Iterator[str]:
    services = re.findall(
        r"^  ([\w-]+):\n    <<: \*worker\n(?:    mem_limit: \w+\n)?    command: \[worker, (\w+), --single,",
        COMPOSE,
        re.M,
    )
    for name in stages:
        if (name, name) not in services:
            yield f"docker-compose.yml: add a service `{name}` that runs `worker {name} --single`"
    for service, name in services:
        if name not in stages:
            yield f"docker-compose.yml: the service `{service}` runs {name!r}, which is no stage of agents/stages.py"


def _prometheus(stages: Mapping[str, StageRow]) -> Iterator[str]:
    found = re.search(r"names: \[(.*)\]", PROMETHEUS)
    scraped = found[1].split(", ") if found else []
    if scraped != [*stages]:
        yield f"docs/compose/prometheus.yml: scrape the services [{', '.join(stages)}], now [{', '.join(scraped)}]"


def _chaos(stages: Mapping[str, StageRow]) -> Iterator[str]:
    for process in {row.process: None for row in stages.values()}:
        if process not in KINDS.values():
            yield f"load/chaos/workers.py: add a worker of the process {process!r} to KINDS, and its servers to NEEDS"


def _architecture(stages: Mapping[str, StageRow]) -> Iterator[str]:
    for name in stages:
        if not re.search(rf"^\*\*{name.capitalize()}\*\* \(\[", ARCHITECTURE, re.M):
            yield f'docs/architecture.md: say under "The stages" what {name} does'


def test_nothing_is_forgotten() -> None:
    todo = forgotten(STAGES)
    assert not todo, "\n".join(["still to be done:", *todo])


def test_what_is_forgotten_for_a_new_stage_is_told() -> None:
    alone = {**STAGES, "tallying": TALLYING}
    names = ", ".join(STAGES)
    todo = [
        "docker-compose.yml: add a service `tallying` that runs `worker tallying --single`",
        f"docs/compose/prometheus.yml: scrape the services [{names}, tallying], now [{names}]",
        "load/chaos/workers.py: add a worker of the process 'tallying' to KINDS, and its servers to NEEDS",
        'docs/architecture.md: say under "The stages" what tallying does',
    ]
    assert {*todo} <= {*forgotten(alone)}
    beside = {**STAGES, "tallying": replace(TALLYING, process="watching")}
    assert {*todo} - {*forgotten(beside)} == {todo[2]}, "a chaos worker runs all stages of its process"


def test_fail_points_name_stages_that_exist() -> None:
    named = {name for point in POINTS if isinstance(point.stages, tuple) for name in point.stages}
    assert named <= STAGES.keys(), "sinks/failpoints.py names a stage that is not in agents/stages.py"
    assert {point for row in STAGES.values() for point in row.fail_points} == {point.name for point in POINTS}
    assert "rows.all" not in TALLYING.fail_points and "produced" in TALLYING.fail_points


def test_an_estimate_says_which_stages_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    size = importlib.import_module("agents.cli.define.size")
    from click.testing import CliRunner

    def notes() -> str:
        done = CliRunner().invoke(size.command, ["--events", "1k", "--linear", "1"])
        assert done.exit_code == 0, done.output
        return done.output

    sized = {"scoring": STAGES["scoring"], "judging": STAGES["judging"]}
    monkeypatch.setattr(advice, "STAGES", sized)
    assert "leaves out" not in notes()
    monkeypatch.setattr(advice, "STAGES", {**sized, "tallying": TALLYING})
    assert "The estimate leaves out tallying:" in notes()


# -- no lists by hand


def _listed(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """Yield the line and the names of each literal that names at least three stages."""
    for node in ast.walk(tree):
        parts: Sequence[Any] = ()
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = node.elts
        elif isinstance(node, ast.Dict):
            parts = [*node.keys, *node.values]
        names = {part.value for part in parts if isinstance(part, ast.Constant)} & STAGES.keys()
        if len(names) >= 3:
            yield node.lineno, names


def test_no_list_of_stages_is_written_by_hand() -> None:
    packages = ("agents", "load", "sinks", "streams", "tests")
    files = [file for package in packages for file in ROOT.glob(f"{package}/**/*.py")]
    found = {str(file.relative_to(ROOT)): [*_listed(ast.parse(file.read_text()))] for file in files}
    told = [
        f"{name}:{line} lists {', '.join(sorted(names))}: read agents.stages (in load: load.stages) instead"
        for name, listed in found.items()
        for line, names in listed
        if name not in BY_HAND and name != str(Path(__file__).relative_to(ROOT))
    ]
    assert not told, "\n".join(told)
