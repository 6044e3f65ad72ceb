"""Which ports a stack uses: asked for, remembered, or free ones chosen."""

import random
import socket
from collections.abc import Collection, Mapping

import psutil

from agents.stack.place import PORT_NAMES
from streams.errors import SettingError

# Below the range from which systems take the ports of outgoing connections: a remembered port of that
# range could be taken by any client while the stack is down.
CHOICE = range(20_000, 32_000)


def choose_ports(
    asked: Mapping[str, int], remembered: Mapping[str, int], base: int | None, listeners: Collection[int] = ()
) -> dict[str, int]:
    """The port of every name in PORT_NAMES: asked by name, else from `base` on, else remembered, else free.

    Raises SettingError when a port is asked for twice, also by one of Kafka's `listeners`, or is no port.
    """
    ports = dict(remembered)
    if base is not None:
        ports |= {name: base + offset for offset, name in enumerate(PORT_NAMES)}
    ports |= asked
    for name in PORT_NAMES:
        if name not in ports:
            ports[name] = _free_port({*ports.values(), *listeners})
    for name, port in ports.items():
        if not 1 <= port <= 65_535:
            raise SettingError(f"{port} is not a port for {name}; choose one between 1 and 65535.")
        twins = [other for other in PORT_NAMES if other != name and ports[other] == port]
        twins += ["kafka-listener"] if port in listeners else []
        if twins:
            raise SettingError(f"Port {port} is asked for by both {name} and {twins[0]}; give each its own.")
    return ports


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that only just closed is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(name: str, port: int, option: str) -> None:
    """Raise SettingError, naming who listens where that can be seen, when a port is in use."""
    if not is_free(port):
        raise SettingError(
            f"Port {port} for {name} is in use{_user_of(port)}; end that process, "
            f"or choose another port: `tidecast stack up {option}`."
        )


def _free_port(taken: set[int]) -> int:
    for port in random.SystemRandom().sample(CHOICE, 500):
        if port not in taken and is_free(port):
            return port
    raise SettingError(f"No free port found from {CHOICE.start} to {CHOICE.stop}; choose ports with --port-base.")


def _user_of(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # another user's process: not for us to see
    return ""
