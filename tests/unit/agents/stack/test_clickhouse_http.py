import gzip

import lz4.frame
import pytest
import zstandard

from agents.stack.clickhouse_http import BadRequest, Query, failure, parse, unpack

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
