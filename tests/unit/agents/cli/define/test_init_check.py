import csv
import json

import pytest
from click.testing import CliRunner

from agents.cli.define.check import command as check
from agents.cli.define.init import command as init
from agents.cli.define.init import namespace_of, sample
from agents.importing.mapping.mapper import RowMapper
from agents.importing.mapping.mapping_file import read_mapping
from streams.errors import TidecastError
from streams.usecases import load_use_case


def run(command, *args):
    return CliRunner().invoke(command, [str(arg) for arg in args])


@pytest.fixture
def shop(tmp_path):
    done = run(init, tmp_path / "my shop")
    assert done.exit_code == 0, done.output
    return tmp_path / "my shop"


def test_what_init_writes_passes_check(shop):
    done = run(check, shop)
    assert done.exit_code == 0, done.output
    assert "my_shop is valid: 1 event, 10 features, 2 targets" in done.output
    assert "days_since_purchase" in done.output
    assert "Caution" not in done.output


def test_check_cautions_of_labels_that_come_at_different_times(shop):
    text = (shop / "usecase.py").read_text()
    text = text.replace('AbsenceOf("Purchase", over="13w")', 'AbsenceOf("Purchase", over="13w", settle="at_once")')
    (shop / "usecase.py").write_text(text)
    done = run(check, shop)
    assert done.exit_code == 0
    assert "Caution: target 'churn', outcome.settle: one label is learnt when the event arrives" in done.output
    (shop / "usecase.py").write_text(text.replace('settle="at_once"', 'settle="at_horizon"'))
    assert "Caution" not in run(check, shop).output


def test_its_sample_goes_through_its_mapping(shop):
    """Every row becomes a Purchase in event-time order. The rows cover more than four times the horizon of 13 weeks."""
    use_case = load_use_case(str(shop))
    with (shop / "sample.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    mapper = RowMapper(read_mapping(shop / "sample.toml"), "my_shop.Purchase", use_case.schemas, tuple(rows[0]))
    records = [record for row in rows for _, record in mapper.records(row, "")]
    times = [record["occurred_at"] for record in records]
    assert len(records) == len(rows) == len({record["event_id"] for record in records}) > 2_000
    assert times == sorted(times) and times[-1] - times[0] > 4 * 13 * 7 * 86_400_000
    assert {type(record["amount_cents"]) for record in records} == {int}
    assert sample() == sample()


def test_nothing_is_overwritten(shop):
    for path in ("usecase.py", "sample.csv", "sample.toml"):
        (shop / path).unlink()
    (shop / "schemas" / "Purchase.avsc").write_text("mine")
    done = run(init, shop)
    assert isinstance(done.exception, TidecastError) and "Purchase.avsc exists already" in str(done.exception)
    assert (shop / "schemas" / "Purchase.avsc").read_text() == "mine"
    assert not (shop / "usecase.py").exists(), "`init` writes all files or none"


def test_check_lists_every_problem_and_fails(shop):
    text = (shop / "usecase.py").read_text()
    text = text.replace('over="30d"),\n', 'over="30 days"),\n').replace('field="channel"', 'field="chanel"')
    (shop / "usecase.py").write_text(text)
    done = run(check, shop)
    assert done.exit_code == 1
    assert "feature 'purchases_30d', over: '30 days' is not a duration; write a number and a unit" in done.output
    assert "feature 'channels', field: event Purchase has no field 'chanel'; did you mean 'channel'?" in done.output
    assert "has 2 problems: correct them." in done.output


def test_check_warns_of_what_cannot_grow(shop):
    path = shop / "schemas" / "Purchase.avsc"
    schema = json.loads(path.read_text())
    tier = {"type": "enum", "name": "Tier", "symbols": ["BASIC"]}
    line = {"type": "record", "name": "Line", "fields": [{"name": "price", "type": "float"}]}
    schema["fields"] += [
        {"name": "tier", "type": ["null", tier]},
        {"name": "count", "type": "int"},
        {"name": "lines", "type": {"type": "array", "items": line}},
        {"name": "either", "type": ["long", "string"]},
        {"name": "fine", "type": {**tier, "name": "Fine", "default": "BASIC"}},
    ]
    path.write_text(json.dumps(schema))
    done = run(check, shop)
    assert done.exit_code == 0
    told = [line for line in done.output.splitlines() if line.startswith("Caution: ")]
    assert [line.split(":")[1].strip() for line in told] == [
        f"event Purchase, {name}" for name in ("tier", "count", "lines[].price", "either")
    ]
    for line, advice in zip(told, ("a default", "write long", "write double", "add null"), strict=True):
        assert advice in line


@pytest.mark.parametrize("name", ["telecom", "retail"])
def test_check_shows_shipped_ones(name):
    done = run(check, name)
    assert done.exit_code == 0 and f"{name} is valid" in done.output


def test_a_folder_names_a_namespace(tmp_path):
    names = ("Shop", "my-shop 2", "2shops", "tidecast", "Größe", "...x", "日本")
    found = [namespace_of(tmp_path / name) for name in names]
    assert found == ["shop", "my_shop_2", "_2shops", "myshop", "gr_e", "x", "myshop"]
