"""Publishes sorted records in their order, with the ticks of an external clock."""

import time
from contextlib import suppress
from dataclasses import dataclass

from agents.importing.collecting import TELL_EVERY, Advance
from agents.importing.ordering import Sorter, TickAt, with_ticks
from agents.importing.pace import Pace
from agents.importing.publisher import EventPublisher
from agents.importing.report import Report


@dataclass(frozen=True, slots=True)
class Clock:
    """The ticks that a publication writes: one every `every` ms of event time, up to `until` after the last row."""

    every: int
    until: int | None = None


def deliver(
    sorter: Sorter, publisher: EventPublisher, pace: Pace, clock: Clock | None, report: Report, advance: Advance
) -> None:
    """Publish the sorter's records in order, with ticks if a clock is given. Flushes even when interrupted."""
    began = time.monotonic()
    items = with_ticks(sorter.messages(), clock.every, clock.until) if clock else sorter.messages()
    try:
        for number, item in enumerate(items, 1):
            pace.before(item.time)
            if isinstance(item, TickAt):
                publisher.tick(item.time, item.gap)
                pace.ticked(item.time)
                report.ticks += 1
            else:
                publisher.send(item.customer, item.value)
                report.first = item.time if report.first is None else report.first
                report.last = item.time
            if number % TELL_EVERY == 0:
                advance(TELL_EVERY)
        publisher.flush()
    except KeyboardInterrupt:
        with suppress(Exception):
            publisher.flush()
        raise
    finally:
        report.seconds = time.monotonic() - began
