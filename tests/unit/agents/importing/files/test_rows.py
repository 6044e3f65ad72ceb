"""Reading files."""

import bz2
import gzip
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from agents.importing.files.opening import open_rows
from agents.importing.files.rows import FileFormat, RowFile
from streams.errors import TidecastError

CSV = 'a,b\n1,x\n\n2,"two\nlines"\n3\n4,y\n'


def made(path: Path, content: bytes, format: FileFormat = FileFormat()) -> RowFile:  # noqa: B008 - frozen
    path.write_bytes(content)
    return open_rows(path, format)


def rows(file: RowFile) -> list[dict[str, object] | str]:
    return [line.row or line.reason for line in file.lines() if line.row or line.reason]


def test_csv_with_physical_line_numbers(tmp_path: Path) -> None:
    file = made(tmp_path / "x.csv", CSV.encode())
    assert file.columns == ("a", "b")
    lines = list(file.lines())
    assert [(line.number, line.row, line.lines) for line in lines if line.row] == [
        (2, {"a": "1", "b": "x"}, 1),
        (4, {"a": "2", "b": "two\nlines"}, 2),
        (7, {"a": "4", "b": "y"}, 1),
    ]
    assert [(line.number, line.reason) for line in lines if line.reason] == [(6, "has 1 columns, the header has 2")]
    assert sum(line.lines for line in lines) == CSV.count("\n") - 1


@pytest.mark.parametrize(
    "content", [CSV, "a,b\r\n1,x\r\n2,y\r\n", "a,b\n1,x", "a,b\r1,x\r2,y\r", 'a,b\n1,"x', "a,b\n,\n"]
)
def test_every_line_after_the_header_is_accounted_for(tmp_path: Path, content: str) -> None:
    file = made(tmp_path / "x.csv", content.encode())
    assert sum(line.lines for line in file.lines()) == len(content.splitlines()) - 1


def test_packed_or_not_the_digest_is_that_of_the_rows(tmp_path: Path) -> None:
    plain = made(tmp_path / "x.csv", CSV.encode())
    packed = made(tmp_path / "x.csv.gz", gzip.compress(CSV.encode()))
    assert plain.digest == packed.digest and list(plain.lines()) == list(packed.lines())
    assert made(tmp_path / "y.csv", CSV.encode() + b"5,z\n").digest != plain.digest


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_separators_and_byte_order_marks_are_found_out(tmp_path: Path, separator: str, encoding: str) -> None:
    text = f'"a"{separator}"b, c; d"\n1{separator}ü\n'
    file = made(tmp_path / "x.csv", text.encode(encoding))
    assert rows(file) == [{"a": "1", "b, c; d": "ü"}] and file.separator == separator


def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path) -> None:
    file = made(tmp_path / "x.csv", b"sep=;\r\na;b\r\n1;2\r\n")
    assert [(line.number, line.row) for line in file.lines()] == [(3, {"a": "1", "b": "2"})]


def test_a_quote_too_many_swallows_no_rows(tmp_path: Path) -> None:
    """Two stray quotes in the same column make one row of the right width out of many."""
    lines = [f"o{n},c{n},{n},text" for n in range(9)]
    for first, last in ((2, 3), (2, 6)):
        torn = [*lines]
        torn[first], torn[last] = (
            torn[first].replace(f"c{first}", f'"c{first}'),
            torn[last].replace(f"c{last}", f'c{last}"'),
        )
        file = made(tmp_path / "x.csv", "\n".join(["o,c,n,t", *torn]).encode())
        bad = [line for line in file.lines() if line.reason]
        assert [(line.number, line.lines) for line in bad] == [(first + 2, last - first + 1)]
        assert "has whole rows inside 'c': a quote is missing or too many" in bad[0].reason
        assert len(rows(file)) == 9 - (last - first)


def test_a_quote_that_is_never_closed_takes_the_rest_of_the_file(tmp_path: Path) -> None:
    file = made(tmp_path / "x.csv", b'o,c,n\n1,"2,3\n4,5,6\n7,8,9\n')
    (bad,) = file.lines()
    assert (bad.number, bad.lines) == (2, 3) and "a quote is opened and not closed" in bad.reason


def test_texts_over_several_lines_with_commas_are_texts(tmp_path: Path) -> None:
    text = "Dear, all,\n  good bye, you\n"
    file = made(tmp_path / "x.csv", f'o,c,n,t\n1,2,3,"{text}"\n'.encode())
    assert rows(file) == [{"o": "1", "c": "2", "n": "3", "t": text}]


def test_another_encoding_is_told_once_and_can_be_named(tmp_path: Path) -> None:
    latin = "name,n\nx,1\nMüller,2\n".encode("cp1252")
    with pytest.raises(TidecastError, match=r"line 3 has the byte 0xfc, .* encoding = .cp1252. \(it reads 'Müller,2'"):
        list(made(tmp_path / "x.csv", latin).lines())
    with pytest.raises(TidecastError, match="line 3 has the byte 0xfc"):
        list(made(tmp_path / "x.jsonl", b'{"a": 1}\n{"a": 2}\n{"a": "M\xfcller"}\n').lines())
    assert rows(made(tmp_path / "x.csv", latin, FileFormat(encoding="cp1252")))[1] == {"name": "Müller", "n": "2"}
    assert rows(made(tmp_path / "x.csv", latin, FileFormat(encoding="utf-8")))[1] == "has bytes that are not utf-8"
    with pytest.raises(TidecastError, match="line 1 has the byte 0xfc"):
        made(tmp_path / "x.csv", "für,n\nx,1\n".encode("cp1252"))
    with pytest.raises(TidecastError, match="utf-16-le"):
        made(tmp_path / "x.csv", "a,b\n1,2\n".encode("utf-16-le"))


def test_json_lines_keep_numbers_exact(tmp_path: Path) -> None:
    file = made(tmp_path / "x.jsonl", b'{"a": 0.1}\n\n[1]\n{"a"\n{"a": {"b": 1}}\n{"a": 1, "a": 2}\n')
    lines = [line for line in file.lines() if line.row or line.reason]
    assert [(line.number, line.row) for line in lines] == [
        (1, {"a": Decimal("0.1")}),
        (3, None),
        (4, None),
        (5, {"a": {"b": 1}}),
        (6, None),
    ]
    assert lines[1].reason == "is not a JSON object" and lines[2].reason.startswith("is not JSON: ")
    assert "has the key 'a' twice" in lines[4].reason


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 0.1, "b": "é"}, {"a": 2}]',
        '\n [\n  {"a": 0.1,\n "b": "é"},\n{"a": 2}]',
        '{\n "a": 0.1,\n "b": "é"}\n{\n"a": 2\n}\n',
        '{"a": 0.1, "b": "é"}\n{"a": 2}\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_form_of_json_gives_the_same_rows(tmp_path: Path, content: str, encoding: str) -> None:
    assert rows(made(tmp_path / "x.json", content.encode(encoding))) == [{"a": Decimal("0.1"), "b": "é"}, {"a": 2}]


def test_a_json_document_that_breaks_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TidecastError, match="is not JSON after row 1"):
        list(made(tmp_path / "x.json", b'[{"a": 1}, {"a": 2').lines())
    assert rows(made(tmp_path / "x.json", b'[{"a": 1}, 7]')) == [{"a": 1}, "is not a JSON object"]


def test_parquet(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"a": [1, 2], "b": ["x", None]}), tmp_path / "x.parquet")
    file = open_rows(tmp_path / "x.parquet")
    assert file.columns == ("a", "b")
    assert [(line.number, line.row) for line in file.lines()] == [(1, {"a": 1, "b": "x"}), (2, {"a": 2, "b": None})]


def test_no_damage_to_a_file_ends_in_another_error(tmp_path: Path) -> None:
    """Each byte of a file is changed in turn. It reads, or says that it is damaged."""
    table = pyarrow.table({"a": list(range(50)), "b": ["x", "y"] * 25})
    parquet.write_table(table, tmp_path / "x.parquet", compression="snappy")
    packed = gzip.compress("\n".join(["a,b", *(f"{n},{n * n}" for n in range(200))]).encode())
    for name, content in (("x.parquet", (tmp_path / "x.parquet").read_bytes()), ("x.csv.gz", packed)):
        refused = 0
        for at in range(0, len(content), 3):
            torn = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
            try:
                rows(made(tmp_path / name, torn))
            except TidecastError as error:
                refused += 1
                assert name in str(error)
        assert refused > len(content) / 12


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.csv", b"", "has no header"),
        ("x.csv", b"a,a\n", "two columns 'a'"),
        ("x.csv", b'"a,b\n', "the header is not CSV"),
        ("x.csv.gz", gzip.compress(gzip.compress(b"a,b\n")), "packed twice: unpack it once"),
        ("x.csv", bz2.compress(b"a,b\n"), "packed with bzip2: unpack it first"),
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


def test_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.csv", "w") as archive:
        archive.writestr("rows.csv", "a,b\n")
    with pytest.raises(TidecastError, match="a ZIP archive or an Excel workbook"):
        open_rows(tmp_path / "x.csv")
