"""`tidecast late-events`: show events that arrived after the watermark had passed them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from agents.cli.options import decoded, newest, one_id, only, selection_options, show_value, to_json
from agents.cli.progress import bar
from agents.dead_letters.rejected import RejectedEvent, RejectedReader, RejectFilter, kind_of
from agents.formatting import as_json, moment, printable, span
from agents.kafka.log_reader import LogReader
from agents.kafka.schema_registry import HttpRegistry
from agents.settings import Settings, load_settings
from schemas.catalog import load_schemas
from schemas.records import LateEventRecord
from schemas.topics import LATE_EVENTS
from streams.avro.codec import Codec


@click.group()
def command() -> None:
    """Look at late events: events that were older than their partition's watermark when they arrived.

    They are kept (90 days in the topic, and in ClickHouse) and counted. They never change a feature, a prediction or
    a label. There is nothing to requeue: time does not go back, and an event sent again would be late again. If there
    are many, raise `allowed_lateness` of the use case and deploy it. That holds for later events; horizons then close
    later as well.

    \b
    tidecast late-events list --since 1d
    tidecast late-events show 1767225600.3.81233.0
    """


@command.command("list")
@click.option("--type", "kinds", multiple=True, metavar="NAME", help="Only of this event type, such as Purchase.")
@selection_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), metavar="N", help="Show the newest N.")
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
def list_them(kinds: tuple[str, ...], limit: int, plain: bool, **where: Any) -> None:
    """Count late events by type, with how late they were, and show the newest.

    \b
    tidecast late-events list
    tidecast late-events list --type Purchase --customer c-42 --since 7d
    """
    counts: Counter[str] = Counter()
    latest: dict[str, int] = {}

    def counted(found_events: Iterator[RejectedEvent]) -> Iterator[RejectedEvent]:
        for event in found_events:
            kind = kind_of(event)
            counts[kind] += 1
            latest[kind] = max(latest.get(kind, 0), _lateness(event))
            yield event

    selection = RejectFilter(kinds, **where)
    with _events(load_settings()) as events, bar("reading", events.records(selection)) as advance:
        found = newest(counted(events.read(selection, advance)), limit)
    if plain:
        late_by = {kind: latest[kind] for kind in counts}
        shown = {"counts": dict(counts.most_common()), "latest_by_ms": late_by, "events": [_brief(e) for e in found]}
        click.echo(as_json(shown))
        return
    click.echo(f"{counts.total():,} late events")
    for kind, count in counts.most_common():
        click.echo(f"  {kind:<16} {count:>10,}  by up to {span(latest[kind] / 1000)}")
    for event in found:
        brief = _brief(event)
        head = f"{event.id:<28} {brief['rejected_at']}  {brief['type']} of {brief['customer_id']} at "
        late = f"{brief['occurred_at']}, {span(_lateness(event) / 1000)} behind the watermark"
        click.echo(printable(head + late))


@command.command()
@one_id
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
def show(id: str, plain: bool) -> None:
    """Show late event ID whole, with its original bytes and fields.

    \b
    tidecast late-events show 1767225600.3.81233.0 --json
    """
    settings = load_settings()
    with _events(settings) as events, HttpRegistry(settings) as registry:
        event = only(events.read(RejectFilter(ids=frozenset((id,)))), id, "late-events")
        today = decoded(Codec(registry, load_schemas()).decode, event.value)
    if plain:
        click.echo(as_json(to_json(event, today)))
        return
    record = event.record
    click.echo(f"id          {event.id}\nplace       {event.place}\nrejected    {moment(event.at)}")
    click.echo(printable(f"event       {record['event_type']} {record['event_id']} of {record['customer_id']}"))
    click.echo(f"occurred    {moment(record['occurred_at'])}, {span(_lateness(event) / 1000)} behind the watermark")
    click.echo(f"watermark   {moment(record['watermark'])}")
    show_value(event.value, today)


@contextmanager
def _events(settings: Settings) -> Iterator[RejectedReader[LateEventRecord]]:
    with LogReader(settings) as reader, HttpRegistry(settings) as registry:
        yield RejectedReader(reader, Codec(registry, load_schemas()), LATE_EVENTS)


def _lateness(event: RejectedEvent) -> int:
    """Return how far the event lies behind the watermark, ms."""
    return event.record["watermark"] - event.record["occurred_at"]


def _brief(event: RejectedEvent) -> dict[str, Any]:
    record = event.record
    return {
        "id": event.id,
        "rejected_at": moment(event.at),
        "type": kind_of(event),
        "event_id": record["event_id"],
        "customer_id": record["customer_id"],
        "occurred_at": moment(record["occurred_at"]),
        "watermark": moment(record["watermark"]),
        "place": event.place,
    }
