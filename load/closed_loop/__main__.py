"""Closed loop: a comparison of the whole system with River's own predict-then-learn loop.

Each row is an event, and its label follows as an outcome. The next row waits until the log holds the switch for that
label. The prequential accuracy must then equal that of River's loop."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.progress import track
from river import datasets, linear_model, metrics, preprocessing, stream

from load.wire import Wire, stack_addresses
from schemas.catalog import Event
from schemas.records import OUTCOME, PREDICTION, SWITCH, OutcomeRecord, PredictionRecord, SwitchRecord

Row = tuple[dict[str, float], bool]
NAMES = {"phishing": ("phishing.Site", None), "elec2": ("elec2.HalfHour", 5000)}
ELEC2_COLUMNS = ("date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
TIMEOUT_S = 30.0
"""Seconds without a switch after which the loop gives up."""


def rows_of(data_set: str, file: Path | None) -> list[Row]:
    """Return the rows with their labels; all numbers are doubles."""
    if data_set == "phishing":
        rows: Any = datasets.Phishing()
    else:
        converters: dict[str, Any] = dict.fromkeys(ELEC2_COLUMNS, float) | {"class": lambda text: text == "UP"}
        rows = stream.iter_csv(str(file), target="class", converters=converters)
    return [({name: float(value) for name, value in x.items()}, bool(y)) for x, y in rows]


def river_accuracy(rows: list[Row]) -> float:
    """Return the accuracy of River's loop: predict, then learn, row by row."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    metric = metrics.Accuracy()
    for x, y in rows:
        metric.update(y, model.predict_one(x))
        model.learn_one(x, y)
    return float(metric.get())


class ClosedLoop:
    """Publishes a row, waits for the switch that its label causes, and publishes the next."""

    def __init__(self, event: str) -> None:
        stack = stack_addresses()
        self._event = event
        self._wire = Wire(stack["registry"])
        self._producer = Producer({"bootstrap.servers": stack["kafka"], "enable.idempotence": True, "linger.ms": 0})
        self._consumer = Consumer(
            {
                "bootstrap.servers": stack["kafka"],
                "group.id": "closed-loop",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 5,
            }
        )
        self._consumer.assign([TopicPartition("customer-events", 0, 0)])
        self._switched = -1

    def run(self, rows: list[Row]) -> None:
        """Publish all rows, one after the other."""
        for number, (x, y) in enumerate(track(rows, "rows", disable=not sys.stdout.isatty())):
            moment = 1000 * number
            common = {"customer_id": "row", "occurred_at": moment, "source": "closed-loop"}
            self._publish(self._event, {"event_id": f"row-{number}", **common, **x})
            outcome: OutcomeRecord = {
                "outcome_id": f"label-{number}",
                "customer_id": "row",
                "target": "label",
                "prediction_id": None,
                "occurred_at": moment + 1,
                "value": float(y),
                "source": "closed-loop",
            }
            self._publish(OUTCOME, outcome)
            self._producer.flush()
            self._await_switch(number)

    def _publish(self, name: str, record: Event | OutcomeRecord) -> None:
        key = record["customer_id"].encode()
        self._producer.produce("customer-events", self._wire.encode(name, record), key, partition=0)

    def _await_switch(self, number: int) -> None:
        """Wait for the switch to the version that has learnt row `number`. Each label causes one switch."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = self._consumer.poll(0.05)
            if message is None or message.error() or message.key() is not None:
                continue
            name, record = self._wire.decode(message.value())
            if name == SWITCH and self._newer(record):
                return
        raise click.ClickException(
            f"no switch for row {number} within {TIMEOUT_S:.0f} s: see the workers' output above"
        )

    def _newer(self, switch: SwitchRecord) -> bool:
        """Return whether this switch is to a newer version than those before it. Remembers the version."""
        if switch["offset"] <= self._switched:
            return False
        self._switched = switch["offset"]
        return True


def accuracy(rows: list[Row]) -> float:
    """Return the prequential accuracy of the predictions on the topic, in the order of the rows."""
    stack = stack_addresses()
    wire = Wire(stack["registry"])
    consumer = Consumer({"bootstrap.servers": stack["kafka"], "group.id": "closed-loop", "enable.auto.commit": False})
    consumer.assign([TopicPartition("predictions", 0, 0)])
    answers: dict[str, float] = {}
    deadline = time.monotonic() + TIMEOUT_S
    while len(answers) < len(rows):
        if time.monotonic() > deadline:
            raise click.ClickException(f"only {len(answers)} predictions for {len(rows)} rows within {TIMEOUT_S:.0f} s")
        for message in consumer.consume(1000, 1.0):
            name, record = wire.decode(message.value())
            if name == PREDICTION:
                prediction: PredictionRecord = record
                answers[prediction["prediction_id"]] = prediction["value"]
    consumer.close()
    metric = metrics.Accuracy()
    for (_, y), value in zip(rows, answers.values(), strict=True):
        metric.update(y, value > 0.5)
    return float(metric.get())


def tidecast(*arguments: str) -> list[str]:
    """Return the command line `tidecast ARGUMENTS` in this environment."""
    return [sys.executable, "-c", "from agents.cli import main; main()", *arguments]


@contextmanager
def system(use_case: Path) -> Iterator[None]:
    """Start a new stack with one partition, a deployed use case and its workers. Ends them afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidecast-loop-") as folder:
        os.environ["TIDECAST_DATA"] = folder
        worker = None
        try:
            subprocess.run(tidecast("stack", "up"), check=True, stdout=sys.stderr)
            subprocess.run(tidecast("deploy", str(use_case), "--partitions", "1"), check=True, stdout=sys.stderr)
            worker = subprocess.Popen(
                tidecast("worker", "scoring", "learning", "--use-case", str(use_case)), stdout=sys.stderr
            )
            yield
        finally:
            if worker is not None:
                worker.terminate()
                worker.wait(30)
            subprocess.run(tidecast("stack", "down", "--wipe"), check=False, stdout=sys.stderr)


@click.command()
@click.argument("data_set", type=click.Choice(sorted(NAMES)))
@click.option("--file", type=click.Path(exists=True, path_type=Path), help="electricity.csv[.gz]; needed for elec2.")
@click.option("--rows", "limit", type=click.IntRange(1), help="Use only the first rows.  [default: all; elec2: 5000]")
def main(data_set: str, file: Path | None, limit: int | None) -> None:
    """Run a data set through the whole system in a closed loop, and compare with River's own loop.

    \b
    python -m load.closed_loop phishing
    python -m load.closed_loop elec2 --file electricity.csv.gz
    """
    if data_set == "elec2" and file is None:
        raise click.UsageError("elec2 needs --file with the CSV of River's data set Elec2")
    event, default = NAMES[data_set]
    rows = list(islice(rows_of(data_set, file), limit or default))
    with system(Path(__file__).parent / data_set):
        began = time.monotonic()
        ClosedLoop(event).run(rows)
        seconds = time.monotonic() - began
        tidecast_accuracy, river = accuracy(rows), river_accuracy(rows)
    click.echo(f"{data_set}: {len(rows)} rows in {seconds:.0f} s ({1000 * seconds / len(rows):.1f} ms a row)")
    click.echo(f"prequential accuracy: Tidecast {tidecast_accuracy:.6f}, River's own loop {river:.6f}")
    if f"{tidecast_accuracy:.6f}" != f"{river:.6f}":
        raise click.ClickException("the accuracies differ")


if __name__ == "__main__":
    main()
