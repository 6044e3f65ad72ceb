"""`python -m agents.sizing.measuring [--servers] [--write]`: measures the constants.

By default it measures the constants that need no server; with --servers, those that need one, on the running local
stack (`tidecast stack up`), in topics, keys and a database of their own. --write stores them in measured.json."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median
from time import thread_time
from typing import Any

import click

from agents.settings import STACK_FILE, load_settings
from agents.sizing.constants import MEASURED, read_measured
from agents.sizing.measuring.in_clickhouse import clickhouse_constants
from agents.sizing.measuring.in_kafka import kafka_constants
from agents.sizing.measuring.in_memory import stage_constants
from agents.sizing.measuring.in_redis import redis_constants
from schemas.catalog import Decoded, load_schemas
from schemas.marks import HighWater
from schemas.records import (
    LABELLED_EXAMPLE,
    PREDICTION,
    PROGRESS,
    AnswerRecord,
    LabelledExampleRecord,
    PredictionRecord,
    ProgressRecord,
)
from sinks.redis.client import connect
from streams.avro.codec import Codec, MemoryRegistry
from streams.identity import Coordinate, Position
from streams.keys import Key, Keys
from streams.models.declaration import Model
from streams.models.factory import build_model
from streams.models.snapshot import Snapshot, dump_snapshot, load_snapshot
from streams.models.version import Version
from streams.targets.observations import Observation, Observations, pack_vector
from streams.usecases import AdaptiveForest, Arm, HoeffdingTree, Logistic, PriorRate

FILE = Path(__file__).parents[1] / MEASURED
COMMAND = "`python -m agents.sizing.measuring`"
WITH_SERVERS = "`python -m agents.sizing.measuring --servers`"
FEATURES = 20
ROUNDS = 5
KEY = Keys.of(Key.of("", b"k" * 32))
KINDS: dict[str, tuple[Arm, int]] = {
    "linear": (Arm("logistic", Logistic(), role="champion"), 1),
    "tree": (Arm("tree", HoeffdingTree()), 1),
    "forest_tree": (Arm("forest", AdaptiveForest(10)), 10),
    "naive": (Arm("prior_rate", PriorRate(), role="naive"), 1),
}
"""Kind → an arm, and the number by which its cost is divided."""
EXAMPLES = {"linear": 20_000, "tree": 20_000, "forest_tree": 2_000, "naive": 20_000}
"""Examples learnt before measuring, because trees and their snapshots grow."""


def examples(count: int, seed: int = 7) -> Iterator[tuple[list[float], float]]:
    """Return vectors with a learnable label; one value in ten is unknown."""
    random = Random(seed)
    for _ in range(count):
        vector = [random.gauss(0, 1) for _ in range(FEATURES)]
        label = float(vector[0] + vector[1] * vector[2] + random.gauss(0, 1) > 0)
        yield [float("nan") if random.random() < 0.1 else value for value in vector], label


def cpu_us(work: Callable[[], object], times: int) -> float:
    """Return the CPU of one call, in microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        start = thread_time()
        for _ in range(times):
            work()
        rounds.append((thread_time() - start) / times * 1e6)
    return median(rounds)


def model_constants(kind: str) -> dict[str, float]:
    """Return the costs of one kind of arm."""
    arm, divisor = KINDS[kind]
    names = [f"feature_{n}" for n in range(FEATURES)]
    model = build_model(arm, "churn", "binary", names, 1)
    for vector, label in examples(EXAMPLES[kind]):
        model.learn(vector, label)
    blob = _dumped(model, arm)
    served, some = model.frozen(), list(examples(200, seed=8))

    def learn_some() -> None:
        for vector, label in some:
            model.learn(vector, label)

    found = {
        f"scoring_cpu_us_per_answer_{kind}": cpu_us(lambda: [served.predict(v) for v, _ in some], 1) / len(some),
        f"model_dump_cpu_us_{kind}": cpu_us(lambda: _dumped(model, arm), 5),
        f"model_load_cpu_us_{kind}": cpu_us(lambda: load_snapshot(blob, KEY), 5),
        f"learning_cpu_us_per_learn_{kind}": cpu_us(learn_some, 1) / len(some),
    }
    return {name: value / divisor for name, value in found.items()}


def _dumped(model: Model, arm: Arm) -> bytes:
    version = Version("churn", arm.name, 1, 81233)
    return dump_snapshot(Snapshot(version, model, HighWater(), Position(81234), 81234), KEY)


SOURCE = Coordinate("customer-events", 1790000000, 11, 81233000, 1).as_record()
ASKED = 1768000000000
SETTLED = ASKED + 1000


def _answers(count: int) -> list[AnswerRecord]:
    version = "churn/logistic.1@8123300"
    return [{"arm": "logistic", "version": version, "value": 0.31, "fallback": False} for _ in range(count)]


def prediction(arms: int) -> PredictionRecord:
    """Return a prediction of `arms` arms, with three reasons."""
    return {
        "prediction_id": "1790000000.11.81233000.1",
        "target": "churn",
        "customer_id": "customer-01234567",
        "asked_at": ASKED,
        "asked_by": "Call",
        "value": 0.31,
        "champion": "logistic",
        "answers": _answers(arms),
        "vector": [0.5] * FEATURES,
        "reasons": [{"feature": "minutes_30d", "value": 0.8}] * 3,
        "observed": True,
        "horizon_end": SETTLED,
        "deployment_id": "0123456789abcdef",
        "source": SOURCE,
    }


def example(arms: int) -> LabelledExampleRecord:
    """Return a labelled example of `arms` arms."""
    return {
        "example_id": "1790000000.11.81240000.0",
        "prediction_id": "1790000000.11.81233000.1",
        "target": "churn",
        "customer_id": "customer-01234567",
        "asked_at": ASKED,
        "answers": _answers(arms),
        "vector": [0.5] * FEATURES,
        "label": 1.0,
        "outcome_at": SETTLED,
        "settled_by": "absence",
        "deployment_id": "0123456789abcdef",
        "previous": "1790000000.11.81230000.0",
        "source": SOURCE,
    }


def byte_constants() -> dict[str, float]:
    """Return the lengths of encoded records, and of a packed observation's answer."""
    codec = Codec(MemoryRegistry(), load_schemas())

    def length(name: str, record: Decoded) -> float:
        return float(len(codec.encode(name, record)))

    one, four = (length(PREDICTION, prediction(arms)) for arms in (1, 4))
    answer, vector = (four - one) / 3, FEATURES * 8.0
    told = {"churn": 81233}
    progress: ProgressRecord = {"watermark": ASKED, "tick": ASKED, "opened": told, "settled": told, "source": SOURCE}
    return {
        "kafka_bytes_per_answer": answer,
        "kafka_bytes_per_prediction": one - answer - vector,
        "kafka_bytes_per_example": length(LABELLED_EXAMPLE, example(1)) - answer - vector,
        "kafka_bytes_per_control": length(PROGRESS, progress),
        "redis_bytes_per_observed_answer": (_observed(4) - _observed(1)) / 3,
    }


def _observed(arms: int) -> float:
    answers = [("logistic", "churn/logistic.1@8123300", 0.31, False)] * arms
    vector = pack_vector([0.5] * FEATURES)
    made = Observation("churn", "1790000000.11.81233000.1", 1768000000000, 1768000001000, vector, answers)
    return float(len(Observations([made]).pack()))


def measured() -> dict[str, float]:
    """Return the constants that need no server."""
    found = byte_constants()
    for kind in KINDS:
        found |= model_constants(kind)
    return found | stage_constants(found)


def measured_on_servers() -> dict[str, float]:
    """Return the constants that need servers. Raises SettingError where no local stack runs."""
    settings = load_settings()
    pids = {part: each["pid"] for part, each in json.loads((settings.data / STACK_FILE).read_text())["pids"].items()}
    found = redis_constants(connect(settings.redis_url), byte_constants()["redis_bytes_per_observed_answer"])
    return found | clickhouse_constants(settings, pids["clickhouse"]) | kafka_constants(settings, pids["kafka"])


def entries(found: Mapping[str, float], command: str) -> dict[str, dict[str, Any]]:
    """Return the entries of measured.json, rounded to three significant digits."""
    how = {each.name: each.how for each in read_measured()}
    told = {"provisional": False, "command": command, "date": datetime.now(UTC).date().isoformat()}
    return {name: {"value": float(f"{value:.3g}"), "how": how[name]} | told for name, value in sorted(found.items())}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--servers", is_flag=True, help="Measure the constants that need servers, on the running local stack.")
@click.option("--write", is_flag=True, help="Store the values in measured.json instead of only printing them.")
def main(servers: bool, write: bool) -> None:
    """Measure the constants of `tidecast size`, and print them as JSON. Leave the machine otherwise idle.

    \b
    python -m agents.sizing.measuring --write
    tidecast stack up && python -m agents.sizing.measuring --servers --write
    python -m agents.cli.sizing_document docs/sizing.md        # afterwards
    """
    found = entries(measured_on_servers(), WITH_SERVERS) if servers else entries(measured(), COMMAND)
    click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    if write:
        whole = json.loads(FILE.read_text(encoding="utf-8"))
        whole["constants"] |= found
        FILE.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
