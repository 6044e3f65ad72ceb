"""Migrations are numbered and do not change once they are released."""

import pytest

from sinks.clickhouse.columns import COLUMNS, view_of
from sinks.clickhouse.migrate import migrations, statements
from streams.errors import SettingError

LANDED = {
    "0001_tables": "628597fd28b55a782ab1cb6d1209ba64ef1f943393f56e358930daf5348c1209",
    "0002_views": "d2bf46db092598cba9cefcad9f1192e446cf502269f93e70170d143cd88e019e",
    "0003_set_aside": "883a40081ee96a14a54f12859e7ab346b760224176fdd10efc17ecf63a4ac7fb",
    "0004_corrections": "abee5b9fc23dba251d183429d058d029b356fbc327f05baa4fe243545aa56404",
    "0005_events_by_kind": "4b68d5dc0eac0dfefac70c0e0ab276603143d652d201e3b57c0329fd14fb8a23",
    "0006_cohorts": "ca023dafa6611cea4ab4c8f704956232e93e5e9a2b5957746db85d4e7efc201c",
}
"""A new migration adds its line. A line never changes."""


def test_landed_migrations_are_as_they_were():
    assert {migration.name: migration.digest for migration in migrations()} == LANDED


def test_statements_end_at_the_end_of_a_line():
    assert statements("-- why\nSELECT ';' AS a;\n\n-- and\nSELECT 2;  \n-- end\n") == (
        "-- why\nSELECT ';' AS a",
        "-- and\nSELECT 2",
    )


def test_every_table_states_its_retention_and_has_a_view():
    statements_of_all = [statement for migration in migrations() for statement in migration.statements]
    for table in COLUMNS:
        text = next(statement for statement in statements_of_all if f"EXISTS {table} (" in statement)
        assert " kept" in text.lower() or "replaced" in text
        *_, view = (statement for statement in statements_of_all if f"VIEW {view_of(table)} AS" in statement)
        assert f"FROM {table} FINAL" in view


@pytest.mark.parametrize(
    "names", [("0002_b.sql",), ("0001_a.sql", "0003_c.sql"), ("0001_a.sql", "0001_b.sql"), ("a.sql",)]
)
def test_numbers_have_no_gaps(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("SELECT 1;\n")
    with pytest.raises(SettingError):
        migrations(tmp_path)
