"""The stack's ClickHouse endpoint, used with clickhouse-connect and curl."""

from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import httpx2
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.integration.conftest import Stack

ROWS = 5_000
AT = 1_700_000_000_000  # ms


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[Client]:
    address = httpx2.URL(stack.clickhouse)
    with clickhouse_connect.get_client(host=address.host, port=address.port) as first:
        first.command("CREATE DATABASE IF NOT EXISTS endpoint")
    with clickhouse_connect.get_client(host=address.host, port=address.port, database="endpoint") as client:
        yield client
        client.command("DROP DATABASE endpoint")


@pytest.fixture
def table(client: Client) -> str:
    client.command("DROP TABLE IF EXISTS t")
    client.command(
        "CREATE TABLE t (id UInt64, at DateTime64(3, 'UTC'), name LowCardinality(String), v Array(Float32),"
        " m Map(String, Float64), n Nullable(Float64)) ENGINE = ReplacingMergeTree ORDER BY id"
    )
    return "t"


def columns() -> list[list[Any]]:
    ids = range(ROWS)
    names = [f"n{i % 5}" for i in ids]
    maybe = [None if i % 2 else i / 2 for i in ids]
    return [list(ids), [AT + i for i in ids], names, [[1.5, -2.0]] * ROWS, [{"a": 0.1}] * ROWS, maybe]


def test_columns_come_back_as_they_went(client: Client, table: str) -> None:
    summary = client.insert(table, columns(), column_names=["id", "at", "name", "v", "m", "n"], column_oriented=True)
    assert summary.written_rows == ROWS
    got = client.query("SELECT id, toUnixTimestamp64Milli(at), name, v, m, n FROM t ORDER BY id").result_columns
    assert [list(column) for column in got] == columns()


def test_arrow_goes_both_ways(client: Client, table: str) -> None:
    rows = pa.table({"id": pa.array(range(ROWS), pa.uint64()), "name": pa.array(["x"] * ROWS)})
    assert client.insert_arrow(table, rows).written_rows == ROWS
    got = client.query_arrow("SELECT id, name FROM t ORDER BY id", use_strings=True)
    assert got.to_pydict() == rows.to_pydict()


@pytest.mark.parametrize("compression", ["lz4", "zstd", "gzip", None])
def test_many_blocks_in_every_compression(stack: Stack, table: str, compression: str | None) -> None:
    address = httpx2.URL(stack.clickhouse)
    packed: Any = compression or False
    with clickhouse_connect.get_client(
        host=address.host, port=address.port, database="endpoint", compress=packed
    ) as client:
        rows = 300_000  # several blocks, and therefore several frames
        client.insert(table, [range(rows)], column_names=["id"], column_oriented=True)
        assert client.query("SELECT count(), sum(id) FROM t").result_rows == [(rows, rows * (rows - 1) // 2)]


def test_parameters_and_settings(client: Client) -> None:
    asked = client.query("SELECT {x:String}, {y:Array(UInt8)}", parameters={"x": "it's", "y": [1, 2]})
    assert asked.result_rows == [("it's", [1, 2])]
    assert client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).result_rows == [(3,)]
    assert client.query("SELECT getSetting('max_threads') = 3").result_rows == [(0,)]


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("SELECT nothing", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELECT FROM WHERE", 62, "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", 62, "Multi-statements"),
        ("SELECT groupArray(number) FROM numbers(1e9)", 241, "MEMORY_LIMIT_EXCEEDED"),
    ],
)
def test_a_wrong_query_gives_the_servers_error(client: Client, query: str, code: int, says: str) -> None:
    with pytest.raises(DatabaseError, match=says) as raised:
        client.query(query)
    assert raised.value.code == code
    assert client.query("SELECT 1").result_rows == [(1,)]


def test_a_bad_row_inserts_nothing(client: Client, table: str) -> None:
    with pytest.raises(DatabaseError, match="Cannot parse input"):
        client.raw_insert(table, ["id"], b"1\nx\n", fmt="TabSeparated")
    assert client.command("SELECT count() FROM t") == 0


def test_what_cannot_be_written_is_an_error(client: Client, table: str) -> None:
    """An insert whose rows are valid but cannot be written is an error, as on a full disk."""
    client.command(f"ALTER TABLE {table} ADD CONSTRAINT small CHECK id < 5")
    with pytest.raises(DatabaseError, match="VIOLATED_CONSTRAINT"):
        client.insert(table, [[1, "a"], [7, "b"]], column_names=["id", "name"])
    assert client.command(f"SELECT count() FROM {table}") == 0


def test_what_curl_does(stack: Stack, table: str) -> None:
    with httpx2.Client(base_url=stack.clickhouse, params={"database": "endpoint"}) as http:
        assert http.get("/ping").text == "Ok.\n"
        assert http.get("/", params={"query": "SELECT 1 AS a FORMAT JSON"}).json()["data"] == [{"a": 1}]
        http.post("/", params={"query": "INSERT INTO t FORMAT JSONEachRow"}, content='{"id": 7}').raise_for_status()
        http.post("/", content="INSERT INTO t (id, name) VALUES (8, 'a;b'), (9, 'FORMAT x')").raise_for_status()
        settings = "INSERT INTO t (id) SETTINGS max_threads = 1 FORMAT TabSeparated\n5\n"
        http.post("/", content=settings).raise_for_status()
        asked = http.get("/", params={"query": "SELECT name FROM t WHERE id > {x:UInt64}", "param_x": "7"})
        assert asked.text == "a;b\nFORMAT x\n"
        assert asked.headers["X-ClickHouse-Format"] == "TabSeparated"
        refused = http.get("/", params={"query": "DROP TABLE t"})
        assert (refused.status_code, refused.headers["X-ClickHouse-Exception-Code"]) == (400, "164")
        assert http.get("/", params={"query": "SELECT 1"}, headers={"Origin": "http://a"}).status_code == 403
