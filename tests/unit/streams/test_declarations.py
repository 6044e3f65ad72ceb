"""A setting that is added later does not change what stands in logs already."""

from dataclasses import dataclass

from streams.declarations import added, as_before, stated


@dataclass(frozen=True)
class Declared:
    name: str
    careful: bool = added(default=True, before=False)


def test_a_former_value_is_not_stated():
    assert stated(Declared("a", careful=False)) == {"name": "a"}
    assert stated(Declared("a")) == {"name": "a", "careful": True}
    assert Declared(**as_before(Declared), **{"name": "a"}) == Declared("a", careful=False)


def test_what_has_no_added_setting_is_stated_whole():
    assert as_before(Declared) == {"careful": False}

    @dataclass(frozen=True)
    class Plain:
        name: str = "a"

    assert stated(Plain()) == {"name": "a"} and as_before(Plain) == {}
