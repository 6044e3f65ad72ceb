"""`publish --dry-run` without servers: what is told, and when nothing is sent."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli.define.publish import command

MAPPING = """
event = "Purchase"
customer = "who"
time = "day"
[fields]
items = { value = 1 }
amount_cents = { column = "euros", scale = 100 }
"""


def run(folder: Path, text: str, mapping: str = MAPPING, *options: str, name: str = "rows.csv") -> Result:
    (folder / name).write_text(text)
    (folder / "map.toml").write_text(mapping)
    arguments = [str(folder / name), "--mapping", str(folder / "map.toml"), "--use-case", "retail", "--dry-run"]
    return CliRunner().invoke(command, [*arguments, *options])


def days(count: int, *more: str) -> str:
    lines = [f"c{n % 7},2024-01-{1 + n % 28:02}T{n // 28:02}:00,{n}.50" for n in range(count)]
    return "\n".join(["who,day,euros", *lines, *more]) + "\n"


def test_every_rejected_row_is_told_and_a_share_of_them_stops(tmp_path: Path) -> None:
    done = run(
        tmp_path, days(97, "c1,soon,1", "c1,2024-01-01", ",2024-01-01,1"), MAPPING, "--rejects", str(tmp_path / "r")
    )
    assert done.exit_code == 0 and "100 rows, 3 rejected." in done.output and "97 records would be" in done.output
    assert "line 99: day 'soon' is not a time" in done.output and "line 101: who is empty" in done.output
    assert len((tmp_path / "r").read_text().splitlines()) == 3
    text = days(54, "c1,soon,1", "c1,later,2", "c1,never,3")
    many = run(tmp_path, text)
    assert many.exit_code == 1 and "5.3% of" in str(many.exception) and "nothing was sent" in str(many.exception)
    assert (
        run(tmp_path, days(54, "c1,soon,1", "c1,later,2", "c1,never,3"), MAPPING, "--max-rejects", "6%").exit_code == 0
    )
    none = run(tmp_path, "who,day,euros\n,2024-01-01,1\n")
    assert "Not one of the 1 rows" in str(none.exception)


def test_dates_that_stand_for_none_are_rejected(tmp_path: Path) -> None:
    lines = [f"c1,{day},1" for day in ("0001-01-01", "1900-01-01", "1970-01-01", "9999-12-31")]
    done = run(tmp_path, days(200, *lines))
    assert "204 rows, 4 rejected" in done.output
    assert done.output.count("lies too far back") == 3 and done.output.count("lies in the future") == 1
    assert "204 rows, 1 rejected" in run(tmp_path, days(200, *lines), MAPPING, "--earliest", "0001-01-01").output


def test_what_looks_wrong_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, days(60, "c9,2025-01-15,1"))
    assert "One record is far from all others" in done.output and "line 62" in done.output
    ids = MAPPING.replace("time =", 'id = "euros"\ntime =')
    assert "(line 2 and line 3)" in run(tmp_path, "who,day,euros\nc1,2024-01-01,1\nc1,2024-01-02,1\n", ids).output


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_a_misspelt_column_is_told_in_every_format(tmp_path: Path, name: str) -> None:
    text = {
        "rows.csv": "who,day,euro\nc1,2024-01-01,1\n",
        "rows.json": '{"who": "c1", "day": "2024-01-01", "euro": 1}\n',
    }
    done = run(tmp_path, text[name], name=name)
    assert "fields.amount_cents names the column 'euros'" in str(done.exception)
    assert "did you mean 'euro'?" in str(done.exception)


def test_an_outcome_of_a_target_that_is_not_declared(tmp_path: Path) -> None:
    done = run(tmp_path, days(3), MAPPING + '[outcome]\ntarget = "chrun"\nvalue = "euros"\n')
    assert "retail has no target 'chrun'" in str(done.exception)


def test_several_files_and_mappings(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("who,day,euros,kind\nc1,2024-01-05,1,sale\nc1,2024-01-06,2,gift\n")
    (tmp_path / "b.toml").write_text(MAPPING.replace("[fields]", "where = 'kind == \"sale\"'\n[fields]"))
    done = run(tmp_path, days(3), MAPPING, str(tmp_path / "b.csv"), "--mapping", str(tmp_path / "b.toml"))
    assert "rows.csv: 3 rows, 0 rejected." in done.output and "b.csv: 2 rows, 0 rejected, 1 left out." in done.output
    assert "4 records would be published" in done.output
    wrong = run(tmp_path, days(3), MAPPING, str(tmp_path / "b.csv"), *["--mapping", str(tmp_path / "b.toml")] * 2)
    assert "2 files and 3 mappings" in wrong.output


def test_the_ids_of_rows_change_with_the_mapping(tmp_path: Path) -> None:
    """A row that was sent by a wrong mapping is another record when it is sent by the right one."""
    from agents.importing.collecting import mapping_digest
    from agents.importing.mapping.mapping_file import read_mapping

    (tmp_path / "a.toml").write_text(MAPPING)
    (tmp_path / "b.toml").write_text("# the same\n" + MAPPING)
    (tmp_path / "c.toml").write_text(MAPPING.replace('"day"', '{ column = "day", zone = "Europe/Berlin" }'))
    digests = [mapping_digest(read_mapping(tmp_path / name)) for name in ("a.toml", "b.toml", "c.toml")]
    assert digests[0] == digests[1] != digests[2]
