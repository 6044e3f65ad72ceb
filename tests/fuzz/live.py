"""Fuzz the ClickHouse endpoint in its own process with invalid requests: python -m tests.fuzz.live

The endpoint must stay alive, answer the next valid query, and stay within its memory limit."""

import argparse
import contextlib
import gzip
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import psutil
import zstandard

from agents.stack import clickhouse_http
from tests.fuzz.mutate import Mutator

QUERIES = (
    b"SELECT 1",
    b"SELECT number, toString(number) FROM numbers(100) FORMAT JSON",
    b"INSERT INTO t FORMAT TSV\n1\ta\n2\tb\n",
    b'INSERT INTO t FORMAT JSONEachRow {"id": 1, "name": "x"}',
    b"INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    b"SELECT * FROM t WHERE name = {x:String} ORDER BY id LIMIT 5 FORMAT Native",
    b"CREATE TABLE IF NOT EXISTS u (id UInt64) ENGINE = MergeTree ORDER BY id",
    b"SELECT groupArray(number) FROM numbers(1e9)",
    b"SELECT sleep(0.001), JSONExtract('{\"a\": [1]}', 'a', 'Array(UInt8)'), [1, 2][3], 1 / 0, toDate('nonsense')",
    b"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r LIMIT 3",
    b"SELECT * FROM Python(x)",
    b"SELECT * FROM executable('x', TSV, 'a String')",
    b"SYSTEM SHUTDOWN",
    b"KILL QUERY WHERE 1",
    b"SELECT " + b"(" * 2000 + b"1" + b")" * 2000,
    b"SELECT '" + b"x" * 3000,
    b"SELECT " + b"/*" * 1500,
)
TARGETS = (
    b"/",
    b"/ping",
    b"/?query=SELECT%201",
    b"/?query_id=%0d%0aX:1",
    b"/?default_format=%00",
    b"/?database=%60%5c",
)
HEADERS = (
    b"Host: 127.0.0.1",
    b"Content-Encoding: gzip",
    b"Content-Encoding: lz4",
    b"Content-Encoding: zstd",
    b"Transfer-Encoding: chunked",
    b"Origin: http://x",
    b"X-ClickHouse-Format: \xff",
    b"X-ClickHouse-Database: nowhere`",
    b"Expect: 100-continue",
    b"Connection: keep-alive",
    b"X: " + b"y" * 60_000,
)


@contextlib.contextmanager
def endpoint() -> Iterator[tuple[int, psutil.Process]]:
    """Run a server on an empty folder. Yield its port and process."""
    with tempfile.TemporaryDirectory(prefix="tidecast-live-") as folder:
        port = _free_port()
        command = [sys.executable, "-P", clickhouse_http.__file__, folder, str(port)]
        with open(Path(folder) / "log", "wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait(port)
            _decent(port, b"CREATE TABLE t (id UInt64, name String) ENGINE = MergeTree ORDER BY id")
            yield port, psutil.Process(server.pid)
        finally:
            server.kill()
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the endpoint did not start")


def _decent(port: int, query: bytes) -> None:
    answer = _exchange(port, _request(b"POST", b"/", [b"Host: 127.0.0.1"], query), 60)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:300]


def _request(method: bytes, target: bytes, headers: list[bytes], body: bytes) -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", *headers, b"Content-Length: %d" % len(body), b"", body])


def _exchange(port: int, data: bytes, patience: float) -> bytes:
    """Return the response up to the end of its head. It is empty when the server closes without a response."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.settimeout(patience)
        try:
            line.sendall(data)
            answer = b""
            while b"\r\n\r\n" not in answer and (more := line.recv(65536)):
                answer += more
            return answer
        except (BrokenPipeError, ConnectionResetError):
            return b""
        except TimeoutError:
            return b"HTTP/1.1 still waits for more"


def _draw(r: random.Random, mutator: Mutator) -> tuple[bytes, float]:
    """Return a request and the time limit of its response in seconds. The limit of an incomplete request is short."""
    body = mutator.draw() if r.random() < 0.6 else r.choice(QUERIES)
    headers = [b"Host: 127.0.0.1", *r.sample(HEADERS, r.randrange(4))]
    if r.random() < 0.2:
        packed = r.choice((gzip.compress, lz4.frame.compress, zstandard.compress))(body)
        kind = {gzip.compress: b"gzip", lz4.frame.compress: b"lz4"}.get(packed, b"zstd")
        headers, body = [b"Host: 127.0.0.1", b"Content-Encoding: " + kind], packed
    method = r.choice((b"POST", b"POST", b"POST", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"\xff"))
    data = _request(method, r.choice(TARGETS), headers, body)
    if r.random() < 0.2:  # not valid HTTP
        spoilt = bytearray(data)
        for _ in range(r.randrange(1, 6)):
            spoilt[r.randrange(min(200, len(spoilt)))] = r.randrange(256)
        return bytes(spoilt), 0.1
    return data, 0.1 if b"Transfer-Encoding: chunked" in headers else 60


def run(seconds: float, requests: int, seed: int = 1) -> str:
    """Run the fuzzer and return a summary. Raise AssertionError when the server dies, stops answering or uses too much
    memory."""
    r, mutator, statuses = random.Random(seed), Mutator(QUERIES, seed), Counter[str]()
    with endpoint() as (port, process):
        began, peak, done = time.monotonic(), 0, 0
        while done < requests and time.monotonic() - began < seconds:
            data, patience = _draw(r, mutator)
            answer = _exchange(port, data, patience)
            status = answer[9:12].decode(errors="replace") or "closed"
            assert patience < 1 or status != "sti", f"no answer to {data[:500]!r}"
            statuses[status] += 1
            done += 1
            if done % 100 == 0:
                assert process.is_running() and process.status() != psutil.STATUS_ZOMBIE, f"died after {data[:500]!r}"
                peak = max(peak, process.memory_info().rss)
        _decent(port, b"SELECT 1")
        took = time.monotonic() - began
    told = ", ".join(f"{count:,} × {status}" for status, count in statuses.most_common())
    assert peak < clickhouse_http.MEMORY_LIMIT + (1 << 30), f"{peak >> 20} MiB"
    return f"live endpoint: {done:,} requests in {took:.0f} s, peak {peak >> 20} MiB; {told}"


if __name__ == "__main__":
    words = argparse.ArgumentParser(prog="python -m tests.fuzz.live", description=__doc__)
    words.add_argument("--minutes", type=float, default=1.0)
    words.add_argument("--requests", type=int, default=1 << 62)
    words.add_argument("--seed", type=int, default=1)
    given = words.parse_args()
    print(run(60 * given.minutes, given.requests, given.seed))
