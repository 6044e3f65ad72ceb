"""Serves the ClickHouse engine of the `chdb` package over ClickHouse's HTTP protocol, on 127.0.0.1.

It supports enough of the protocol for clickhouse-connect and curl: queries in the URL or the body, any format,
`param_x`, `database`, settings in the query string, LZ4, zstd and gzip bodies, and errors with their code.
Run it as `python -P clickhouse_http.py FOLDER PORT`. Only one process at a time may open a folder.
"""

import asyncio
import contextlib
import functools
import gzip
import io
import json
import os
import re
import sys
import tempfile
import uuid
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import chdb
import lz4.frame
import zstandard
from aiohttp import web

MEMORY_LIMIT = 2_000_000_000  # bytes for all queries together: the other servers need memory too
BODY_LIMIT = 1 << 28  # most bytes of a request, as sent and decompressed
LARGE = 1 << 20  # a body above this waits for its turn
LARGE_AT_ONCE = 4
BODY_PATIENCE_S = 120.0
THREADS = 8
MEMORY_FOLDER = "/dev/shm" if os.path.isdir("/dev/shm") else None  # bodies lie in memory, where they need no disk

# Parameters of the transport, which are not settings of the engine
TRANSPORT = frozenset(
    (
        *(
            "query",
            "database",
            "default_format",
            "query_id",
            "session_id",
            "session_timeout",
            "session_check",
        ),
        *("user", "password", "quota_key", "role", "compress", "decompress", "enable_http_compression"),
        *("http_zlib_compression_level", "wait_end_of_query", "buffer_size", "client_protocol_version"),
        *("stacktrace", "send_progress_in_http_headers", "http_headers_progress_interval_ms"),
    )
)
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Quoted texts and comments, whose content is not SQL. One without an end extends to the end of the statement: to try
# again after every opening would take quadratic time
HIDDEN = rb"""'(?:[^'\\]|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|`(?:[^`\\]|\\.)*+(?:`|\\?\Z)"""
HIDDEN += rb"|--[^\n]*+|/\*.*?(?:\*/|\Z)"
HIDDEN_TEXT = re.compile(HIDDEN, re.DOTALL)
# INSERT … FORMAT x, after which the data begins
INSERT_FORMAT = re.compile(
    rb"\s*+((?>" + HIDDEN + rb"|.)*?)\s(?:FORMAT\s+(\w+)|(VALUES))[ \t]*(?:\r?\n|\s|$|(?=\())",
    re.IGNORECASE | re.DOTALL,
)
LONGEST_HEAD = 1 << 16  # bytes before the data of an INSERT
FORMAT_NAME = re.compile(rb"\bFORMAT\s+(\w+)", re.IGNORECASE)
WITH_RESULT = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "(")
# The engine runs in our process: these statements would end or stop it, and all others of its group
DEADLY = re.compile(rb"\s*+SYSTEM\s+(?:SHUTDOWN|KILL|SUSPEND)\b", re.IGNORECASE)
ERROR_CODE = re.compile(r"Code: (\d+)")


class BadRequest(Exception):
    """A request that is answered without the engine: the text is the answer; the status is optional."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Query:
    """A request, decoded."""

    text: bytes
    data: tuple[str, bytes] | None  # format and bytes of an INSERT
    database: str
    params: dict[str, str]
    settings: dict[str, str]
    default_format: str
    readonly: bool


@dataclass(frozen=True)
class Answer:
    """The engine's answer. `form` is None for a statement without a result."""

    body: bytes
    form: str | None
    summary: dict[str, str]


def unpack(body: bytes, encoding: str) -> bytes:
    """Decompress a body, which may have several frames. Raises BadRequest, also for a body that gets too large."""
    if encoding in ("", "identity"):
        return body
    unpacker = UNPACKERS.get(encoding)
    if unpacker is None:
        raise BadRequest(f"Code: 48. DB::Exception: Content-Encoding {encoding} is not supported. (NOT_IMPLEMENTED)")
    try:
        plain = unpacker(body, BODY_LIMIT + 1)
    except Exception as error:  # each library has errors of its own
        raise BadRequest(f"Code: 271. DB::Exception: Cannot decompress the {encoding} body: {error}") from error
    if len(plain) > BODY_LIMIT:
        raise BadRequest(f"Code: 241. DB::Exception: The {encoding} body becomes larger than {BODY_LIMIT} bytes.", 413)
    return plain


def _gunzip(body: bytes, most: int) -> bytes:
    return gzip.GzipFile(fileobj=io.BytesIO(body)).read(most)


def _inflate(body: bytes, most: int) -> bytes:
    frame = zlib.decompressobj()
    plain = frame.decompress(body, most)
    if not frame.eof and len(plain) < most:
        raise ValueError("it is truncated")
    return plain


def _unlz4(body: bytes, most: int) -> bytes:
    out, size = [], 0
    while body and size < most:
        frame = lz4.frame.LZ4FrameDecompressor()
        out.append(frame.decompress(body, max_length=most - size))
        size += len(out[-1])
        if not frame.eof and size < most:
            raise ValueError("the last frame is truncated")
        body = frame.unused_data or b""
    return b"".join(out)


def _unzstd(body: bytes, most: int) -> bytes:
    out, size = [], 0
    while body and size < most:
        frame = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        # in chunks: one KiB can become 32 MiB
        for start in range(0, len(body), ZSTD_PIECE):
            out.append(frame.decompress(body[start : start + ZSTD_PIECE]))
            size += len(out[-1])
            if frame.eof or size >= most:
                break
        if not frame.eof and size < most:
            raise ValueError("the last frame is truncated")
        body = frame.unused_data + body[start + ZSTD_PIECE :] if frame.eof else b""
    return b"".join(out)[:most]


ZSTD_WINDOW = 1 << 27
ZSTD_PIECE = 1 << 10
UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "deflate": _inflate,
    "lz4": _unlz4,
    "zstd": _unzstd,
}
"""Content-Encoding → function that decompresses a body, up to a number of bytes."""


def parse(method: str, arguments: Mapping[str, str], body: bytes, headers: Mapping[str, str]) -> Query:
    """Build a statement from URL and body. Raises BadRequest."""
    if arguments.get("decompress") == "1":
        raise BadRequest("Code: 48. DB::Exception: decompress=1 is not supported; use Content-Encoding.")
    database = arguments.get("database") or headers.get("X-ClickHouse-Database", "")
    _check_text(*arguments, *arguments.values(), database)
    url_text = arguments.get("query", "").encode()
    settings = {name: value for name, value in arguments.items() if not _is_transport(name)}
    for name in settings:
        if not SETTING_NAME.fullmatch(name):
            raise BadRequest(f"Code: 115. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)")
    text, data = _split(url_text, body)
    _check_text(text)
    return Query(
        text=text,
        data=data,
        database=database,
        params={name[6:]: value for name, value in arguments.items() if name.startswith("param_")},
        settings=settings,
        default_format=arguments.get("default_format") or headers.get("X-ClickHouse-Format", "TabSeparated"),
        readonly=method in ("GET", "HEAD"),
    )


def _check_text(*parts: str | bytes) -> None:
    """Decode UTF-8. Raises BadRequest for other bytes, because the engine's interface takes text."""
    try:
        for part in parts:
            part.decode() if isinstance(part, bytes) else part.encode()
    except UnicodeError:
        raise BadRequest("Code: 62. DB::Exception: Query and parameters must be UTF-8. (SYNTAX_ERROR)") from None


def _is_transport(name: str) -> bool:
    return name in TRANSPORT or name.startswith("param_")


def _split(url_text: bytes, body: bytes) -> tuple[bytes, tuple[str, bytes] | None]:
    """Return the statement, and (format, data) to insert. Raises BadRequest where ClickHouse's own server refuses."""
    whole = url_text + b"\n" + body if url_text and body else url_text or body
    head = whole[:LONGEST_HEAD]
    found = INSERT_FORMAT.match(head) if _first_word(head) == "INSERT" else None
    if found and found[3] and re.search(rb"\bSELECT\b", HIDDEN_TEXT.sub(b" ", found[1]), re.IGNORECASE):
        found = None  # INSERT … SELECT … FROM values(…)
    # without data: INSERT … SELECT … FORMAT x
    if found and whole[found.end() :].strip():
        return found[1], ((found[2] or found[3]).decode(), whole[found.end() :])
    plain = HIDDEN_TEXT.sub(b" ", whole)
    if plain.rstrip(b"; \t\r\n").find(b";") >= 0:
        raise BadRequest("Code: 62. DB::Exception: Syntax error: Multi-statements are not allowed. (SYNTAX_ERROR)")
    if re.search(rb"\bINTO\s+OUTFILE\b|\bFROM\s+INFILE\b", plain, re.IGNORECASE):
        raise BadRequest("Code: 1. DB::Exception: INTO OUTFILE and FROM INFILE are not allowed over HTTP.")
    if DEADLY.match(plain):
        raise BadRequest("Code: 1. DB::Exception: The stack ends its servers itself: `tidecast stack down`.")
    return whole, None


def _first_word(text: bytes) -> str:
    words = HIDDEN_TEXT.sub(b" ", text[:LONGEST_HEAD]).split(maxsplit=1)
    return words[0].decode(errors="replace").upper() if words else ""


def execute(folder: str, query: Query) -> Answer:
    """Run a statement on a connection of its own, so that USE and SET affect nothing else. Errors of the engine are
    raised unchanged."""
    connection = chdb.connect(folder)
    try:
        if query.database:
            connection.query(f"USE `{_escaped(query.database, '`')}`")
        for name, value in query.settings.items():
            connection.query(f"SET {name} = {_quoted(value)}")
        if query.readonly:
            connection.query("SET readonly = 2")
        return _insert(connection, query, *query.data) if query.data else _select(connection, query)
    finally:
        connection.close()


def _insert(connection: Any, query: Query, form: str, data: bytes) -> Answer:
    """Insert data through a file.

    chdb's own function (send_insert of 4.4) raises for data that it cannot parse, but not for data that it cannot
    write (a full disk, a constraint): it reports that all rows were written."""
    if query.params:
        raise BadRequest("Code: 48. DB::Exception: Parameters of an INSERT with data are not supported.")
    with tempfile.NamedTemporaryFile(dir=MEMORY_FOLDER) as file:
        file.write(data)
        file.flush()
        result = connection.query(inserting(query.text, file.name, form).decode())
    rows, size = str(result.rows_written()), str(result.bytes_written())
    return Answer(b"", None, {"written_rows": rows, "written_bytes": size, "read_rows": "0", "read_bytes": "0"})


def inserting(text: bytes, file: str, form: str) -> bytes:
    """Return the statement that inserts a file's content. A SETTINGS clause comes after the file's name."""
    plain = HIDDEN_TEXT.sub(lambda found: b" " * len(found[0]), text)
    settings = re.search(rb"\bSETTINGS\b", plain, re.IGNORECASE)
    at = settings.start() if settings else len(text)
    source = f" FROM INFILE {_quoted(file)} COMPRESSION 'none' ".encode()
    return text[:at].rstrip() + source + text[at:] + f" FORMAT {form}".encode()


def _select(connection: Any, query: Query) -> Answer:
    result = connection.query(query.text.decode(), query.default_format, params=query.params)  # FORMAT wins
    body = bytes(result.bytes() or b"")
    summary = {
        "read_rows": str(result.rows_read()),
        "read_bytes": str(result.bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }
    if not body and not _first_word(query.text).startswith(WITH_RESULT):
        return Answer(body, None, summary)
    named = FORMAT_NAME.findall(HIDDEN_TEXT.sub(b" ", query.text))
    return Answer(body, named[-1].decode() if named else query.default_format, summary)


def _quoted(value: str) -> str:
    return f"'{_escaped(value, chr(39))}'"


def _escaped(value: str, quote: str) -> str:
    return value.replace("\\", "\\\\").replace(quote, f"\\{quote}")


def failure(text: str) -> tuple[int, str, str]:
    """Return (HTTP status, ClickHouse's error code, text) of an error's text, as ClickHouse's own server answers."""
    text = text[max(text.find("Code: "), 0) :]
    found = ERROR_CODE.match(text)
    code = found[1] if found else "1002"
    status = {"60": 404, "81": 404, "516": 403, "241": 500, "394": 500, "1002": 500}.get(code, 400)
    return status, code, text


class Endpoint:
    """Answers HTTP requests by running chdb on one data folder."""

    def __init__(self, folder: str) -> None:
        self._root = chdb.connect(f"{folder}?max_server_memory_usage={MEMORY_LIMIT}")  # keeps the engine open
        self._folder = folder
        self._pool = ThreadPoolExecutor(THREADS)
        self._turn = asyncio.Semaphore(LARGE_AT_ONCE)
        self._version = self._root.query("SELECT version()", "TabSeparated").bytes().decode().strip()
        self._timezone = self._root.query("SELECT timezone()", "TabSeparated").bytes().decode().strip()

    async def ping(self, request: web.Request) -> web.Response:
        """Answer `/ping`."""
        return web.Response(text="Ok.\n")

    async def query(self, request: web.Request) -> web.Response:
        """Answer `/`: run a statement."""
        headers = {
            "X-ClickHouse-Server-Display-Name": "tidecast",
            "X-ClickHouse-Query-Id": _query_id(request),
            "X-ClickHouse-Timezone": self._timezone,
            "X-Process": str(os.getpid()),
        }
        if _from_browser(request):
            return web.Response(status=403, text="This endpoint does not answer web pages.\n")
        small = (request.content_length or LARGE) < LARGE
        async with contextlib.nullcontext() if small else self._turn:
            return await self._answer(request, headers)

    async def _answer(self, request: web.Request, headers: dict[str, str]) -> web.Response:
        try:
            body = await asyncio.wait_for(request.read(), BODY_PATIENCE_S)
        except TimeoutError:
            return web.Response(status=408, text="The body did not come in time.\n", headers=headers)
        if not body and "query" not in request.query:
            return web.Response(text="Ok.\n", headers=headers)
        run = functools.partial(self._run, request, body)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except Exception as error:  # any error of the engine becomes the client's answer
            status, code, text = failure(str(error))
            status = getattr(error, "status", None) or status
            headers["X-ClickHouse-Exception-Code"] = code
            return web.Response(status=status, text=f"{text} (version {self._version})\n", headers=headers)
        headers["X-ClickHouse-Summary"] = json.dumps(answer.summary)
        if answer.form:
            headers["X-ClickHouse-Format"] = answer.form
        return web.Response(body=answer.body, headers=headers, content_type=_content_type(answer.form))

    def _run(self, request: web.Request, body: bytes) -> Answer:
        plain = unpack(body, request.headers.get("Content-Encoding", ""))
        return execute(self._folder, parse(request.method, request.query, plain, request.headers))

    def close(self) -> None:
        """Finish running statements and close the engine."""
        self._pool.shutdown()
        self._root.close()


def _query_id(request: web.Request) -> str:
    """Return the client's query id, where it may stand in a header."""
    given = request.query.get("query_id", "")
    return given if given.isascii() and given.isprintable() and given else str(uuid.uuid4())


def _from_browser(request: web.Request) -> bool:
    """Return whether a web page sent the request: any open page could reach a server without a password."""
    host = request.host.rsplit(":", 1)[0]
    return "Origin" in request.headers or host not in ("127.0.0.1", "localhost")


def _content_type(form: str | None) -> str:
    if form and form.startswith("JSON"):
        return "application/x-ndjson" if form.startswith("JSONEachRow") else "application/json"
    if form and form.startswith("CSV"):
        return "text/csv"
    text = form is None or form.startswith(("TabSeparated", "TSV", "Pretty", "Vertical", "Markdown", "Values"))
    return "text/plain" if text else "application/octet-stream"


def application(folder: str) -> web.Application:
    """Return the aiohttp application for a folder's engine."""
    endpoint = Endpoint(folder)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_get("/ping", endpoint.ping)
    app.router.add_route("*", "/", endpoint.query)

    async def close(_: web.Application) -> None:
        endpoint.close()

    app.on_cleanup.append(close)
    return app


def main(folder: str, port: int) -> None:
    """Serve until SIGTERM."""
    # We decompress bodies ourselves: aiohttp reads the first frame only
    web.run_app(
        application(folder),
        host="127.0.0.1",
        port=port,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=False,
        max_line_size=1 << 20,
        max_field_size=1 << 20,
        print=_say,
    )


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
