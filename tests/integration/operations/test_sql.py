"""`tidecast sql` against the real engine."""

import csv
import io
import json
import re
import subprocess
from urllib.parse import urlsplit

import pytest

from agents.cli.inspect import sql
from sinks.clickhouse.client import READING, WRITING, connect
from sinks.clickhouse.migrate import migrate
from streams.errors import SettingError
from tests.integration.conftest import Stack, Tidecast, tidecast_command
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True, scope="module")
def tables(stack: Stack) -> None:
    url = urlsplit(stack.clickhouse)
    migrate(connect("tidecast", WRITING, host=url.hostname, port=url.port), "tidecast")


def test_csv_and_json_lines(tidecast: Tidecast) -> None:
    query = 'SELECT number AS n, toString(number * 2) AS "double, quoted", NULL AS nothing FROM numbers(3)'
    rows = list(csv.reader(io.StringIO(tidecast("sql", query).stdout)))  # csv, because the output is not a terminal
    assert rows == [["n", "double, quoted", "nothing"], ["0", "0", "\\N"], ["1", "2", "\\N"], ["2", "4", "\\N"]]
    lines = tidecast("sql", "--format", "json", "--limit", "2", query).stdout.splitlines()
    assert [json.loads(line)["double, quoted"] for line in lines] == ["0", "2"]


def test_table_has_a_limit_and_says_so(tidecast: Tidecast) -> None:
    done = tidecast("sql", "--format", "table", "SELECT number AS n, [0.5, nan] AS v FROM numbers(1000)")
    assert done.stdout.count("[0.5, nan]") == 100
    assert "the first 100 rows; --limit 0 shows all" in done.stderr
    done = tidecast("sql", "--format", "table", "--limit", "0", "SELECT number FROM numbers(200)")
    assert "200 rows" in done.stderr


def test_rows_wider_than_the_screen_are_shown_field_by_field(tidecast: Tidecast) -> None:
    columns = ", ".join(f"number + {n} AS column_{n}" for n in range(20))
    lines = tidecast("sql", "--format", "table", f"SELECT {columns} FROM numbers(2)").stdout.splitlines()
    assert len(lines) == 2 * 21
    assert lines[20].split() == ["column_19", "19"]


def test_tables_are_listed_and_explained(tidecast: Tidecast) -> None:
    assert "predictions" in tidecast("sql", "--format", "table", "SHOW TABLES").stdout
    assert "Float64" in tidecast("sql", "DESCRIBE predictions").stdout


def test_query_from_a_file_and_from_standard_input(tidecast: Tidecast, stack: Stack, tmp_path) -> None:
    file = tmp_path / "query.sql"
    file.write_text("-- how many\nSELECT 41 + 1 AS answer;\n")
    assert tidecast("sql", "--file", str(file)).stdout == '"answer"\n42\n'
    done = subprocess.run(
        tidecast_command("sql"),
        input="SELECT 7",
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout == '"7"\n7\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELECT nothing FROM predictions"], "tidecast: ClickHouse rejected the statement: .*nothing"),
        (["SELECT * FROM nowhere"], "tidecast: ClickHouse has no such table .*nowhere"),
        (["SELEC 1"], "tidecast: ClickHouse rejected the statement: Syntax error"),
        (
            ["--format", "table", "SELECT throwIf(number = 5) FROM numbers(9)"],
            "tidecast: ClickHouse rejected the statement",
        ),
        (["SELECT 1 FORMAT CSV"], "tidecast: Leave FORMAT out"),
        ([""], "tidecast: There is no query"),
        (["DROP TABLE predictions_raw"], "tidecast: ClickHouse does not allow this user"),
        (["INSERT INTO migrations (number) SELECT 9"], "tidecast: ClickHouse does not allow this user"),
    ],
)
def test_mistakes_are_one_sentence(tidecast: Tidecast, arguments: list[str], said: str) -> None:
    done = tidecast("sql", *arguments, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and re.match(said, lines[0]), done.stderr


def test_writing_must_be_asked_for(tidecast: Tidecast) -> None:
    tidecast("sql", "--write", "CREATE TABLE scratch (x Int8) ENGINE = Memory")
    tidecast("sql", "--write", "INSERT INTO scratch VALUES (3)")
    assert tidecast("sql", "SELECT x FROM scratch").stdout == '"x"\n3\n'
    tidecast("sql", "--write", "DROP TABLE scratch")


def test_only_one_query(tmp_path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT 1")
    with pytest.raises(SettingError, match="not both"):
        sql.statement("SELECT 2", file)


def test_reading_is_a_mode_of_the_server(stack: Stack) -> None:
    url = urlsplit(stack.clickhouse)
    reader = connect("tidecast", READING, host=url.hostname, port=url.port)
    assert reader.query("SELECT getSetting('readonly')").result_rows == [(2,)]
