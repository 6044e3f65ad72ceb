import json

import pytest

from streams.errors import DeclarationError
from streams.usecases import load_use_case, read_use_case
from streams.usecases.loader import SCHEMAS, shipped

RIGHT = """
from streams.usecases import *

USE_CASE = UseCase(
    "mine",
    features=(Count("n", of="Hit", over="7d"),),
    targets=(Target("again", ask=Ask(on="Hit"), outcome=EventWithin("Hit", over="7d"),
                    arms=(Arm("rate", PriorRate(), role="champion"),)),),
)
"""
HIT = {
    "type": "record",
    "name": "Hit",
    "namespace": "mine",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "Hit.avsc").write_text(json.dumps(HIT))
    (tmp_path / "usecase.py").write_text(RIGHT)
    return tmp_path


def test_a_folder_or_its_file(folder):
    for ref in (folder, folder / "usecase.py"):
        use_case = load_use_case(str(ref))
        assert use_case.events == {"Hit": HIT}
        assert use_case.event_full_name("Hit") == "mine.Hit"
        assert use_case.schemas == {"mine.Hit": HIT}


def test_shipped_ones_come_first_whatever_lies_around(tmp_path, monkeypatch):
    (tmp_path / "retail").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_use_case("retail").name == "retail"
    assert shipped() == ["retail", "telecom"]
    for name in shipped():
        assert {path.stem for path in (SCHEMAS / name).glob("*.avsc")} == set(load_use_case(name).events)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = (", r"usecase\.py, line 1: Python cannot read this: '\(' was never closed; correct it\."),
        (
            "\n\nUSE_CASE = Usecase('x')",
            r"usecase\.py, line 3: name 'Usecase' is not defined.*; import it from streams",
        ),
        ("import no_such_thing", r"usecase\.py, line 1: ModuleNotFoundError: No module named 'no_such_thing'"),
        (
            "from streams.usecases import *\nCount('n', of='Hit', ovr='7d')",
            r"line 2: Count has no field 'ovr'; did you mean 'over'\?",
        ),
        ("from streams.usecases import *\nSum('n', of='Hit')", r"line 2: Sum lacks 'field': give a value for each\."),
        ("raise SystemExit", r"line 1: SystemExit; correct the line\."),
        ("", r"usecase\.py sets no USE_CASE: end it with `USE_CASE = UseCase\(\.\.\.\)`\."),
        ("USE_CASE = 5", r"usecase\.py sets no USE_CASE"),
        (
            RIGHT.replace("7d", "7q"),
            r": feature 'n', over: '7q' is not a duration.* \(1 more: run `tidecast check .*`\)$",
        ),
    ],
)
def test_a_wrong_module_is_one_sentence(folder, code, sentence):
    (folder / "usecase.py").write_text(code)
    with pytest.raises(DeclarationError, match=sentence) as raised:
        load_use_case(str(folder))
    assert "\n" not in str(raised.value)


def test_reading_leaves_the_check_to_others(folder):
    (folder / "usecase.py").write_text(RIGHT.replace("7d", "7q"))
    assert read_use_case(str(folder)).features[0].over == "7q"


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(DeclarationError, match=r"no use case 'telekom': name one of retail, telecom, or the folder"):
        load_use_case("telekom")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DeclarationError, match=r"holds no usecase.py: run `tidecast init .*empty` to write one"):
        load_use_case(str(tmp_path / "empty"))
    with pytest.raises(DeclarationError, match="no use case"):
        load_use_case(str(folder / "schemas" / "Hit.avsc"))
    (folder / "schemas" / "Hit.avsc").unlink()
    with pytest.raises(DeclarationError, match=r"schemas holds no \.avsc file: put one per event there"):
        load_use_case(str(folder))
    (folder / "schemas").rmdir()
    with pytest.raises(DeclarationError, match=r"schemas is missing: put one \.avsc file per event there"):
        load_use_case(str(folder))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Bad.avsc is not JSON"),
        ("[1]", "Bad.avsc is not an Avro record"),
        (json.dumps(HIT), "Hit.avsc declares mine.Hit, as another file"),
        (json.dumps({**HIT, "namespace": "other"}), "two events are named Hit; rename one of them"),
    ],
)
def test_a_bad_schema_file(folder, text, sentence):
    (folder / "schemas" / "Bad.avsc").write_text(text)
    with pytest.raises(DeclarationError, match=sentence):
        load_use_case(str(folder))
