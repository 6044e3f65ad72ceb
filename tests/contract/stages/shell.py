"""Run a stage as agents.runtime.stage_runner does, inject faults, and check its invariants."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from streams.errors import PositionConflict, SettingError, Unavailable
from streams.log import Output, TopicPartition
from tests.contract.stages.cases import Case, Logs

COMPUTED, PRODUCED, COMMITTED = POINTS = ("computed", "produced", "committed")
"""The points at which the work on a slice can be abandoned."""


class FailingStore:
    """A store whose writes fail at random, either before or after they take effect."""

    def __init__(self, case: Case, chance: random.Random, error: type[Exception]) -> None:
        self.store = case.new_store()
        self.failed = 0
        self._write = case.write
        self._chance = chance
        self._error = error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return self._failing(found) if name == self._write else found

    def _failing(self, write: Callable[..., None]) -> Callable[..., None]:
        def written(*arguments: Any, **named: Any) -> None:
            what = self._chance.random()
            if what > 0.1:
                write(*arguments, **named)
            if what < 0.2:
                self.failed += 1
                raise self._error("made up")

        return written


class Shell:
    """One worker. `outputs` holds the outputs of all workers."""

    def __init__(self, case: Case, store: Any, outputs: list[Output]) -> None:
        self._case = case
        self._store = store
        self._outputs = outputs
        self._starts: dict[TopicPartition, int] = {}
        self.start()

    def start(self) -> None:
        """Start with a new stage, as a new process does."""
        self._stage = self._case.stage(self._store)
        self.assign()

    def assign(self) -> None:
        """Assign all partitions again and continue where the stage says."""
        places = list(self._case.logs)
        assert all(map(self._stage.wants, places))
        starts = self._stage.assign(places)
        assert starts.keys() == set(places)
        _grow(self._starts, starts)
        self._next, self._told = dict(starts), dict(starts)

    def intact(self) -> bool:
        """Ask the stage, as between batches. An error of the store that does not pass means no."""
        try:
            return self._stage.intact()
        except SettingError:
            return False

    def rest(self) -> Logs:
        """Return the records that have not been read yet."""
        rest = {at: [r for r in records if r.offset >= self._next[at]] for at, records in self._case.logs.items()}
        return {at: records for at, records in rest.items() if records}

    def work(self, batch: Logs, gives_up: Callable[[str], bool] = lambda point: False) -> bool:
        """Process a batch. Return False when `gives_up` is true at one of POINTS. After an error, assign again."""
        try:
            for slice_ in self._stage.process(batch):
                if gives_up(COMPUTED):
                    return False
                self._outputs += slice_.outputs
                if gives_up(PRODUCED):
                    return False
                slice_.commit()
                assert all(offset <= batch[at][-1].offset + 1 for at, offset in slice_.positions.items())
                _grow(self._told, slice_.positions)
                if gives_up(COMMITTED):
                    return False
        except (PositionConflict, Unavailable):
            self.assign()
        else:
            self._next |= {at: records[-1].offset + 1 for at, records in batch.items()}
        return True


def _grow(known: dict[TopicPartition, int], found: Mapping[TopicPartition, int]) -> None:
    """Update the known positions. No position may move backwards."""
    assert all(offset >= known.get(at, 0) for at, offset in found.items()), (known, found)
    known |= found
