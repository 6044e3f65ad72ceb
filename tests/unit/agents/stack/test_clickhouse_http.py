import contextlib
import gzip
import tracemalloc
import zlib

import lz4.frame
import pytest
import zstandard

from agents.stack import clickhouse_http
from agents.stack.clickhouse_http import BadRequest, Query, failure, inserting, parse, unpack
from tests.waiting import PATIENCE_S

TEXT = b"1\ta\n" * 1000


def asked(text: bytes, method: str = "POST", **arguments: str) -> Query:
    return parse(method, arguments, text, {})


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", TEXT),
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
        ("lz4", lz4.frame.compress(TEXT)),
        ("lz4", lz4.frame.compress(TEXT[:1000]) + lz4.frame.compress(TEXT[1000:])),
        ("zstd", zstandard.compress(TEXT)),
        ("zstd", zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:])),
    ],
)
def test_every_frame_of_a_body_is_unpacked(encoding: str, body: bytes) -> None:
    assert unpack(body, encoding) == TEXT


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("lz4", lz4.frame.compress(TEXT)[:-9]),
        ("zstd", zstandard.compress(TEXT)[:-9]),
        ("lz4", b"nonsense"),
        ("br", TEXT),
    ],
)
def test_a_cut_or_unknown_body_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(BadRequest):
        unpack(body, encoding)


@pytest.mark.parametrize(
    ("text", "statement", "data"),
    [
        (b"SELECT 1 FORMAT JSON", b"SELECT 1 FORMAT JSON", None),
        (b"INSERT INTO t (a) FORMAT Native\n\x00'\xff", b"INSERT INTO t (a)", ("Native", b"\x00'\xff")),
        (b"insert into t format TSV 1\n", b"insert into t", ("TSV", b"1\n")),
        (b"INSERT INTO t VALUES (1),(2)", b"INSERT INTO t", ("VALUES", b"(1),(2)")),
        (b"INSERT INTO t(a)\nVALUES(';')", b"INSERT INTO t(a)", ("VALUES", b"(';')")),
        (b"INSERT INTO `a FORMAT b` FORMAT CSV\n1", b"INSERT INTO `a FORMAT b`", ("CSV", b"1")),
        (b"/* ' FORMAT x */ INSERT INTO t -- FORMAT y\n FORMAT CSV\n1", None, ("CSV", b"1")),
        (b"INSERT INTO t SELECT * FROM values('a UInt8', 1)", None, None),
        (b"INSERT INTO t SELECT 1 FORMAT Null", None, None),
        (b"SELECT ';' -- ;\n;", None, None),
    ],
)
def test_statement_and_data_are_told_apart(
    text: bytes, statement: bytes | None, data: tuple[str, bytes] | None
) -> None:
    query = asked(text)
    assert query.data == data
    assert statement is None or query.text == statement


def test_data_may_follow_a_statement_in_the_url() -> None:
    query = asked(b"1\n2\n", query="INSERT INTO t FORMAT TSV")
    assert (query.text, query.data) == (b"INSERT INTO t", ("TSV", b"1\n2\n"))


def test_parameters_settings_and_transport_are_told_apart() -> None:
    query = asked(b"", "GET", query="SELECT 1", param_x="2", max_threads="3", user="me", database="d")
    assert (query.params, query.settings, query.database) == ({"x": "2"}, {"max_threads": "3"}, "d")
    assert query.readonly and not asked(b"SELECT 1").readonly


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (b"SELECT 1; SELECT 2", {}),
        (b"SELECT 1 INTO OUTFILE '/etc/passwd'", {}),
        (b"INSERT INTO t FROM INFILE '/etc/passwd'", {}),
        (b"SELECT 1", {"max_threads = 1, readonly": "0"}),
        (b"SELECT 1", {"decompress": "1"}),
    ],
)
def test_what_a_server_refuses_is_refused(text: bytes, arguments: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        parse("POST", arguments, text, {})


def test_errors_keep_their_code() -> None:
    assert failure("oh: Code: 60. DB::Exception: no table") == (404, "60", "Code: 60. DB::Exception: no table")
    assert failure("Code: 62. DB::Exception: x")[0] == 400
    assert failure("boom") == (500, "1002", "boom")


BOMBS = {
    "gzip": gzip.compress(bytes(50_000_000)),
    "deflate": zlib.compress(bytes(50_000_000)),
    "lz4": lz4.frame.compress(bytes(50_000_000)),
    "zstd": zstandard.compress(bytes(50_000_000)),
}


@pytest.mark.parametrize("encoding", BOMBS)
@pytest.mark.parametrize("frames", [1, 3])
def test_a_body_that_becomes_too_large_is_refused_before_it_does(
    encoding: str, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clickhouse_http, "BODY_LIMIT", 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match="larger than") as refused:
            unpack(BOMBS[encoding] * frames, encoding)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.status == 413


@pytest.mark.parametrize("encoding", sorted(BOMBS))
def test_a_body_of_exactly_the_limit_is_taken(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse_http, "BODY_LIMIT", 50_000_000)
    assert len(unpack(BOMBS[encoding], encoding)) == 50_000_000


@pytest.mark.parametrize(
    "piece", [b"/*", b"'", b'"', b"`", b"'\\", b"--", b"/* '", b" ", b"FORMAT ", b" FORMAT a!", b"(", b";", b"INTO "]
)
@pytest.mark.parametrize("start", [b"", b"INSERT ", b"SELECT '"])
@pytest.mark.timeout(PATIENCE_S)
def test_no_text_keeps_the_parser_busy(start: bytes, piece: bytes) -> None:
    """Parsing takes linear time. Quadratic time would take hours here and exceed the test's time limit."""
    for text in (start + piece * 200_000, piece * 200_000 + start):
        with contextlib.suppress(BadRequest):
            asked(text)


@pytest.mark.parametrize("part", ["query", "database", "param_x", "max_threads", "x"])
def test_what_is_no_utf8_is_a_syntax_error(part: str) -> None:
    with pytest.raises(BadRequest, match="Code: 62"):
        parse("POST", {part: "\udcff"}, b"SELECT 1", {})
    with pytest.raises(BadRequest, match="Code: 62"):
        asked(b"SELECT '\xff'")
    assert asked(b"INSERT INTO t FORMAT Native\n\xff").data == ("Native", b"\xff")


def test_a_text_without_an_end_hides_nothing_from_the_engine() -> None:
    assert asked(b"SELECT 'a; DROP TABLE t").text == b"SELECT 'a; DROP TABLE t"


@pytest.mark.parametrize("text", [b"SYSTEM SHUTDOWN", b" system /* x */ kill", b"-- y\nSYSTEM SUSPEND FOR 9 SECOND"])
def test_what_would_end_the_process_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest, match="stack down"):
        asked(text)
    assert asked(b"SELECT 'SYSTEM SHUTDOWN'")


def test_data_is_inserted_from_a_file_before_the_settings() -> None:
    text = b"INSERT INTO t (a, `SETTINGS`) SETTINGS max_threads = 1"
    expected = b"INSERT INTO t (a, `SETTINGS`) FROM INFILE '/f' COMPRESSION 'none' SETTINGS max_threads = 1 FORMAT CSV"
    assert inserting(text, "/f", "CSV") == expected
    assert inserting(b"INSERT INTO t", "/f", "CSV") == b"INSERT INTO t FROM INFILE '/f' COMPRESSION 'none'  FORMAT CSV"
