"""A table reads back as the same events, whatever program wrote it, and in whatever dialect."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas
import pyarrow
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from agents.importing.files.opening import open_rows
from agents.importing.files.rows import FileFormat
from agents.importing.mapping.mapper import RowMapper
from agents.importing.mapping.mapping_file import parse_mapping

PRICE = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
SCHEMA = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "cents", "type": "long"},
        {"name": "items", "type": ["null", "int"], "default": None},
        {"name": "note", "type": "string"},
        {"name": "paid", "type": "boolean"},
        {"name": "price", "type": ["null", PRICE], "default": None},
    ],
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]

ids = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8).filter(
    lambda text: not text.isdigit() and text.lower() not in ("nan", "null", "none", "na", "nil") and not is_number(text)
)
notes = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=20)
money = st.decimals(min_value=-(10**6), max_value=10**6, places=2)


def is_number(text: str) -> bool:
    try:
        Decimal(text)
    except ArithmeticError:
        return False
    return True


rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": ids,
            "who": ids,
            "at": st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)).map(
                lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
            ),
            "amount": money,
            "items": st.none() | st.integers(-(2**31), 2**31 - 1),
            "note": notes,
            "paid": st.booleans(),
            "price": st.none() | money,
        }
    ),
    min_size=1,
    max_size=8,
)


def expected(row: Row) -> Row:
    """The oracle: plain conversions of the row as it was made."""
    price = None
    if row["price"] is not None:
        whole = int(row["price"] * 100)
        least = next(n for n in range(1, 9) if -(2 ** (8 * n - 1)) <= whole < 2 ** (8 * n - 1))
        price = whole.to_bytes(least, "big", signed=True)
    return {
        "event_id": row["id"],
        "customer_id": row["who"],
        "occurred_at": (row["at"] - EPOCH) // timedelta(milliseconds=1),
        "source": "",
        "cents": int(row["amount"] * 100),
        "items": row["items"],
        "note": row["note"],
        "paid": row["paid"],
        "price": price,
    }


def read(path: Path, mapping: Row) -> list[Row]:
    """The events of a file, by the code under test."""
    base: Row = {"event": "Order", "customer": "who", "id": "id", "time": "at"}
    fields = {"cents": {"column": "amount", "scale": 100}}
    plan = parse_mapping({**base, "fields": fields, **mapping})
    file = open_rows(path, plan.format)
    mapper = RowMapper(plan, "shop.Order", {"shop.Order": SCHEMA}, file.columns, file.separator)
    found = []
    for line in file.lines():
        assert not line.reason, line
        if line.row is not None:
            found += [dict(record) for _, record in mapper.records(line.row, "none")]
    mapper.columns.check_seen()
    return found


def test_by_the_csv_module() -> None:
    dialects = st.fixed_dictionaries(
        {
            "separator": st.sampled_from([",", ";", "\t", "|"]),
            "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
            "end": st.sampled_from(["\n", "\r\n"]),
            "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"]),
            "marks": st.sampled_from([(".", ""), (",", ""), (",", "."), (".", ","), (",", " "), (".", "'")]),
            "missing": st.sampled_from(["", " ", "NA", "NULL", "nan", "\\N"]),
            "time": st.sampled_from(["iso", "ms", "berlin", "format"]),
        }
    )

    @given(rows, dialects)
    def holds(table: list[Row], dialect: Row) -> None:
        decimal, thousands = dialect["marks"]

        def number(value: Any) -> str:
            text = f"{value:,}" if thousands else str(value)
            return text.replace(",", "\0").replace(".", decimal).replace("\0", thousands)

        def time(at: datetime) -> str:
            if dialect["time"] == "ms":
                return str((at - EPOCH) // timedelta(milliseconds=1))
            if dialect["time"] == "berlin":
                return at.astimezone(ZoneInfo("Europe/Berlin")).isoformat()
            return at.strftime("%d/%m/%Y %H.%M.%S.%f") if dialect["time"] == "format" else at.isoformat(" ")

        out = io.StringIO(newline="")
        writer = csv.writer(
            out, delimiter=dialect["separator"], quoting=dialect["quoting"], lineterminator=dialect["end"]
        )
        names = list(table[0])
        writer.writerow(names)
        for row in table:
            missing = dialect["missing"]
            texts = {name: missing if row[name] is None else number(row[name]) for name in ("amount", "items", "price")}
            cells = {**row, **texts, "at": time(row["at"]), "paid": "yes" if row["paid"] else "no"}
            writer.writerow([cells[name] for name in names])
        mapping: Row = {"decimal": decimal}
        mapping |= {"thousands": thousands} if thousands else {}
        mapping |= {"encoding": dialect["encoding"]} if dialect["encoding"] in ("gb18030", "utf-16-le") else {}
        formats = {"ms": "ms", "format": "%d/%m/%Y %H.%M.%S.%f"}
        if dialect["time"] in formats:
            mapping["time"] = {"column": "at", "format": formats[dialect["time"]]}
        check(table, "x.csv", lambda path: path.write_bytes(out.getvalue().encode(dialect["encoding"])), mapping)

    holds()


def check(table: list[Row], name: str, write: Callable[[Path], Any], mapping: Row) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        assert read(path, mapping) == [expected(row) for row in table]


def test_by_pandas() -> None:
    """A column of whole numbers with a gap becomes one of floats; missing texts become NaN."""
    kinds = st.sampled_from(["csv", "csv.gz", "jsonl", "json", "parquet"])

    @given(rows, kinds, st.booleans())
    def holds(table: list[Row], kind: str, index: bool) -> None:
        frame = pandas.DataFrame(table)
        frame["amount"], frame["price"] = frame["amount"].astype(float), frame["price"].astype(float)
        frame["items"] = frame["items"].astype(float)
        writers: dict[str, Callable[[Path], Any]] = {
            "csv": lambda path: frame.to_csv(path, index=index),
            "csv.gz": lambda path: frame.to_csv(path, index=index),
            "jsonl": lambda path: frame.to_json(path, orient="records", lines=True, date_format="iso"),
            "json": lambda path: frame.to_json(path, orient="records", indent=2, date_format="iso"),
            "parquet": lambda path: frame.to_parquet(path, index=index),
        }
        check(table, f"x.{kind}", writers[kind], {})

    holds()


def test_by_arrow() -> None:
    """Parquet with decimals, with timestamps of any unit, dictionaries, and texts as bytes without a mark."""
    shapes = st.tuples(st.sampled_from(["ms", "us", "ns"]), st.booleans(), st.booleans())

    @given(rows, shapes)
    def holds(table: list[Row], shape: tuple[str, bool, bool]) -> None:
        unit, binary, encoded = shape
        text = pyarrow.binary() if binary else pyarrow.string()
        kinds: Row = {
            "id": text,
            "who": text if binary or not encoded else pyarrow.dictionary(pyarrow.int32(), text),
            "at": pyarrow.timestamp(unit, "UTC"),
            "amount": pyarrow.decimal128(12, 2),
            "items": pyarrow.int32(),
            "note": text,
            "paid": pyarrow.bool_(),
            "price": pyarrow.decimal128(12, 2),
        }
        columns = {name: [row[name] for row in table] for name in kinds}
        if binary:
            columns |= {name: [value.encode() for value in columns[name]] for name in ("id", "who", "note")}
        made = pyarrow.table({name: pyarrow.array(columns[name], kinds[name]) for name in kinds})
        check(table, "x.parquet", lambda path: parquet.write_table(made, path, compression="zstd"), {})

    holds()


def test_by_json() -> None:
    @given(rows, st.booleans(), st.sampled_from([None, 1]), st.sampled_from(["utf-8", "utf-16"]))
    def holds(table: list[Row], lines: bool, indent: int | None, encoding: str) -> None:
        plain = [{**row, "at": row["at"].isoformat(), "amount": str(row["amount"])} for row in table]
        for row in plain:
            row["price"] = None if row["price"] is None else float(row["price"])
        text = "\n".join(json.dumps(row, indent=indent) for row in plain) if lines else json.dumps(plain, indent=indent)
        check(table, "x.json", lambda path: path.write_bytes(text.encode(encoding)), {})

    holds()


def test_a_csv_is_never_read_as_more_or_fewer_lines() -> None:
    """Any text at all: each physical line is in exactly one row, or is told."""

    @given(
        st.text(st.sampled_from('abc",\n'), max_size=60), st.sampled_from([FileFormat(), FileFormat(encoding="utf-8")])
    )
    def holds(text: str, format: FileFormat) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.csv"
            path.write_bytes(b"a,b,c\n" + text.encode())
            lines = list(open_rows(path, format).lines())
        assert sum(line.lines for line in lines) == text.count("\n") + (not text.endswith("\n") and text != "")
        starts = [line.number for line in lines]
        assert starts == [2 + sum(line.lines for line in lines[:at]) for at in range(len(lines))]

    holds()
