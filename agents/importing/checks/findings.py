"""What a publication finds before it sends: facts to tell, and doubts that need a `--yes`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agents.formatting import moment, span
from agents.importing.checks.gaps import gaps_in
from agents.importing.checks.identities import Identities
from agents.importing.checks.log_scan import LogClock, LogComparison

SHOWN = 3
"""Examples in a sentence."""

Place = Callable[[int], str]
"""From the place of a record to its file and line in words."""


@dataclass(slots=True)
class Findings:
    """facts: sentences to tell. doubts: sentences for which nothing is sent without `--yes`."""

    facts: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def look_at_ids(identities: Identities, place: Place, found: Findings) -> None:
    """Tell records of the files that have the same id."""
    repeats = identities.repeats()
    if repeats.same:
        found.facts.append(f"{repeats.same:,} of the records repeat another one of the files exactly: one counts.")
    if repeats.other:
        pairs = [f"{place(first)} and {place(second)}" for first, second in repeats.examples[:SHOWN]]
        found.doubts.append(
            f"{repeats.other:,} of the records have the id of another one of the same customer and event, and other "
            f"contents ({'; '.join(pairs)}): the first of each counts, the others become dead letters. Name a column "
            "with unique ids (id = …), or leave the key out."
        )


def look_at_log(identities: Identities, comparison: LogComparison, place: Place, found: Findings) -> None:
    """Tell what the log has of the records already."""
    conflicts, published = sorted(comparison.conflicts), identities.published
    if conflicts:
        places = ", ".join(map(place, conflicts[:SHOWN]))
        found.doubts.append(
            f"{len(conflicts):,} of the records have an id under which another content was published before "
            f"({places}): what was published stays in force, these become dead letters. Give corrected records ids of "
            "their own."
        )
    if comparison.remapped:
        found.doubts.append(
            f"{comparison.remapped:,} records of the same rows were published before by another mapping, under other "
            "ids: published again they are further events. Start a new log (another TIDECAST_TOPIC_PREFIX) to correct "
            "a whole import."
        )
    if published:
        found.facts.append(f"{published:,} of the records were published before: they are dropped as duplicates.")


def look_at_late(identities: Identities, clock: LogClock, most_late: float, found: Findings) -> None:
    """Tell late events. most_late: share of the new records, 0 to 1, from which on they are a doubt."""
    late, new = identities.late, identities.new
    if late:
        text = (
            f"{late:,} of {new:,} new records are older than the watermark: the clock of the log stands at "
            f"{moment(clock.reached)} and does not go back, so that they are set aside as late events."
        )
        if late > most_late * new:
            found.doubts.append(f"{text} Publish older files first, into a new log (another TIDECAST_TOPIC_PREFIX).")
        else:
            found.facts.append(text)


def look_at_gaps(identities: Identities, clock: LogClock, place: Place, found: Findings) -> None:
    """Tell gaps in time, and records far from all others, which move an external clock."""
    gaps = gaps_in(identities.times(), clock.reached)
    for gap in gaps[:SHOWN]:
        length = span((gap.end - gap.start) / 1000)
        between = f"{moment(gap.start)} and {moment(gap.end)} ({length})"
        if gap.before and gap.is_far:
            count, time = gap.far
            which = "One record is" if count == 1 else f"{count:,} records are"
            found.doubts.append(
                f"{which} far from all others: nothing lies between {between}; see {place(identities.place_of(time))}. "
                "A wrong date moves the clock of the log for ever."
            )
        elif gap.before:
            found.doubts.append(
                f"Nothing lies between {between}: are rows missing? Every horizon inside closes as if nobody had done "
                "anything."
            )
        else:
            found.doubts.append(
                f"The log's clock stands at {moment(gap.start)}, and the first record comes {length} later: is a file "
                "missing? Every horizon between closes as if nobody had done anything."
            )
