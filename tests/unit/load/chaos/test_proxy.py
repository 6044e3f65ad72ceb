"""The faulty proxy on real sockets, in front of an echo server."""

import asyncio
import gc
import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from load.chaos.proxy import CHUNK, HELD, SLICES, Link, Proxies
from tests.waiting import PATIENCE_S, until


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


class TcpEcho(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None: ...


class UnixEcho(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serving(server: socketserver.BaseServer) -> Iterator[socketserver.BaseServer]:
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def echo() -> Iterator[TcpEcho]:
    yield from serving(TcpEcho(("127.0.0.1", 0), Echo))


@pytest.fixture
def proxies(caplog: pytest.LogCaptureFixture) -> Iterator[Proxies]:
    gc.freeze()  # the later collection need not search existing objects
    with Proxies() as proxies:
        yield proxies
    gc.collect()  # a task with an unread error logs it when it is collected
    gc.unfreeze()
    assert not [record for record in caplog.get_records("call") if record.name == "asyncio"]


@pytest.fixture
def link(echo: TcpEcho, proxies: Proxies) -> Link:
    return proxies.link("echo", *echo.server_address)


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=PATIENCE_S)


def read(client: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (data := client.recv(65_536)):
        got += data
    return got


def ask(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return read(client, len(data))


def refuses(link: Link) -> bool:
    """Return whether a new connection is reset, during the handshake or right after it."""
    with pytest.raises(ConnectionResetError), connect(link) as client:
        client.recv(1)
    return True


def silent(client: socket.socket) -> bool:
    """Return whether the connection is open and no data arrives for a moment."""
    client.settimeout(0.05)
    try:
        client.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_S)


def test_bytes_pass_both_ways_and_are_counted(link: Link) -> None:
    data = bytes(range(256)) * 2000
    with connect(link) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert read(client, len(data)) == data
        sender.join()
        until(lambda: (link.counts.bytes_up, link.counts.bytes_down) == (len(data), len(data)))
        counts = link.counts
        assert (counts.connections, counts.open, counts.refused) == (1, 1, 0)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    until(lambda: link.counts.open == 0)


def test_a_unix_socket_upstream(proxies: Proxies, tmp_path: Path) -> None:
    for _ in serving(UnixEcho(str(tmp_path / "s"), Echo)):
        with connect(proxies.link("unix", str(tmp_path / "s"))) as client:
            assert ask(client, b"hello") == b"hello"


def test_cut_resets_old_and_new_connections_until_healed(link: Link) -> None:
    with connect(link) as client:
        assert ask(client, b"a") == b"a"
        link.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert refuses(link)
    assert (link.counts.refused, link.counts.open) == (1, 0)
    link.heal()
    with connect(link) as client:
        assert ask(client, b"b") == b"b"


def test_cut_forgets_no_connection_that_is_just_being_made(link: Link) -> None:
    for _ in range(100):
        with connect(link) as client:
            link.cut()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        link.heal()


def test_a_stalled_link_is_silent_and_passes_all_after(link: Link) -> None:
    with connect(link) as old:
        assert ask(old, b"a") == b"a"
        link.stall()
        old.sendall(b"held")
        with connect(link) as new:
            new.sendall(b"new")
            assert silent(old) and silent(new)
            assert link.counts.bytes_up == 1
            link.heal()
            assert (read(old, 4), read(new, 3)) == (b"held", b"new")


def test_a_stalled_link_hides_that_the_upstream_ended(proxies: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = proxies.link("server", "127.0.0.1", server.getsockname()[1])
        with connect(link) as client:
            accepted, _ = server.accept()
            link.stall()
            accepted.close()
            assert silent(client)
            link.heal()
            assert client.recv(1) == b""


class Clock(selectors.DefaultSelector):
    """A selector that does not wait. The loop's time jumps to the next event."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout:
            self.now += timeout
        return found


class Target:
    """A writer that records what it gets and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.got: list[tuple[float, bytes]] = []
        self._loop = loop

    def write(self, data: bytes) -> None:
        self.got.append((round(self._loop.time(), 6), data))

    async def drain(self) -> None: ...

    def write_eof(self) -> None: ...


def delivered(fault: Any, chunks: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """Return when a link with a fault passes chunks that arrive at the given times (s)."""
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now  # type: ignore[method-assign]
    link, target = Link("any", "nowhere", 1, loop), Target(loop)
    link._call = lambda command: loop.run_until_complete(command)  # type: ignore[method-assign]
    fault(link)

    async def deliver() -> None:
        waiting: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        for arrived, chunk in [*chunks, (chunks[-1][0], b"")]:
            waiting.put_nowait((arrived, chunk))
        await link._deliver(waiting, target, link._up)  # type: ignore[arg-type]

    try:
        loop.run_until_complete(deliver())
    finally:
        loop.close()
    return target.got


def test_a_delayed_link_keeps_order_and_does_not_add_up() -> None:
    chunks = [(number / 64, b"%d" % number) for number in range(20)]
    assert delivered(lambda link: link.delay(8.0), chunks) == [(at + 8.0, chunk) for at, chunk in chunks]


@pytest.mark.parametrize("rate", [1000, 64_000])
def test_a_throttled_link_is_as_fast_as_asked_and_no_faster(rate: int) -> None:
    found = delivered(lambda link: link.throttle(rate), [(0.0, b"x" * 1000)] * 6)
    passed = 0
    for at, piece in found:
        assert passed == pytest.approx(rate * at)
        passed += len(piece)
        assert len(piece) <= max(1, rate // SLICES)
    assert passed == 6000


def test_heal_ends_a_delay_that_runs(link: Link) -> None:
    link.delay(3600)
    with connect(link) as client:
        client.sendall(b"a")
        assert silent(client)
        link.heal()
        assert client.recv(1) == b"a"


def test_a_throttled_link_passes_all(link: Link) -> None:
    link.throttle(1_000_000)
    with connect(link) as client:
        assert ask(client, b"x" * 100_000) == b"x" * 100_000
    with pytest.raises(ValueError, match="stall"):
        link.throttle(0)


def test_a_sender_is_held_back_when_nothing_passes(link: Link) -> None:
    with connect(link) as client:
        assert ask(client, b"a") == b"a"
        link.stall()
        client.settimeout(0.3)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 << 20:
                sent += client.send(b"x" * 65_536)
    assert sent < 16 << 20  # the buffers of the kernel and of the proxy
    assert HELD * CHUNK == 4 << 20


def test_a_client_without_upstream_is_closed(proxies: Proxies) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    link = proxies.link("nobody", "127.0.0.1", port)
    assert refuses(link)
    until(lambda: link.counts.open == 0)


def test_a_chosen_port_and_names_of_their_own(link: Link, proxies: Proxies) -> None:
    with pytest.raises(OSError, match="address already in use"):
        proxies.link("other", "127.0.0.1", 1, listen_port=link.port)
    with pytest.raises(ValueError, match="already"):
        proxies.link("echo", "127.0.0.1", 1)
    assert link.address == f"127.0.0.1:{link.port}"


def test_commands_from_many_threads(link: Link) -> None:
    commands = [link.cut, link.heal, link.stall, lambda: link.delay(0.001)] * 25
    threads = [threading.Thread(target=command) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    link.heal()
    with connect(link) as client:
        assert ask(client, b"a") == b"a"


def test_the_end_resets_connections_and_frees_the_port(echo: TcpEcho) -> None:
    with Proxies() as proxies:
        link = proxies.link("echo", *echo.server_address)
        client = connect(link)
        assert ask(client, b"a") == b"a"
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(link)
