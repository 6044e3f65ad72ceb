"""Checks whether any record of a writer can be read by another schema: by its values, where the schemas differ.

Schema resolution (schemas/compatibility) answers for all records of a writer at once. Here a schema is refused only
when none of its records fits, or when a number would be taken in another unit, which no value shows."""

from schemas.catalog import Schema, full_name
from schemas.compatibility import PROMOTIONS, Resolution, Side

NUMBERS = frozenset({"int", "long", "float", "double"})
TEXTS = frozenset({"string", "enum", "bytes"})
"""Types whose values fit one another as far as nothing is lost; a text fits an enum that has the symbol."""


def obstacles(reader: Schema, writer: Schema) -> list[str]:
    """Return why no record that `writer` wrote fits `reader`, one sentence each; empty when some may."""
    check = _Possible()
    check.compare(Side.of(reader), Side.of(writer), full_name(writer))
    return check.found


class _Possible(Resolution):
    def compare(self, reader: Side, writer: Side, place: str) -> None:
        reader, writer = reader.settle(), writer.settle()
        if writer.kind == "union":
            self._any([(reader, writer.at(branch)) for branch in writer.schema], place, reader.kind)
        elif reader.kind == "union":
            self._any([(reader.at(branch), writer) for branch in reader.schema], place, reader.kind)
        elif not self._units(reader, writer, place):
            self._kinds(reader, writer, place)

    def _kinds(self, reader: Side, writer: Side, place: str) -> None:
        kinds = {reader.kind, writer.kind}
        if len(kinds) == 1:
            self._same_kind(reader, writer, place)
        elif not (kinds <= NUMBERS or kinds <= TEXTS or reader.kind in PROMOTIONS.get(writer.kind, ())):
            self._say(place, f"the type {writer.kind} cannot be read as {reader.kind}")

    def _any(self, pairs: list[tuple[Side, Side]], place: str, wanted: str) -> None:
        """One pair must be possible, and none may differ in its unit: a value does not show where it comes from."""
        found = []
        for reader, writer in pairs:
            trial = _Possible()
            trial._seen = set(self._seen)
            trial.compare(reader, writer, place)
            found.append(trial)
        self.units += [text for trial in found for text in trial.units]
        if self.units:
            self.found += self.units
        elif all(trial.found for trial in found):
            kinds = ", ".join(dict.fromkeys(writer.settle().kind for _, writer in pairs))
            self._say(place, f"no value of {kinds} can be read as {wanted}")

    def _enums(self, reader: Side, writer: Side, place: str) -> None:
        if "default" not in reader.schema and set(reader.schema["symbols"]).isdisjoint(writer.schema["symbols"]):
            self._say(place, "the enums have no symbol in common")

    def _fixed(self, reader: Side, writer: Side, place: str) -> None:
        if reader.schema["size"] != writer.schema["size"]:
            self._say(place, "the fixed types differ in size")

    def _named_alike(self, reader: Side, writer: Side) -> bool:
        """Names are not compared: tools that copy schemas name the inner types anew."""
        return True
