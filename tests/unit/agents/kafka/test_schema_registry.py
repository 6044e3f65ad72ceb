"""Unknown schema ids: the answers of the registry decide what they mean. A local server plays intact registries and
registries that lost their data."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agents.kafka.schema_registry import HttpRegistry
from agents.settings import Settings
from streams.avro.codec import NotAvro
from streams.errors import SettingError, Unavailable

NO_SCHEMA = (404, {"error_code": 40403, "message": "Schema 7 not found"})
NO_SUBJECT = (404, {"error_code": 40401, "message": "Subject not found"})
TICK_IS_3 = (200, {"id": 3})


class Server(ThreadingHTTPServer):
    """A server with fixed answers. `asked` counts the requests."""

    schema: tuple[int, object] = NO_SCHEMA
    lookup: tuple[int, object] = TICK_IS_3
    asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(*self.server.schema)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(*self.server.lookup)

    def _answer(self, status: int, body: object) -> None:
        self.server.asked += 1
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def listening() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(listening: Server) -> Server:
    listening.schema, listening.lookup, listening.asked = NO_SCHEMA, TICK_IS_3, 0
    return listening


@pytest.fixture
def registry(server: Server) -> Iterator[HttpRegistry]:
    settings = Settings(
        kafka="127.0.0.1:1",
        registry=f"http://127.0.0.1:{server.server_address[1]}",
        redis_url="redis://127.0.0.1:1",
        clickhouse_url="http://127.0.0.1:1",
        model_store="file:///nowhere",
    )
    with HttpRegistry(settings) as registry:
        yield registry


def test_an_id_is_unknown_when_the_registry_proves_that_it_has_our_schemas(registry: HttpRegistry) -> None:
    with pytest.raises(KeyError):
        registry.schema(7)


def test_what_was_unknown_may_be_registered_a_moment_later(server: Server, registry: HttpRegistry) -> None:
    with pytest.raises(KeyError):
        registry.schema(7)
    server.schema = (200, {"schema": '"string"'})
    assert registry.schema(7) == "string"


@pytest.mark.parametrize("body", ["<h1>Not found</h1>", {"status": 404}, {"error_code": 404}, [], "7"])
def test_the_404_of_another_server_tells_nothing(server: Server, registry: HttpRegistry, body: object) -> None:
    server.schema = (404, body)
    with pytest.raises(Unavailable, match="TIDECAST_REGISTRY"):
        registry.schema(7)


@pytest.mark.parametrize("body", ["<h1>Welcome</h1>", {}, {"schema": 5}, ["schema"]])
def test_the_page_of_another_server_is_no_schema(server: Server, registry: HttpRegistry, body: object) -> None:
    server.schema = (200, body)
    with pytest.raises(SettingError, match="TIDECAST_REGISTRY"):
        registry.schema(7)


@pytest.mark.parametrize("lost", [NO_SUBJECT, NO_SCHEMA])
def test_a_registry_that_lost_its_data_tells_nothing(
    server: Server, registry: HttpRegistry, lost: tuple[int, object]
) -> None:
    server.lookup = lost
    with pytest.raises(Unavailable, match="tidecast deploy"):
        registry.schema(7)


def test_a_registry_that_was_filled_anew_tells_nothing(server: Server, registry: HttpRegistry) -> None:
    with pytest.raises(KeyError):
        registry.schema(7)
    server.lookup = (200, {"id": 4})
    with pytest.raises(Unavailable, match="new id 4"):
        registry.schema(7)


def test_a_schema_that_is_not_json_is_none(server: Server, registry: HttpRegistry) -> None:
    server.schema = (200, {"schema": "no json"})
    with pytest.raises(KeyError):
        registry.schema(7)


@pytest.mark.parametrize(
    ("kind", "name"), [("PROTOBUF", "Protobuf"), ("JSON", "JSON Schema"), ("XSD", "XSD"), ("x" * 999, "x" * 40)]
)
def test_a_schema_of_another_format_is_named(server: Server, registry: HttpRegistry, kind: str, name: str) -> None:
    server.schema = (200, {"schema": "syntax", "schemaType": kind})
    with pytest.raises(NotAvro) as found:
        registry.schema(7)
    assert str(found.value) == name


def test_a_registry_that_lost_its_data_tells_no_format(server: Server, registry: HttpRegistry) -> None:
    """The schema may be another registry's."""
    server.schema, server.lookup = (200, {"schema": "syntax", "schemaType": "JSON"}), NO_SUBJECT
    with pytest.raises(Unavailable, match="tidecast deploy"):
        registry.schema(7)


@pytest.mark.parametrize("kind", ["AVRO", None, ""])
def test_avro_may_be_left_unsaid(server: Server, registry: HttpRegistry, kind: str | None) -> None:
    server.schema = (200, {"schema": '{"type": "string"}', "schemaType": kind})
    assert registry.schema(7) == {"type": "string"}


def test_an_id_that_no_registry_gives_out_is_not_asked_for(server: Server, registry: HttpRegistry) -> None:
    with pytest.raises(KeyError):
        registry.schema(2**31)
    assert server.asked == 0
