"""The steps of `tidecast publish` around the files: which mapping, which checks, which pace."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from agents.cli.progress import bar
from agents.importing.checks.findings import Findings, look_at_gaps, look_at_ids, look_at_late, look_at_log
from agents.importing.checks.identities import Identities
from agents.importing.checks.log_scan import LogClock, compare_log, log_size
from agents.importing.collecting import PLACES, Source
from agents.importing.deployed import PublishedEvents
from agents.importing.in_step import InStep, log_news, refuse_idle
from agents.importing.mapping.mapping_file import RowMapping, read_mapping
from agents.importing.pace import FullSpeed, Pace, Rate, Speed
from agents.importing.publisher import EventPublisher
from agents.importing.report import Report
from agents.kafka.consumer_groups import members
from agents.settings import Settings, load_settings
from agents.stages import SCORING
from schemas.records import OUTCOME
from streams.avro.codec import Codec
from streams.errors import SettingError, TidecastError


def pairs(files: Sequence[Path], mappings: Sequence[Path]) -> list[tuple[Path, RowMapping]]:
    """Return each file with its mapping. One file may be read by several mappings."""
    plans = [read_mapping(mapping) for mapping in mappings]
    if len(plans) == 1:
        return [(file, plans[0]) for file in files]
    if len(files) == 1:
        return [(files[0], plan) for plan in plans]
    if len(files) != len(plans):
        raise click.UsageError(f"{len(files)} files and {len(plans)} mappings: give one mapping, or one for each file")
    return list(zip(files, plans, strict=True))


def look(
    settings: Settings | None,
    codec: Codec,
    known: PublishedEvents,
    sources: Sequence[Source],
    identities: Identities,
    log: LogClock,
    most_late: float,
) -> Findings:
    """Look at all records together, and at the log if there is one."""
    found = Findings()
    identities.sort()
    place = _placer(sources)
    look_at_ids(identities, place, found)
    if settings is not None:
        names = {OUTCOME, *known.schemas}
        with bar("comparing with the log", log_size(settings)) as advance:
            fallbacks = [source.fallback for source in sources]
            comparison = compare_log(settings, codec, names, identities, fallbacks, advance)
        look_at_log(identities, comparison, place, found)
    look_at_late(identities, log, most_late, found)
    if known.clock == "external":
        look_at_gaps(identities, log, place, found)
    return found


def _placer(sources: Sequence[Source]) -> Callable[[int], str]:
    def place(order: int) -> str:
        file = sources[order >> PLACES].file
        number = (order & ((1 << PLACES) - 1)) // 2
        return f"{file.path.name} {file.unit} {number}" if len(sources) > 1 else f"{file.unit} {number}"

    return place


def refuse_rejects(report: Report, most: float) -> None:
    """Raise TidecastError when more than a share (0 to 1) of a file is rejected, or all of it."""
    for file in report.files:
        if file.rejected == file.rows and file.rows:
            raise TidecastError(f"Not one of the {file.rows:,} rows of {file.path} fits its mapping; nothing was sent.")
        if file.rejected_share > most:
            raise TidecastError(
                f"{file.rejected_share:.1%} of {file.path} is rejected, and at most {most:.1%} may be: nothing was "
                "sent. Correct the file or the mapping, or raise --max-rejects to publish the rest."
            )


def needed(settings: Settings | None) -> Settings:
    """Return the settings, which are loaded now if they were not."""
    return settings if settings is not None else load_settings()


def pace_of(fast: bool, rate: float | None, speed: float | None, publisher: EventPublisher) -> Pace | None:
    """Return the pace that is asked for; None for that of the models."""
    if rate:
        return Rate(rate, publisher.poll)
    if speed:
        return Speed(speed, publisher.poll)
    return FullSpeed() if fast or not publisher.writes_ticks else None


@contextmanager
def in_step(settings: Settings, publisher: EventPublisher, log: LogClock) -> Iterator[InStep]:
    """Open a pace that follows the models, from the present end of the log. Raises TidecastError without workers."""
    refuse_idle(publisher.deployment, settings)
    with log_news(settings, publisher.deployment, publisher.codec, log.ticks) as news:
        yield InStep(news, publisher.flush, lambda: bool(members(settings, [SCORING.group])), _tell)


def _tell(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def rejects_file(path: Path) -> Iterator[IO[str]]:
    """Open the file for rejected rows. Raises SettingError when it cannot be written."""
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SettingError(
            f"{path} cannot be written ({error.strerror}); choose another file for --rejects."
        ) from error
    with file:
        yield file
