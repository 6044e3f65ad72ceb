"""Guards of the history: rows come before positions."""

from typing import Any

from .patch import Guard, Patch


def positions_before_rows(commit: Any) -> Any:
    """Replace `HistorySlice.commit` by one that writes the positions first."""

    def commit_swapped(self: Any) -> None:
        rows, self.rows = self.rows, {}
        commit(self)
        self.rows = rows
        self.writer.write(rows)

    return commit_swapped


GUARDS = {
    "history-order": Guard(
        "History's positions are written after its rows.",
        "history.rows.partly kill (without the guard, after the positions); ClickHouse cut",
        (Patch("sinks.clickhouse.history", "HistorySlice.commit", positions_before_rows),),
    ),
}
