"""What is valid in targets and their models, and will mislead later. `tidecast check` shows it; it stops nothing."""

from collections.abc import Iterator, Sequence

from streams.features.fields import Problem
from streams.targets.declaration import Target


def target_cautions(targets: Sequence[Target]) -> Iterator[Problem]:
    """Return the cautions of valid targets, each with its remedy, in declared order."""
    for target in targets:
        place = f"target {target.name!r}"
        for setting, text in target.outcome.cautions():
            yield Problem(place, setting, text)
        for arm in target.arms:
            for setting, text in arm.model.cautions():
                yield Problem(f"{place}, arm {arm.name!r}", f"model.{setting}", text)
