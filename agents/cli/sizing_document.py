"""`python -m agents.cli.sizing_document docs/sizing.md`: regenerates the document's tables and examples.

Between `<!-- generated: X -->` and `<!-- end -->` stands one of TABLES, or the output of `tidecast size …`."""

import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from agents.sizing.constants import Measured, read_measured
from agents.sizing.spread import partition_table, shard_table

BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def constants_table() -> str:
    """Return a Markdown table with one row per constant."""
    rows = ["| constant | value | how it is measured | state |", "|---|---:|---|---|"]
    rows += [f"| `{m.name}` | {_number(m.value)} | {m.how} | {_state(m)} |" for m in read_measured()]
    return "\n".join(rows) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _state(measured: Measured) -> str:
    if measured.provisional:
        return f"**provisional**: {measured.command}"
    return f"{measured.date}: {measured.command}"


def printed(words: str) -> str:
    """Return the output of `tidecast size …` as a code block."""
    from agents.cli.define.size import command

    arguments = words.removeprefix("tidecast size").split()
    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        command.main(args=arguments, standalone_mode=False)
    lines = (line.rstrip() for line in out.getvalue().splitlines())
    return "```\n$ " + words + "\n" + "\n".join(lines) + "\n```\n"


TABLES = {"constants": constants_table, "shards": shard_table, "partitions": partition_table}


def renewed(text: str) -> str:
    """Return the document with its generated blocks regenerated."""

    def block(found: re.Match[str]) -> str:
        made = TABLES[found[2]]() if found[2] in TABLES else printed(found[2])
        return found[1] + made + found[4]

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
