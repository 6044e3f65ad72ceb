"""The advice of each error of `publish` is followed, and then the file is understood."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.define.publish import command

MAPPING = """
event = "Purchase"
customer = "who"
time = "day"
[fields]
items = { value = 1 }
amount_cents = { column = "euros", scale = 100 }
"""
ROW = "c1,2024-01-01,1.50"


def file(*rows: str, header: str = "who,day,euros") -> str:
    return "\n".join([header, *rows]) + "\n"


@pytest.mark.parametrize(
    ("content", "advice", "before", "after"),
    [
        (
            file("Müller,2024-01-01,1.5").encode("cp1252"),
            'encoding = "cp1252"',
            "[fields]",
            'encoding = "cp1252"\n[fields]',
        ),
        (file(ROW).encode("utf-16-le"), 'encoding = "utf-16-le"', "[fields]", 'encoding = "utf-16-le"\n[fields]'),
        (
            file("c1;2024-01-01;1,50", header="who;day;euros").encode(),
            'decimal = ","',
            "[fields]",
            'decimal = ","\n[fields]',
        ),
        (
            file("c1;2024-01-01;1.200", header="who;day;euros").encode(),
            'decimal = "."',
            "[fields]",
            'decimal = "."\n[fields]',
        ),
        (file("c1,1719070641945,1.5").encode(), "'ms'", '"day"', '{ column = "day", format = "ms" }'),
        (file("c1,1719070641,1.5").encode(), "'s' or 'ms'", '"day"', '{ column = "day", format = "s" }'),
        (file("NULL,2024-01-01,1.5").encode(), "missing = []", "[fields]", "missing = []\n[fields]"),
        (file(ROW, header="who,day,euro").encode(), "did you mean 'euro'?", '"euros"', '"euro"'),
        (file(ROW).encode(), "add it to [fields]", 'items = "pieces"\n', "items = { value = 1 }\n"),
        (file("c1,2024-01-01,yes").encode(), "", "scale = 100", "map = { yes = 1 }"),
    ],
)
def test_the_advice_helps(tmp_path: Path, content: bytes, advice: str, before: str, after: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    wrong = MAPPING
    if before not in MAPPING:  # the mistake is the mapping's own
        wrong, before = MAPPING.replace(after, ""), "[fields]\n"
        after = before + after
    (tmp_path / "map.toml").write_text(wrong)
    arguments = [
        str(tmp_path / "rows.csv"),
        "--mapping",
        str(tmp_path / "map.toml"),
        "--use-case",
        "retail",
        "--dry-run",
    ]
    failed = CliRunner().invoke(command, arguments)
    assert failed.exit_code == 1 and advice in failed.output + str(failed.exception)
    (tmp_path / "map.toml").write_text(wrong.replace(before, after))
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0 and "1 records would be published" in done.output, done.output + str(done.exception)


@pytest.mark.parametrize(
    ("rows", "advice", "options"),
    [
        ([ROW, "c1,1985-01-01,1"], "lower --earliest", ["--earliest", "1980-01-01"]),
        ([ROW, "c1,2099-01-01,1"], "raise --latest", ["--latest", "2100-01-01"]),
        ([ROW, "c1,soon,1"], "raise --max-rejects", ["--max-rejects", "60%"]),
    ],
)
def test_the_options_that_are_named_help(tmp_path: Path, rows: list[str], advice: str, options: list[str]) -> None:
    (tmp_path / "rows.csv").write_text(file(*rows))
    (tmp_path / "map.toml").write_text(MAPPING)
    arguments = [
        str(tmp_path / "rows.csv"),
        "--mapping",
        str(tmp_path / "map.toml"),
        "--use-case",
        "retail",
        "--dry-run",
    ]
    failed = CliRunner().invoke(command, arguments)
    assert failed.exit_code == 1 and advice in failed.output + str(failed.exception)
    assert CliRunner().invoke(command, [*arguments, *options]).exit_code == 0
