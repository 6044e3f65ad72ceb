"""A faulty network: TCP proxies on 127.0.0.1 whose links are cut, stalled, delayed or throttled on command."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

HOST = "127.0.0.1"
CHUNK = 16_384
"""Bytes read at once."""
HELD = 256
"""Chunks that a connection holds back each way. When they are reached, the sender is not read any more."""
ANSWER_TIMEOUT = 10.0
"""Seconds that a command to the proxies' loop may take."""
SLICES = 20
"""Parts per second in which a throttled link passes its bytes."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Chunks = asyncio.Queue[tuple[float, bytes | None]]
"""Time of arrival (in the loop's seconds) and bytes. Empty bytes are the end of the stream, None is its reset."""


@dataclass(frozen=True)
class Counts:
    """What a link has counted since it was created.

    connections: accepted, also those that the upstream refused. refused: reset at once, because the link was cut.
    bytes_up: passed from clients to the upstream; bytes_down: the other way."""

    connections: int
    refused: int
    open: int
    bytes_up: int
    bytes_down: int


@dataclass
class _Direction:
    """One direction of a link: bytes passed, and when a throttled link may pass the next ones."""

    passed: int = 0
    free_at: float = 0.0


@dataclass
class _LinkFaults:
    """The current faults of a link. `over` is set when they change."""

    cut: bool = False
    stalled: bool = False
    delay: float = 0.0
    rate: float | None = None
    misdirected: bytes | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Link:
    """A port of 127.0.0.1 that leads to one upstream.

    Commands may come from any thread and are in force when they return. Faults add up (a delayed link can be
    stalled) until `heal`; only `cut` and `stall` replace each other."""

    def __init__(self, name: str, host: str, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.port = 0
        self._upstream = (host, port)
        self._loop = loop
        self._faults = _LinkFaults()
        self._up, self._down = _Direction(), _Direction()
        self._connections = self._refused = self._mentions = 0
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """host:port for clients."""
        return f"{HOST}:{self.port}"

    @property
    def counts(self) -> Counts:
        """The current counters."""
        return Counts(self._connections, self._refused, len(self._serving), self._up.passed, self._down.passed)

    def cut(self) -> None:
        """Reset (RST) all connections, and new ones at once."""
        self._call(self._cut())

    def stall(self) -> None:
        """Turn the link into a black hole: connections stay open and new ones are accepted, but nothing passes, not
        even their end.

        After `heal` everything passes that was held back, as TCP would send it again."""
        self._call(self._change(cut=False, stalled=True))

    def delay(self, seconds: float) -> None:
        """Pass every chunk `seconds` later, each way, in order."""
        self._call(self._change(delay=seconds))

    def throttle(self, bytes_per_second: float) -> None:
        """Pass at most `bytes_per_second` each way, for all connections together."""
        if bytes_per_second <= 0:
            raise ValueError("bytes_per_second must be above 0; use stall() for nothing at all")
        self._call(self._change(rate=bytes_per_second))

    def misdirect(self, name: bytes) -> None:
        """Change the first mention of the topic `name` in every other chunk that clients send.

        The broker refuses that request, as one for a partition whose leader has moved, and accepts those behind it."""
        self._call(self._change(misdirected=name))

    def heal(self) -> None:
        """End all faults. What was held back passes at once."""
        self._call(self._change(cut=False, stalled=False, delay=0.0, rate=None, misdirected=None))

    def _call(self, command: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(command, self._loop).result(ANSWER_TIMEOUT)

    async def open(self, port: int) -> None:
        """Start to listen; for `Proxies`."""
        self._server = await asyncio.start_server(self._accept, HOST, port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and reset open connections; for `Proxies`."""
        if self._server:
            self._server.close()
        await self._reset_all()

    async def _change(self, **now: Any) -> None:
        before = self._faults
        self._faults = replace(before, over=asyncio.Event(), **now)
        before.over.set()

    async def _cut(self) -> None:
        await self._change(cut=True, stalled=False)
        await self._reset_all()

    async def _reset_all(self) -> None:
        serving = dict(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for writer in serving.values():
            _reset(writer)  # a task that never ran could not do it
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._faults.cut:
            self._refused += 1
            _reset(writer)
            return
        self._connections += 1
        # a task of our own: asyncio's streams would log each one that is cancelled as an error
        task = self._loop.create_task(self._serve((reader, writer)))
        self._serving[task] = writer
        task.add_done_callback(self._serving.pop)

    async def _serve(self, client: Streams) -> None:
        ends = [client]
        ended = False
        try:
            await self._may_pass(self._up, self._loop.time())
            ends.append(await self._connect())
            upstream = ends[1]
            async with asyncio.TaskGroup() as group:
                self._join(group, client[0], upstream[1], self._up)
                self._join(group, upstream[0], client[1], self._down)
            ended = True
        except* OSError:
            pass  # the upstream is down or one side reset the connection: reset the other side too
        finally:
            for _, writer in ends:
                if ended:
                    writer.close()
                else:
                    _reset(writer)

    async def _connect(self) -> Streams:
        host, port = self._upstream
        if host.startswith("/"):
            return await asyncio.open_unix_connection(host, limit=CHUNK)
        return await asyncio.open_connection(host, port, limit=CHUNK)

    def _join(
        self,
        group: asyncio.TaskGroup,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        direction: _Direction,
    ) -> None:
        chunks: Chunks = asyncio.Queue(HELD)
        group.create_task(self._fetch(source, chunks))
        group.create_task(self._deliver(chunks, target, direction))

    async def _fetch(self, source: asyncio.StreamReader, chunks: Chunks) -> None:
        chunk: bytes | None = b"-"
        while chunk:
            try:
                chunk = await source.read(CHUNK)
            except OSError:
                chunk = None  # not raised here: a stalled link must not show it to the other side yet
            await chunks.put((self._loop.time(), chunk))

    async def _deliver(self, chunks: Chunks, target: asyncio.StreamWriter, direction: _Direction) -> None:
        chunk: bytes | None = b"-"
        while chunk:
            arrived, chunk = await chunks.get()
            await self._may_pass(direction, arrived)
            if chunk:
                await self._send(self._misdirected(chunk, direction), target, direction)
        if chunk is None:
            raise ConnectionResetError
        with contextlib.suppress(OSError):
            target.write_eof()

    def _misdirected(self, chunk: bytes, direction: _Direction) -> bytes:
        name = self._faults.misdirected
        if name is None or direction is not self._up or name not in chunk:
            return chunk
        self._mentions += 1
        return chunk.replace(name, name[:-1] + b"_", 1) if self._mentions % 2 else chunk

    async def _send(self, chunk: bytes, target: asyncio.StreamWriter, direction: _Direction) -> None:
        while chunk:
            rate = self._faults.rate
            part = chunk[: max(1, int(rate / SLICES))] if rate else chunk
            chunk = chunk[len(part) :]
            if rate:
                direction.free_at = max(direction.free_at, self._loop.time()) + len(part) / rate
            target.write(part)
            direction.passed += len(part)
            await target.drain()
            if chunk:
                await self._may_pass(direction, 0.0)

    async def _may_pass(self, direction: _Direction, arrived: float) -> None:
        """Wait until data that arrived at that time may pass, even if the faults change meanwhile."""
        while True:
            faults = self._faults
            due = max(arrived + faults.delay, direction.free_at if faults.rate else 0.0)
            wait = None if faults.stalled else due - self._loop.time()
            if wait is not None and wait <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(faults.over.wait(), wait)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


class Proxies:
    """Creates proxy links for synchronous code. All links run on one event loop in a separate thread.

    with Proxies() as proxies:
        link = proxies.link("redis", "/tmp/redis.sock")
        client = redis.Redis(port=link.port)
        link.cut()
        ...
        link.heal()
    """

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxies", daemon=True)

    def __enter__(self) -> "Proxies":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self.links.values():
            asyncio.run_coroutine_threadsafe(link.close(), self._loop).result(ANSWER_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def link(self, name: str, upstream_host: str, upstream_port: int = 0, listen_port: int = 0) -> Link:
        """Listen on `listen_port` (0: a free one) for an upstream, which need not run yet.

        An `upstream_host` that begins with a slash is a Unix socket. Raises OSError when the port is in use, and
        ValueError when the name is."""
        if name in self.links:
            raise ValueError(f"there is already a link named {name}")
        link = Link(name, upstream_host, upstream_port, self._loop)
        asyncio.run_coroutine_threadsafe(link.open(listen_port), self._loop).result(ANSWER_TIMEOUT)
        self.links[name] = link
        return link
