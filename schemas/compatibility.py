"""Checks whether records written by one schema can be read by another: Avro specification, "Schema Resolution".

It is stricter than the specification in two points. Every branch of a writer's union must be readable, not only those
that occur. And logical types must be the same: a reader of milliseconds would take microseconds for them."""

from typing import Any, ClassVar

from schemas.catalog import Schema, full_name

PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}
"""Writer's primitive type → the reader's types that widen it."""


def problems(reader: Schema, writer: Schema) -> list[str]:
    """Return why `reader` cannot read what `writer` wrote, one sentence each; empty when it can."""
    check = Resolution()
    check.compare(Side.of(reader), Side.of(writer), full_name(writer))
    return check.found


def change_problems(new: Schema, old: Schema) -> list[str]:
    """Return why `new` cannot replace `old`, both ways: new reads old records, and old reads new ones."""
    return [
        *(f"records written before would be unreadable: {text}" for text in problems(new, old)),
        *(f"readers not yet upgraded would fail: {text}" for text in problems(old, new)),
    ]


def growth_problems(new: Schema, old: Schema) -> list[str]:
    """Return why records of `old`, which are kept, would be unreadable or lose something by `new`; empty when `new` has
    only grown. Producers and readers of `old` may stay: what they cannot write is missing, and has a default."""
    check = _Growth()
    check.compare(Side.of(new), Side.of(old), full_name(old))
    return check.found


class Side:
    """A type at a place in a schema, with the named types that are known there."""

    def __init__(self, schema: Any, namespace: str, names: dict[str, "Side"]) -> None:
        self.schema = schema
        self.namespace = namespace
        self.names = names

    @classmethod
    def of(cls, schema: Any) -> "Side":
        """Return the top of a schema."""
        side = cls(schema, "", {})
        side.declare()
        return side

    def at(self, schema: Any) -> "Side":
        """Return a type inside this one."""
        return Side(schema, self.namespace, self.names)

    def declare(self) -> None:
        """Register all named types at and below this place."""
        if isinstance(self.schema, list):
            for branch in self.schema:
                self.at(branch).declare()
        elif isinstance(self.schema, dict):
            kind = self.schema["type"]
            inside = self
            if kind in ("record", "enum", "fixed"):
                name = full_name({"namespace": self.namespace, **self.schema})
                inside = Side(self.schema, name.rpartition(".")[0], self.names)
                self.names[name] = inside
            for part in _parts(self.schema):
                inside.at(part).declare()

    def settle(self) -> "Side":
        """Return the type with a name replaced by its declaration, and `{"type": "long"}` by its content."""
        if isinstance(self.schema, str):
            for name in (f"{self.namespace}.{self.schema}", self.schema):
                if name in self.names:
                    return self.names[name]
        elif isinstance(self.schema, dict):
            kind = self.schema["type"]
            if isinstance(kind, dict | list):
                return self.at(kind).settle()
            if kind in ("record", "enum", "fixed"):
                return self.names[full_name({"namespace": self.namespace, **self.schema})]
        return self

    @property
    def kind(self) -> str:
        """The name of the type, or union."""
        if isinstance(self.schema, list):
            return "union"
        return str(self.schema["type"] if isinstance(self.schema, dict) else self.schema)

    @property
    def logical(self) -> str | None:
        """The unit of a value: its logical type; a decimal's scale belongs to it."""
        found = self.schema.get("logicalType") if isinstance(self.schema, dict) else None
        return f"decimal of scale {self.schema.get('scale', 0)}" if found == "decimal" else found

    @property
    def short(self) -> str:
        """The name of a declared type without its namespace."""
        return str(self.schema["name"]).rpartition(".")[2]


def _parts(schema: Schema) -> list[Any]:
    """Yield the types directly inside a type."""
    inner = [schema[key] for key in ("items", "values") if key in schema]
    inner += [field["type"] for field in schema.get("fields", ())]
    if isinstance(schema["type"], dict | list):
        inner.append(schema["type"])
    return inner


class Resolution:
    """Collects problems. Each pair of named types is compared once. `units`: those that are about units.

    widens: writer's type → the reader's types that take its values."""

    widens: ClassVar[dict[str, set[str]]] = PROMOTIONS

    def __init__(self) -> None:
        self.found: list[str] = []
        self.units: list[str] = []
        self._seen: set[tuple[int, int]] = set()

    def compare(self, reader: Side, writer: Side, place: str) -> None:
        """Add what keeps `reader` from reading what `writer` wrote at this place."""
        reader, writer = reader.settle(), writer.settle()
        if writer.kind == "union":
            for branch in writer.schema:
                self.compare(reader, writer.at(branch), place)
        elif reader.kind == "union":
            if not any(self._fits(reader.at(branch), writer) for branch in reader.schema):
                self._say(place, f"no branch of the reader's union accepts {writer.kind}")
        elif self._units(reader, writer, place):
            return
        elif reader.kind != writer.kind:
            if reader.kind not in self.widens.get(writer.kind, ()):
                self._say(place, f"the type {writer.kind} cannot be read as {reader.kind}")
        else:
            self._same_kind(reader, writer, place)

    def _units(self, reader: Side, writer: Side, place: str) -> bool:
        """Say and return whether the logical types differ."""
        if not reader.logical or not writer.logical or reader.logical == writer.logical:
            return False
        self._say(place, f"{writer.logical} would be taken for {reader.logical}")
        self.units.append(self.found[-1])
        return True

    def _same_kind(self, reader: Side, writer: Side, place: str) -> None:
        if reader.kind == "record":
            if (id(reader.schema), id(writer.schema)) not in self._seen:
                self._seen.add((id(reader.schema), id(writer.schema)))
                self._records(reader, writer, place)
        elif reader.kind == "enum":
            self._enums(reader, writer, place)
        elif reader.kind == "fixed":
            self._fixed(reader, writer, place)
        elif reader.kind in ("array", "map"):
            key = "items" if reader.kind == "array" else "values"
            self.compare(reader.at(reader.schema[key]), writer.at(writer.schema[key]), f"{place}[]")

    def _records(self, reader: Side, writer: Side, place: str) -> None:
        if not self._named_alike(reader, writer):
            self._say(place, f"the record {writer.short} is not {reader.short}")
            return
        written = {field["name"]: field for field in writer.schema["fields"]}
        for field in reader.schema["fields"]:
            names = [field["name"], *field.get("aliases", ())]
            source = next((written[name] for name in names if name in written), None)
            if source is not None:
                self.compare(reader.at(field["type"]), writer.at(source["type"]), f"{place}.{field['name']}")
            elif "default" not in field:
                self._say(f"{place}.{field['name']}", "the writer lacks the field and the reader has no default")

    def _enums(self, reader: Side, writer: Side, place: str) -> None:
        known = set(reader.schema["symbols"])
        missing = [symbol for symbol in writer.schema["symbols"] if symbol not in known]
        if not self._named_alike(reader, writer):
            self._say(place, f"the enum {writer.short} is not {reader.short}")
        elif missing and "default" not in reader.schema:
            self._say(place, f"the reader's enum lacks {', '.join(missing[:10])} and has no default")

    def _fixed(self, reader: Side, writer: Side, place: str) -> None:
        if reader.schema["size"] != writer.schema["size"] or not self._named_alike(reader, writer):
            self._say(place, "the fixed types differ in name or size")

    def _fits(self, reader: Side, writer: Side) -> bool:
        trial = type(self)()
        trial._seen = set(self._seen)
        trial.compare(reader, writer, "")
        return not trial.found

    def _named_alike(self, reader: Side, writer: Side) -> bool:
        aliases = {str(alias).rpartition(".")[2] for alias in reader.schema.get("aliases", ())}
        return writer.short == reader.short or writer.short in aliases

    def _say(self, place: str, text: str) -> None:
        self.found.append(f"{place}: {text}.")


class _Growth(Resolution):
    """Also says what the writer's schema has and the reader's does not, and where a number would be rounded."""

    widens: ClassVar = {"int": {"long", "double"}, "float": {"double"}}

    def _records(self, reader: Side, writer: Side, place: str) -> None:
        super()._records(reader, writer, place)
        known = {name for field in reader.schema["fields"] for name in (field["name"], *field.get("aliases", ()))}
        for field in writer.schema["fields"]:
            if field["name"] not in known and "default" not in field:
                self._say(f"{place}.{field['name']}", "the field is gone, and records have it")

    def _enums(self, reader: Side, writer: Side, place: str) -> None:
        known = set(reader.schema["symbols"])
        gone = [symbol for symbol in writer.schema["symbols"] if symbol not in known]
        if not self._named_alike(reader, writer):
            self._say(place, f"the enum {writer.short} is not {reader.short}")
        elif gone:
            self._say(place, f"the enum lacks {', '.join(gone[:10])}, and records have it")
