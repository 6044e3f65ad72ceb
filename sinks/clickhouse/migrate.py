"""Numbered migrations: `migrations/NNNN_name.sql`, run once each, in order, never edited after landing."""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sinks.clickhouse.client import clear_errors
from streams.errors import SettingError

FOLDER = Path(__file__).parent / "migrations"
FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")

LEDGER = """CREATE TABLE IF NOT EXISTS migrations (
    number UInt32,
    name   String,
    digest String COMMENT 'SHA-256 of the file, line ends aside',
    ran_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY number COMMENT 'Which migrations ran'"""


class Migration(NamedTuple):
    """A migration file: its number, name, digest and statements."""

    number: int
    name: str
    digest: str
    statements: tuple[str, ...]


@cache
def migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Return all migrations in order. Raises SettingError for a bad name, or a number that is missing or used twice."""
    found = []
    for file in sorted(folder.glob("*.sql")):
        name = FILE_NAME.fullmatch(file.name)
        if name is None:
            raise SettingError(f"{file.name} is not the name of a migration: use NNNN_name.sql.")
        text = file.read_text(encoding="utf-8")
        found.append(Migration(int(name[1]), file.stem, sha256(text.encode()).hexdigest(), statements(text)))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise SettingError(f"The migrations in {folder.name} must be numbered 0001, 0002, … without gaps.")
    return tuple(found)


def statements(text: str) -> tuple[str, ...]:
    """Split a file into statements; each ends with a semicolon at the end of a line."""
    return tuple(part.strip() for part in re.split(r";[ \t]*(?:\n|$)", text) if _says_something(part))


def _says_something(part: str) -> bool:
    return any(line.strip() and not line.strip().startswith("--") for line in part.splitlines())


def migrate(client: Any, database: str) -> list[str]:
    """Create the database, run the missing migrations, and return their names.

    Every statement may be repeated, so two runners at once, or one that died half-way, do no harm.
    Raises SettingError where a migration that ran has been edited since, and Unavailable while the server is away."""
    with clear_errors():
        client.database = None
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        client.database = database
        client.command(LEDGER)
        rows = client.query("SELECT number, digest FROM migrations FINAL").result_rows
    ran: dict[int, str] = dict(rows)
    done = []
    for migration in migrations():
        if migration.number not in ran:
            _run(client, migration)
            done.append(migration.name)
        elif ran[migration.number] != migration.digest:
            raise SettingError(
                f"Migration {migration.name} ran in database {database} with other contents; restore the file "
                "and put the change into a new migration."
            )
    return done


def _run(client: Any, migration: Migration) -> None:
    with clear_errors():
        for statement in migration.statements:
            client.command(statement)
        client.insert(
            "migrations",
            [[migration.number, migration.name, migration.digest]],
            column_names=["number", "name", "digest"],
        )
