"""What strangers write is shown in one line, and controls no terminal."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agents.cli.inspect.sql import cell, for_screen
from agents.formatting import as_json, line, printable
from schemas.records import PREDICTION, TICK

EVIL = "c1\n\x1b[31mred\x9b2J\u2028\u202e\t"


@given(st.text())
def test_whatever_an_id_holds_it_stays_in_its_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@given(st.text())
def test_json_says_the_same_in_printable_signs(text: str) -> None:
    shown = as_json({"id": text})
    assert shown.isprintable()
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert json.loads(shown) == {"id": text}


def test_records_are_lines() -> None:
    prediction = {"target": "churn", "customer_id": EVIL, "value": 0.5, "asked_at": 0, "asked_by": EVIL}
    assert line(PREDICTION, {**prediction, "answers": [], "reasons": []}).isprintable()
    assert line(TICK, {"time": 0, "writer": EVIL}).isprintable()
    assert line("shop.Visit", {"customer_id": EVIL, "page": EVIL, "nested": {"a": [EVIL]}}).isprintable()


def test_results_of_queries_are_cells_and_lines() -> None:
    assert cell(EVIL).isprintable() and cell([EVIL, {"a": EVIL}]).isprintable()
    assert for_screen('a,"b\x1b[2J"\nc\td\n') == 'a,"b\\x1b[2J"\nc\td\n'
