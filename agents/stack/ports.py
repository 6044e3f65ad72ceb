"""Chooses the ports of a stack: requested, remembered, or free ones."""

import random
import socket
from collections.abc import Collection, Mapping

import psutil

from agents.stack.place import PORT_NAMES
from streams.errors import SettingError

# Below the range of ports for outgoing connections: any client could take a remembered port of that range while the
# stack is down.
CHOICE = range(20_000, 32_000)


def choose_ports(
    asked: Mapping[str, int], remembered: Mapping[str, int], base: int | None, listeners: Collection[int] = ()
) -> dict[str, int]:
    """Return the port of every name in PORT_NAMES: requested, else counted from `base`, else remembered, else free.

    Raises SettingError when a port is requested twice, also by one of Kafka's `listeners`, or is not a port.
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
            raise SettingError(f"Port {port} is requested for both {name} and {twins[0]}; give each its own.")
    return ports


def is_free(port: int) -> bool:
    """Return whether nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just closed counts as free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def require_free(name: str, port: int, option: str) -> None:
    """Raise SettingError when a port is in use; name the process that listens if it is visible."""
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
        pass  # a process of another user is not visible
    return ""
