"""Opens files of rows by their names."""

from pathlib import Path

from agents.importing.files.csv_rows import CsvFile
from agents.importing.files.json_rows import JsonFile
from agents.importing.files.parquet_rows import ParquetFile
from agents.importing.files.rows import FileFormat, RowFile
from streams.errors import TidecastError

PLAIN = FileFormat()


def open_rows(path: Path, format: FileFormat = PLAIN) -> RowFile:
    """Open a file by its name: .csv, .tsv, .txt, .jsonl, .ndjson, .json (each also with .gz) or .parquet."""
    if not path.is_file():
        raise TidecastError(f"There is no file {path}; check its name.")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    if kind in (".parquet", ".pq"):
        return ParquetFile(path)
    if kind in (".jsonl", ".ndjson", ".json"):
        return JsonFile(path, format.encoding)
    if kind in (".csv", ".tsv", ".txt"):
        return CsvFile(path, "\t" if kind == ".tsv" and format.separator is None else format.separator, format.encoding)
    raise TidecastError(f"{path} has none of the endings .csv, .jsonl, .parquet (.gz may follow); rename it.")
