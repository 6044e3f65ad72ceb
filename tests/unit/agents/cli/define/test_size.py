"""The `tidecast size` command."""

import json

import pytest
from click.testing import CliRunner, Result

from agents.cli import COMMANDS
from agents.cli.define.size import command
from streams.errors import DeclarationError, SettingError


def run(*words: str) -> Result:
    return CliRunner().invoke(command, words)


def told(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(command, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_it_is_a_command() -> None:
    assert "size" in COMMANDS


def test_everything_has_a_default() -> None:
    done = run()
    assert done.exit_code == 0, done.output
    for word in ("scoring", "learning", "Redis", "Kafka", "ClickHouse", "partitions", "per million events"):
        assert word in done.output
    assert "provisional" not in done.stdout


def test_suffixes() -> None:
    assert told("--events", "5k", "--customers", "1.5M") == told("--events", "5000", "--customers", "1500000")


def test_multiples_are_columns_with_advice() -> None:
    done = run("--times", "10,1000")
    assert done.exit_code == 0, done.output
    assert "10×" in done.output and "At 1000×:" in done.output
    estimates = told("--times", "10,1000")["estimates"]
    assert isinstance(estimates, list)
    assert [each["times"] for each in estimates] == [1, 10, 1000]
    assert not estimates[0]["changes"] and estimates[2]["changes"]
    assert estimates[0]["workers"]["scoring"] < estimates[2]["workers"]["scoring"]


def test_a_use_case_brings_its_targets() -> None:
    (found,) = told("--use-case", "telecom", "--mix", "Complaint=0.01")["estimates"]  # type: ignore[misc]
    churn, spend = found["load"]["targets"]
    assert (churn["name"], spend["name"]) == ("churn", "spend")
    assert found["load"]["features"] == 22


def test_what_a_use_case_leaves_open_is_told() -> None:
    assert "--mix Complaint=SHARE" in run("--use-case", "telecom").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--customers", "0"),
        ("--customers", "-5"),
        ("--events", "nan"),
        ("--events", "inf"),
        ("--events", "1e999"),
        ("--events", "many"),
        ("--events", "0"),
        ("--events", "1e-300"),
        ("--tick", "0.0001"),
        ("--active", "1.5"),
        ("--peak", "0.5"),
        ("--observe", "2"),
        ("--horizon", "0"),
        ("--targets", "17"),
        ("--times", "10,x"),
        ("--times", "0"),
        ("--mix", "Call=0.5"),
        ("--use-case", "telecom", "--mix", "Call"),
        ("--use-case", "telecom", "--mix", "Call=nan"),
        ("--use-case", "telecom", "--targets", "3"),
        ("--linear", "0", "--naive", "0"),
        ("--kafka-copies", "0"),
        ("--core-hour", "-1"),
        ("--node-cores", "0"),
    ],
)
def test_absurd_input_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("events", ["0.000001", "1e15"])
@pytest.mark.parametrize("customers", ["0.000001", "1e15"])
def test_extremes_have_an_answer(events: str, customers: str) -> None:
    words = ("--events", events, "--customers", customers, "--schedule", "1000", "--horizon", "10000")
    done = run(*words, "--serve-every", "1", "--forests", "100")
    assert done.exit_code == 0, done.output


def test_multiples_beyond_all_loads_are_one_sentence() -> None:
    done = run("--events", "1e15", "--times", "10")
    assert isinstance(done.exception, SettingError) and "from 1e-06 to 1e+15" in str(done.exception)


def test_what_is_not_there_is_one_sentence() -> None:
    assert isinstance(run("--use-case", "nothing").exception, DeclarationError)
    assert isinstance(run("--use-case", "telecom", "--mix", "Cal=0.5").exception, SettingError)
