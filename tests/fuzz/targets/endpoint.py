"""How the local ClickHouse endpoint parses a request before the engine sees it."""

import gzip
import zlib

import lz4.frame
import zstandard

from agents.stack.clickhouse_http import BadRequest, Query, failure, parse, unpack
from tests.fuzz.bites import Bites, sized

ENCODINGS = ("", "identity", "gzip", "deflate", "lz4", "zstd", "br")
NAMES = (
    *("query", "database", "default_format", "query_id", "decompress", "compress", "param_x", "max_threads"),
    *("readonly", "session_id", "role", "x;y", "param_", ""),
)
METHODS = ("GET", "POST", "HEAD", "PUT", "\u0130")


def check(data: bytes) -> None:
    """Raise unless the request is parsed or refused."""
    bites = Bites(data)
    (_body, _request, _failure)[bites.number(1) % 3](bites)


def _body(bites: Bites) -> None:
    encoding = bites.one_of(ENCODINGS)
    try:
        plain = unpack(bites.rest(), encoding)
    except BadRequest as refused:
        _check_refusal(refused)
        return
    assert isinstance(plain, bytes)


def _request(bites: Bites) -> None:
    method = bites.one_of(METHODS)
    arguments = {bites.one_of(NAMES): _text(bites) for _ in range(bites.number(1) % 5)}
    headers = {"X-ClickHouse-Database": _text(bites), "X-ClickHouse-Format": "JSON"} if bites.number(1) & 1 else {}
    try:
        query = parse(method, arguments, bites.rest(), headers)
    except BadRequest as refused:
        _check_refusal(refused)
        return
    assert isinstance(query, Query) and isinstance(query.text, bytes)
    assert query.readonly == (method in ("GET", "HEAD"))


def _text(bites: Bites) -> str:
    """Return text as the web server decodes a URL. Invalid UTF-8 becomes surrogates."""
    return bites.bites(200).decode(errors="surrogateescape")


def _check_refusal(refused: BadRequest) -> None:
    status, code, _ = failure(str(refused))
    assert 400 <= status < 500 and code.isdigit(), (status, code)


def _failure(bites: Bites) -> None:
    status, code, text = failure(_text(bites))
    assert 400 <= status < 600 and code.isascii() and code.isdigit() and isinstance(text, str)


QUERIES = (
    b"SELECT 1 FORMAT JSON",
    b"INSERT INTO t (a) FORMAT Native\n\x00'\xff",
    b"INSERT INTO `a FORMAT b` VALUES ('x;y')",
    b"/* ' FORMAT x */ INSERT INTO t -- FORMAT y\n FORMAT CSV\n1",
    b"SELECT ';' -- ;\n;",
    b"SELECT '\\'' /* /* */ \"a\"",
    b"SELECT 1 INTO OUTFILE 'x'",
)
PLAIN = b"1\ta\n" * 20
BODIES = {2: gzip.compress(PLAIN), 3: zlib.compress(PLAIN), 4: lz4.frame.compress(PLAIN), 5: zstandard.compress(PLAIN)}
SEEDS = [
    *(b"\0" + bytes([number]) + body for number, body in BODIES.items()),
    *(b"\0" + bytes([number]) + body * 2 for number, body in BODIES.items()),
    *(b"\1\1\0\0" + query for query in QUERIES),
    *(b"\1\0\1\0" + sized(query) + b"\0" for query in QUERIES),
    b"\1\1\2\0" + sized(b"INSERT INTO t FORMAT CSV") + b"\6" + sized(b"x") + b"\1" + sized(b"db") + b"1,2\n",
    b"\2" + sized(b"Code: 60. DB::Exception: no"),
]
