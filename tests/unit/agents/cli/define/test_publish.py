from pathlib import Path

from click.testing import CliRunner

from agents.cli.define.publish import command as publish

MAPPING = """
event = "Purchase"
customer = "who"
time = "day"
[fields]
items = { value = 1 }
amount_cents = "cents"
"""


def dry_run(folder: Path, *options: str) -> str:
    (folder / "map.toml").write_text(MAPPING)
    (folder / "rows.csv").write_text("who,day,cents\nc1,2024-05-01,100\nc1,9999-12-31,100\nc2,2024-05-02,100\n")
    arguments = [str(folder / "rows.csv"), "--mapping", str(folder / "map.toml"), "--use-case", "retail", "--dry-run"]
    done = CliRunner().invoke(publish, [*arguments, *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_placeholder_for_never_does_not_move_the_clock_to_the_end_of_time(tmp_path: Path) -> None:
    told = dry_run(tmp_path)
    assert "1 rejected; 2 records" in told
    assert "line 3: lies in the future (9999-12-31 00:00:00)" in told


def test_later_rows_are_taken_when_they_are_meant(tmp_path: Path) -> None:
    for option in ("--latest", "--until"):
        assert "0 rejected; 3 records" in dry_run(tmp_path, option, "9999-12-31")
