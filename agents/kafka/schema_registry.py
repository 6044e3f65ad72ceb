"""A client of the schema registry: Confluent's HTTP API, which Apicurio serves under /apis/ccompat/v7."""

import json
from typing import Any
from urllib.parse import quote

import httpx2

from agents.settings import Settings
from schemas.catalog import Schema, load_schemas
from schemas.records import TICK
from streams.avro.codec import NotAvro
from streams.errors import SettingError, TidecastError, Unavailable

OURS = TICK
"""A schema that every registry of a deployed system has. With it a registry proves that it has our schemas."""
GREATEST_ID = 2**31 - 1
"""Greatest schema id: a positive Java int. For a greater one the 404 comes from the web server, not the registry."""
UNKNOWN_CODES = frozenset({40401, 40402, 40403})
"""Error codes of a registry: no such subject, version, schema."""
FORMATS = {"JSON": "JSON Schema", "PROTOBUF": "Protobuf"}
"""The formats of schemas, as a registry and as people call them."""


class SchemaConflict(TidecastError):
    """The registry refuses a schema, because readers of the previous version could not read it."""


class HttpRegistry:
    """A codec's SchemaRegistry. Schemas and ids are cached for ever, because they never change.

    Subjects are named by record (RecordNameStrategy). Use it as a context manager, or close it."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.registry
        self._http = httpx2.Client(**settings.registry_http())
        self._schemas: dict[int, Schema] = {}
        self._ids: dict[str, int] = {}

    def __enter__(self) -> "HttpRegistry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def schema(self, id: int) -> Schema:
        """Return the schema of an id.

        Raises NotAvro for a schema of another format, and KeyError when there is certainly none: the registry says so,
        and proves that it has our own schemas.
        Otherwise raises Unavailable: the wrong server, or a registry that lost its data, does not know the id either.
        """
        found = self._schemas.get(id)
        if found is not None:
            return found
        if id > GREATEST_ID:
            raise KeyError(id)
        answer = self._ask("GET", f"schemas/ids/{id}")
        if self._knows_not(answer):
            self._prove()
            raise KeyError(id)
        body = self._body(answer)
        if not isinstance(body, dict) or not isinstance(body.get("schema"), str):
            raise SettingError(self._is_no_registry(answer))
        kind = str(body.get("schemaType") or "AVRO")
        if kind != "AVRO":
            self._prove()
            raise NotAvro(FORMATS.get(kind, kind[:40]))
        try:
            schema: Schema = json.loads(body["schema"])
        except ValueError:
            self._prove()
            raise KeyError(id) from None
        self._schemas[id] = schema
        return schema

    def _prove(self) -> None:
        """Raise Unavailable unless the registry has our schemas under their former ids."""
        answer = self._ask("POST", f"subjects/{OURS}", _payload(load_schemas()[OURS]))
        if self._knows_not(answer):
            raise Unavailable(
                f"The schema registry at {self._address} does not have our own schema {OURS}: restore its data if it "
                "was lost (the logs hold its ids), else run `tidecast deploy`."
            )
        id = int(self._body(answer)["id"])
        if self._ids.setdefault(OURS, id) != id:
            raise Unavailable(
                f"The schema registry at {self._address} has given {OURS} the new id {id}, it was "
                f"{self._ids[OURS]}: restore the registry's data, the logs hold its old ids."
            )

    def id_of(self, name: str, schema: Schema) -> int:
        """Return the id of a registered schema. Raises Unavailable until it is registered. Workers never register
        schemas."""
        if name in self._ids:
            return self._ids[name]
        answer = self._ask("POST", f"subjects/{quote(name, safe='')}", _payload(schema))
        if self._knows_not(answer):
            raise Unavailable(f"The registry does not have this version of the schema {name}; run `tidecast deploy`.")
        self._ids[name] = int(self._body(answer)["id"])
        return self._ids[name]

    def register(self, name: str, schema: Schema) -> int:
        """Register a schema under its name unless it is there, and return its id. Raises SchemaConflict when it is
        incompatible."""
        subject = f"subjects/{quote(name, safe='')}"
        answer = self._ask("POST", f"{subject}/versions", _payload(schema))
        if answer.status_code == 409:
            raise SchemaConflict(
                f"The schema {name} cannot replace its registered version: {_reason(answer)}; "
                "give new fields a default and keep the types of old ones."
            )
        if answer.status_code == 422:
            raise SchemaConflict(f"The registry does not accept the schema {name}: {_reason(answer)}.")
        self._ids[name] = int(self._body(answer)["id"])
        return self._ids[name]

    def adopt(self, name: str, schema: Schema) -> int:
        """Register a schema that has grown, and return its id, also where the level for later versions forbids it.

        The level stays as it is: it guards against what producers register. The caller has checked that records of all
        versions can be read."""
        try:
            return self.register(name, schema)
        except SchemaConflict:
            level = self._level(name)
            self.require(name, "BACKWARD_TRANSITIVE")
            try:
                return self.register(name, schema)
            finally:
                self.require(name, level)

    def _level(self, name: str) -> str:
        answer = self._ask("GET", f"config/{quote(name, safe='')}?defaultToGlobal=true")
        return str(self._body(answer)["compatibilityLevel"])

    def versions(self, name: str) -> list[Schema]:
        """Return all registered versions of a record's schema, oldest first."""
        subject = f"subjects/{quote(name, safe='')}"
        answer = self._ask("GET", f"{subject}/versions")
        if self._knows_not(answer):
            return []
        numbers = self._body(answer)
        return [
            json.loads(self._body(self._ask("GET", f"{subject}/versions/{number}"))["schema"]) for number in numbers
        ]

    def require(self, name: str, level: str = "FULL_TRANSITIVE") -> None:
        """Set the compatibility level under which the registry checks later versions of a record's schema."""
        answer = self._ask("PUT", f"config/{quote(name, safe='')}", {"compatibility": level})
        self._body(answer)

    def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"The schema registry at {self._address} does not answer ({type(error).__name__}); "
                "check that it runs and TIDECAST_REGISTRY."
            ) from error
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise Unavailable(
                f"The schema registry at {self._address} answered {answer.status_code}: {_reason(answer)}."
            )
        if answer.status_code in (401, 403):
            raise TidecastError(
                f"The schema registry at {self._address} refuses the credentials ({answer.status_code}); "
                "check TIDECAST_REGISTRY_USER and TIDECAST_REGISTRY_PASSWORD."
            )
        return answer

    def _knows_not(self, answer: httpx2.Response) -> bool:
        """Return whether the registry reports that the thing does not exist. Raises Unavailable for a 404 of another
        server, such as a proxy whose registry is starting."""
        if answer.status_code != 404:
            return False
        try:
            code = answer.json().get("error_code")
        except (ValueError, AttributeError):
            code = None
        if code not in UNKNOWN_CODES:
            raise Unavailable(self._is_no_registry(answer))
        return True

    def _body(self, answer: httpx2.Response) -> Any:
        """Return the JSON of a successful answer."""
        try:
            if answer.is_success:
                return answer.json()
        except ValueError:
            pass
        raise SettingError(self._is_no_registry(answer))

    def _is_no_registry(self, answer: httpx2.Response) -> str:
        return (
            f"{self._address} does not answer like a schema registry ({answer.status_code} on "
            f"{answer.request.url.path}); check TIDECAST_REGISTRY."
        )


def _payload(schema: Schema) -> dict[str, str]:
    return {"schema": json.dumps(schema), "schemaType": "AVRO"}


def _reason(answer: httpx2.Response) -> str:
    """Return the registry's message in one line."""
    try:
        text = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        text = answer.text
    text = " ".join(text.split()).rstrip(".")
    return text[:300] or "no reason given"
