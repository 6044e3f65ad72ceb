"""`tidecast verify` finds no difference after a run without faults, and names everything that is changed later."""

import csv
import json
import random
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from redis import Redis

from agents.cli import tidecast as group
from agents.kafka.log_reader import LogReader
from agents.settings import load_settings
from agents.stages import stage_row
from agents.wiring import Wiring, connect_system
from schemas.topics import LABELLED_EXAMPLES, PREDICTIONS
from sinks.clickhouse.client import WRITING, connect
from streams.log import Stage, TopicPartition
from tests.integration.conftest import Stack
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.integration
CUSTOMERS = 40
DAYS = 300
RESENT = 25
MAPPING = 'event="Purchase"\ncustomer="customer"\ntime="day"\n[fields]\nitems="items"\namount_cents="cents"\n'


class System:
    """A retail system with its own topics and tables. Its stages run in this process."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.clickhouse = connect(wiring.settings.clickhouse_database, WRITING, **wiring.settings.clickhouse())
        self.redis: Redis = wiring.redis
        self.rows = 0
        self.found: dict[str, Any] = {}
        """All findings of the last `verify`."""

    def work(self, *names: str) -> None:
        """Run the named stages one after the other until each has read its logs."""
        emitter = self.wiring.emitter()
        with LogReader(self.wiring.settings) as reader:
            for stage in [stage for name in names for stage in stage_row(name).build(self.wiring).values()]:
                places = [place for topic in stage.topics for place in reader.partitions(topic) if stage.wants(place)]
                for place, start in stage.assign(places).items():
                    self._work(stage, reader, place, start, emitter)

    def _work(self, stage: Stage, reader: LogReader, place: TopicPartition, start: int, emitter: Any) -> None:
        records = reader.read(place, start)
        while batch := list(islice(records, 1000)):
            for slice_ in stage.process({place: batch}):
                emitter.emit(slice_.outputs)
                slice_.commit()

    def send_again(self, place: TopicPartition, changed: bool = False) -> None:
        """Send the first records of a partition again, as after a crash."""
        producer = Producer(self.wiring.settings.confluent())
        with LogReader(self.wiring.settings) as reader:
            for record in islice(reader.read(place), RESENT):
                assert record.value is not None
                value = record.value[:-1] + bytes([record.value[-1] ^ 2]) if changed else record.value
                name = self.wiring.settings.topic(place.topic)
                producer.produce(name, value, record.key, place.partition)
        assert producer.flush(PATIENCE_S) == 0

    def verify(self, *words: str) -> dict[str, Any]:
        """Return the differences by check. The exit code must match them."""
        done = run("verify", *words, "--json")
        self.found = found = json.loads(done.stdout)
        wrong = {name: finding["differences"] for name, finding in found.items() if finding["differences"]}
        assert done.exit_code == bool(wrong), done.stderr
        return wrong


def run(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(group, words)


def purchases(file: Path) -> int:
    """Write a file of purchases. Return its number of rows."""
    r = random.Random(3)
    rows = []
    for customer in range(CUSTOMERS):
        day = r.randrange(40)
        while day < DAYS:
            when = date(2024, 1, 1) + timedelta(days=day)
            rows.append((f"c{customer}", when.isoformat(), r.randrange(1, 5), r.randrange(100, 9000)))
            day += 1 + int(r.expovariate(0.15))
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("customer", "day", "items", "cents"), *sorted(rows, key=lambda row: row[1])])
    return len(rows)


@pytest.fixture(scope="module")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder, name = tmp_path_factory.mktemp("verify"), uuid.uuid4().hex[:8]
    own = {"TIDECAST_TOPIC_PREFIX": f"verify-{name}.", "TIDECAST_CLICKHOUSE_DATABASE": f"verify_{name}"}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {**stack.env, **own, "TIDECAST_USE_CASE": "retail"}.items():
            patch.setenv(key, value)
        file, mapping = folder / "p.csv", folder / "p.toml"
        mapping.write_text(MAPPING)
        rows = purchases(file)
        assert run("deploy", "retail", "--partitions", "2").exit_code == 0
        for _ in range(2):  # the second time, every event is late or a duplicate
            assert run("publish", str(file), "--mapping", str(mapping), "--as-fast-as-possible").exit_code == 0
        made = System(connect_system(load_settings(), "retail"))
        made.rows = rows
        made.work("scoring", "learning", "scoring", "judging")
        made.send_again(TopicPartition(PREDICTIONS, 0))
        made.work("monitoring", "monitoring", "history")  # monitoring reads its own output
        yield made
        made.clickhouse.command(f"DROP DATABASE {own['TIDECAST_CLICKHOUSE_DATABASE']}")


def test_what_calm_workers_leave_is_identical(system: System) -> None:
    assert system.verify() == {}
    found = system.found
    compared = {name: finding["compared"] for name, finding in found.items()}
    assert compared["scoring/state"] == CUSTOMERS
    assert compared["scoring/accounting"] == 2 * system.rows
    assert compared["learning/churn/logistic"] > 3
    assert compared["learning/switches"] == 2 * sum(
        n for name, n in compared.items() if "/churn/" in name or "/spend/" in name
    )
    assert min(compared["judging/outputs"], compared["monitoring/outputs"], compared["history/positions"]) > 10
    stored = {name: n for name, n in compared.items() if name.startswith("history/")}
    assert len(stored) == 13 and stored["history/predictions"] > 2000
    assert found["scoring/outputs"]["repeated"] == RESENT
    assert sum(found[f"history/{view}"]["repeated"] for view in ("predictions", "progress")) >= RESENT
    assert "compared, identical" in run("verify", "judging").stdout


def test_a_falsified_row_is_named(system: System) -> None:
    client = system.clickhouse
    [[id, value]] = client.query("SELECT prediction_id, value FROM predictions LIMIT 1").result_rows
    client.command(
        "INSERT INTO predictions_raw SELECT * REPLACE (value + 1 AS value) FROM predictions_raw "
        f"WHERE prediction_id = '{id}' LIMIT 1"
    )
    [[event, offset]] = client.query("SELECT event_id, log_offset FROM events LIMIT 1").result_rows
    client.command(f"ALTER TABLE events_by_kind_raw DELETE WHERE event_id = '{event}' SETTINGS mutations_sync = 2")
    client.command(
        "INSERT INTO drift_alerts_raw (alert_id, source_epoch, log_partition) "
        f"VALUES ('made-up', {system.wiring.deployment.epoch}, 7)"
    )
    wrong = system.verify("history")
    assert wrong.keys() == {"history/predictions", "history/events", "history/drift_alerts"}
    [said] = wrong["history/predictions"]
    assert id in said and f"value is {value + 1:g}" in said and f"gives {value!r}" in said
    assert all(event in said and "not in the table" in said for said in wrong["history/events"])
    assert any(f"offset {offset}" in said for said in wrong["history/events"])


def test_a_falsified_customer_is_named(system: System) -> None:
    [key] = system.redis.keys(f"{system.wiring.settings.topic_prefix}tidecast:*:c:c7")
    kept = system.redis.get(key)
    system.redis.set(key, kept[:-1] + bytes([kept[-1] ^ 1]))
    wrong = system.verify("scoring")
    system.redis.set(key, kept)
    [[said]] = wrong.values()
    assert "features of customer 'c7' differ" in said


def test_a_lost_and_a_changed_model_are_named(system: System) -> None:
    models = system.wiring.models
    paths = models.list("spend/linear/")
    first, last = Path(models._place(paths[0])), Path(models._place(paths[-1]))
    kept = first.read_bytes(), last.read_bytes()
    first.unlink()
    last.write_bytes(kept[1] + b"x")
    wrong = system.verify("learning")
    first.write_bytes(kept[0])
    last.write_bytes(kept[1])
    assert wrong["learning/spend/linear"] == [f"{paths[0]} is not in the model store", f"{paths[-1]} has other bytes"]
    assert len(wrong["learning/switches"]) == 4, "two partitions, each with a switch to both models"


def test_a_damaged_model_that_serves_is_named_and_the_rest_compared(system: System) -> None:
    models = system.wiring.models
    place = Path(models._place(models.list("churn/logistic/")[0]))
    kept = place.read_bytes()
    place.write_bytes(kept[:100])
    wrong = system.verify("scoring", "judging")
    place.write_bytes(kept)
    assert all("cannot be replayed any further" in said for said in wrong["scoring/state"])
    assert any("tidecast rebuild learning" in said for said in wrong["scoring/state"])
    assert not [name for name in wrong if name.startswith("judging")]


def test_a_stage_that_is_behind_is_told_from_one_that_differs(system: System) -> None:
    assert not any(finding["lagging"] for finding in system.found.values())
    store, partition = system.wiring.stage_store, system.wiring.deployment.target_partitions["churn"]
    keys = store._keys("judging", LABELLED_EXAMPLES, partition)  # type: ignore[attr-defined]
    kept = [system.redis.get(key) for key in keys]
    system.redis.delete(*keys)
    assert store.read("judging", LABELLED_EXAMPLES, partition) is None
    done = run("verify", "judging")
    system.redis.mset(dict(zip(keys, kept, strict=True)))
    assert done.exit_code == 1 and "has lost its position" in done.stderr
    assert system.verify("judging") == {}


def test_workers_that_did_not_stop_at_the_same_record_are_compared_as_far_as_they_came(system: System) -> None:
    store, partition = system.wiring.stage_store, system.wiring.deployment.target_partitions["churn"]
    place = TopicPartition(LABELLED_EXAMPLES, partition)
    keys = store._keys("judging", *place)  # type: ignore[attr-defined]
    kept = [system.redis.get(key) for key in keys]
    system.redis.delete(*keys)
    stage = stage_row("judging").build(system.wiring)["tidecast-judging"]
    stage.assign([place])
    with LogReader(system.wiring.settings) as reader:
        records = list(reader.read(place))
    for slice_ in stage.process({place: records[: len(records) // 2]}):
        slice_.commit()
    wrong = system.verify("judging")
    system.redis.mset(dict(zip(keys, kept, strict=True)))
    assert wrong == {}
    assert system.found["judging/state"]["left"] == len(records) - len(records) // 2


def test_what_is_sent_again_with_other_bytes_is_named(system: System) -> None:
    system.send_again(TopicPartition(PREDICTIONS, 1), changed=True)
    wrong = system.verify("scoring", "history")
    assert all("sent again with other bytes" in said for said in wrong["scoring/outputs"])
    assert system.found["history/positions"]["left"] == RESENT and "history/positions" not in wrong
