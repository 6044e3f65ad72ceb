import pytest

from streams.errors import DeclarationError
from streams.features.window import EVER, duration_ms, window

HOUR, DAY = 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("text", "tiles", "width"),
    [("24h", 24, HOUR), ("1d", 1, DAY), ("30d", 30, DAY), ("13w", 13, 7 * DAY), ("15m", 15, 60_000), (None, 2, EVER)],
)
def test_the_unit_is_the_tile(text, tiles, width):
    assert window(text) == (tiles, width)


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "0d", "7x", "7D", "1.5h", 7, ("7d",), "٣d", "7d\n"])
def test_what_is_no_window_is_said_with_the_remedy(text):
    with pytest.raises(DeclarationError, match="is not a duration; write a number and a unit m, h, d or w"):
        window(text)


def test_windows_are_bounded_and_no_finer_than_minutes():
    with pytest.raises(DeclarationError, match="1000 at most"):
        window("1001h")
    with pytest.raises(DeclarationError, match="the finest tiles are minutes"):
        window("90s")
    assert duration_ms("90s") == 90_000


def test_a_duration_ends_before_due_times_do():
    assert duration_ms("400000d") < 2**53 / 2
    for text in ("400001d", "999999999999999w"):
        with pytest.raises(DeclarationError, match="thousand years"):
            duration_ms(text)
