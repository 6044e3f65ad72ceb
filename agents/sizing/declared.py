"""Derives a load from a use case: what its definitions say, and what must be assumed."""

from collections.abc import Mapping

from agents.sizing.constants import MODEL_KINDS
from agents.sizing.load import ArmLoad, TargetLoad
from streams.errors import SettingError
from streams.features.window import UNITS, duration_ms
from streams.models.arms import Arm
from streams.targets.declaration import Target
from streams.usecases import UseCase

DEFAULT_HORIZON_DAYS = 30.0
"""Assumed days until an outcome that is awaited for ever."""
DAY_MS = UNITS["d"]


def mixed(use_case: UseCase, given: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each event type; types not given share the rest equally. Raises SettingError for bad
    shares."""
    unknown = [event for event in given if event not in use_case.events]
    if unknown:
        known = ", ".join(use_case.events)
        raise SettingError(f"{use_case.name} has no event {unknown[0]!r}; it has {known}.")
    total = sum(given.values())
    rest = [event for event in use_case.events if event not in given]
    if total > 1 + 1e-9 or (not rest and total < 1 - 1e-9):
        raise SettingError(f"The shares of the events sum to {total:g}; they must sum to 1.")
    return {**dict.fromkeys(rest, max(0.0, 1 - total) / max(len(rest), 1)), **given}


def targets_of(use_case: UseCase, mix: Mapping[str, float]) -> tuple[TargetLoad, ...]:
    """Return the targets as declared, with events in the shares of `mix`."""
    return tuple(_target(use_case, target, mix) for target in use_case.targets)


def _target(use_case: UseCase, target: Target, mix: Mapping[str, float]) -> TargetLoad:
    ask, over = target.ask, target.outcome.horizon
    return TargetLoad(
        name=target.name,
        arms=tuple(_arm(arm) for arm in target.arms),
        questions_per_event=sum(mix[event] for event in ask.on),
        questions_per_customer_day=DAY_MS / duration_ms(ask.every) if ask.every else 0.0,
        only_active=ask.while_active is not None,
        observe=target.observe,
        horizon_days=duration_ms(over) / DAY_MS if over else DEFAULT_HORIZON_DAYS,
        features=len(target.features if target.features is not None else use_case.features),
        serve_every=target.serve_every,
    )


def _arm(arm: Arm) -> ArmLoad:
    model = arm.model
    if model.cost not in MODEL_KINDS:
        raise SettingError(
            f"Arm {arm.name!r}: {type(model).__name__} states the cost {model.cost!r}, which nobody has measured; "
            f"state one of {', '.join(MODEL_KINDS)}, or measure it and add its constants to agents/sizing/constants.py."
        )
    return ArmLoad(arm.name, model.cost, model.cost_units)


def assumptions(use_case: UseCase, given: Mapping[str, float]) -> list[str]:
    """Return the assumptions of the estimate that the definitions do not state, one sentence each."""
    notes = []
    asking = {event for target in use_case.targets for event in target.ask.on}
    guessed = sorted(asking - set(given)) if asking != set(use_case.events) else []
    if guessed:
        share = mixed(use_case, given)[guessed[0]]
        notes.append(
            f"{', '.join(guessed)} asks questions, and is assumed to be {share:.1%} of the events"
            f"{' each' if guessed[1:] else ''}: set the share with --mix {guessed[0]}=SHARE."
        )
    awaited = [t.name for t in use_case.targets if t.outcome.horizon is None]
    notes += [f"Outcomes of {name} are assumed to come within {DEFAULT_HORIZON_DAYS:g} days." for name in awaited]
    return notes
