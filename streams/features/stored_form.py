"""The stored form of customers' states. `unpack(pack(state)) == state` always holds.

It is msgpack of [fingerprint of the layout, clock, due, digests, registers, series]. digests: Digests.told; earlier
versions wrote one bytes object. Where a state keeps something else than the first features of its partition did, or
has gaps, [tiles, gaps] follows (streams.features.filled.Retained). A partition whose features never changed needs
neither."""

from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from streams.features.customer_state import BEFORE_ALL, CustomerState, Digests
from streams.features.feature import Tiles
from streams.features.filled import Gaps, Retained, left
from streams.features.layout import Layout, Moves, Registers


class StoredForm:
    """Packs the states of one layout, and unpacks those of any.

    retained: what states of this layout keep, as bytes. `first` in its methods is the `retained` of the partition's
    first features; b"" when they are the present ones."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fingerprint = layout.fingerprint
        self._tiles = [series.tiles for series in layout.series]
        self._whole = [self._tiles, None]
        self.retained: bytes = msgpack.packb([self._fingerprint, self._tiles])
        self._pack: Callable[[Any], bytes] = msgpack.Packer().pack
        self._moves: dict[bytes, Moves] = {}

    def pack(self, state: CustomerState, first: bytes = b"") -> bytes:
        """Return the stored form of a state."""
        told = (self._fingerprint, state.clock, state.due, state.digests.told(), state.registers, state.series)
        if state.gaps is None and (not first or first == self.retained):
            return self._pack(told)
        return self._pack((*told, [self._tiles, state.gaps]))

    def unpack(self, data: bytes, first: bytes = b"") -> CustomerState:
        """Parse what `pack` wrote, exactly. Of another layout, the cells that both have are kept."""
        parts = msgpack.unpackb(data, strict_map_key=False)
        ours = parts[6] == self._whole if len(parts) > 6 else (not first or first == self.retained)
        if not ours or parts[0] != self._fingerprint:
            return self._moved(first, *parts)
        return CustomerState(parts[5], parts[4], parts[1], Digests.parse(parts[3]), parts[2])

    def _moved(
        self,
        first: bytes,
        fingerprint: bytes,
        clock: int,
        due: dict[int, int],
        digests: list[bytes] | bytes,
        registers: Registers,
        series: list[Tiles],
        told: Sequence[Any] | None = None,
    ) -> CustomerState:
        """The state of a customer from other features, or with gaps."""
        before = self._kept_before(fingerprint, first)
        if told is not None:
            tiles, lacking = told
            before = Retained(tiles, lacking and Gaps(*lacking))
        moves = self._moves.get(fingerprint)
        if moves is None:
            moves = self._moves[fingerprint] = self._layout.moves_from(fingerprint)
        registers, series = self._layout.move(moves, registers, series, clock)
        gaps = None
        if clock != BEFORE_ALL:
            gaps = left(self._layout.gaps(moves, before, clock), self._layout.widths, registers, clock)
        return CustomerState(series, registers, clock, Digests.parse(digests), due, gaps)

    def _kept_before(self, fingerprint: bytes, first: bytes) -> Retained | None:
        """What the writer of a state kept that does not say so; None where nothing tells it."""
        written, tiles = msgpack.unpackb(first or self.retained)
        return Retained(tiles) if written == fingerprint else None
