"""Reading of input files."""

import gzip
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from agents.importing.rows import open_rows
from streams.errors import TidecastError

CSV = 'a,b\n1,x\n\n2,"two\nlines"\n3\n4,y\n'


def test_csv_with_physical_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(CSV)
    file = open_rows(path)
    assert file.columns == ("a", "b")
    lines = list(file.lines())
    assert [(line.number, line.row) for line in lines if line.row] == [
        (2, {"a": "1", "b": "x"}),
        (4, {"a": "2", "b": "two\nlines"}),
        (7, {"a": "4", "b": "y"}),
    ]
    assert [(line.number, line.reason) for line in lines if not line.row] == [(6, "has 1 columns, the header has 2")]


def test_packed_or_not_the_digest_is_that_of_the_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    plain, packed = open_rows(tmp_path / "x.csv"), open_rows(tmp_path / "x.csv.gz")
    assert plain.digest == packed.digest and list(plain.lines()) == list(packed.lines())
    (tmp_path / "y.csv").write_text(CSV + "5,z\n")
    assert open_rows(tmp_path / "y.csv").digest != plain.digest


def test_another_separator_and_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("a;b\n1;ü\n".encode("utf-8-sig"))
    (line,) = open_rows(tmp_path / "x.csv", ";").lines()
    assert line.row == {"a": "1", "b": "ü"}


def test_json_lines_keep_numbers_exact(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a": 0.1}\n\n[1]\n{"a"\n{"a": {"b": 1}}\n')
    lines = list(open_rows(tmp_path / "x.jsonl").lines())
    assert [(line.number, line.row) for line in lines] == [
        (1, {"a": Decimal("0.1")}),
        (3, None),
        (4, None),
        (5, {"a": {"b": 1}}),
    ]
    assert lines[1].reason == "is not a JSON object" and lines[2].reason.startswith("is not JSON: ")


def test_parquet(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"a": [1, 2], "b": ["x", None]}), tmp_path / "x.parquet")
    file = open_rows(tmp_path / "x.parquet")
    assert file.columns == ("a", "b")
    assert [(line.number, line.row) for line in file.lines()] == [(1, {"a": 1, "b": "x"}), (2, {"a": 2, "b": None})]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.csv", b"", "has no header"),
        ("x.csv", b"a,a\n", "two columns 'a'"),
        ("x.xls", b"a", "none of the endings .csv, .jsonl, .parquet"),
        ("x.parquet", b"a", "is not a Parquet file"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-9], "cannot be read"),
        (None, b"", "There is no file"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str | None, content: bytes, problem: str) -> None:
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TidecastError, match=problem):
        list(open_rows(tmp_path / (name or "none.csv")).lines())
