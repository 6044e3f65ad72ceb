from load.wire import HEADER, leading_text


def test_the_leading_text_of_a_framed_record() -> None:
    value = HEADER.pack(0, 70_000) + b"\x061.2" + b"\x04no"
    assert leading_text(value) == b"1.2"
    assert leading_text(HEADER.pack(0, 1) + b"\x7e" + b"x" * 63 + b"y") == b"x" * 63
