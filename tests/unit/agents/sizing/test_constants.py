"""The file of constants, and the document that shows them."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from agents.cli.sizing_document import BLOCK, constants_table, renewed
from agents.sizing.constants import NAMES, load_constants, read_measured
from agents.sizing.measuring import __main__ as measure
from streams.errors import SettingError

TEXT = files("agents.sizing").joinpath("measured.json").read_text()
DOCUMENT = Path(__file__).parents[4] / "docs" / "sizing.md"


def test_every_constant_says_how_it_is_measured() -> None:
    for each in read_measured():
        assert each.how and each.command and len(each.date) == 10, each.name
        assert "|" not in each.how + each.command, "it would break the document's table"


def test_they_are_the_json_s() -> None:
    constants = load_constants()
    entries = json.loads(TEXT)["constants"]
    assert {name: getattr(constants, name) for name in NAMES} == {name: entries[name]["value"] for name in entries}
    assert 0 < constants.headroom_share < 1


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_nonsense_is_refused(value: float) -> None:
    found = json.loads(TEXT)
    found["constants"]["worker_base_bytes"]["value"] = value
    with pytest.raises(SettingError, match="worker_base_bytes"):
        read_measured(json.dumps(found))


def test_a_missing_one_is_named() -> None:
    found = json.loads(TEXT)
    del found["constants"]["redis_bytes_per_digest"]
    with pytest.raises(SettingError, match="redis_bytes_per_digest"):
        read_measured(json.dumps(found))


def test_the_document_shows_them_and_what_follows() -> None:
    """The document is up to date. After a change, run: python -m agents.cli.sizing_document docs/sizing.md"""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = {found[2]: found[3] for found in BLOCK.finditer(text)}
    assert blocks["constants"] == constants_table()
    assert any("--times" in block for block in blocks)
    assert renewed(text) == text


def test_what_is_measured_here_are_constants() -> None:
    assert set(measure.byte_constants()) <= set(NAMES)
    assert {name for name in NAMES if name.endswith("_naive")} == set(measure.model_constants("naive"))


def test_records_are_as_long_as_the_constants_say() -> None:
    """Record sizes do not depend on the machine. A difference means that measured.json is out of date."""
    constants = load_constants()
    for name, value in measure.byte_constants().items():
        assert getattr(constants, name) == pytest.approx(value, rel=0.01), name
