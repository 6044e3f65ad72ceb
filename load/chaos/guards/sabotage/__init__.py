"""The guards of a worker and how to switch each off, a module per layer."""

from . import commit_script, history, marks, models, producer, runner, scoring
from .patch import Guard

GUARDS: dict[str, Guard] = {
    **commit_script.GUARDS,
    **scoring.GUARDS,
    **producer.GUARDS,
    **runner.GUARDS,
    **marks.GUARDS,
    **models.GUARDS,
    **history.GUARDS,
}
"""Name → guard."""
