"""`tidecast dead-letters`: show records that could not be processed, and send them again."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from agents.cli.options import decoded, newest, one_id, only, selection_options, several_ids, show_value, to_json
from agents.cli.progress import bar
from agents.dead_letters.rejected import RejectedLetter, RejectedReader, RejectFilter, key_text, kind_of
from agents.dead_letters.requeue import SENDABLE, SENDABLE_BY_FORCE, Requeuer, previews
from agents.dead_letters.requeue_preview import RequeueCheck, RequeueOutcome
from agents.formatting import as_json, moment, printable
from agents.kafka.log_reader import LogReader
from agents.kafka.schema_registry import HttpRegistry
from agents.kafka.topics import required_deployment
from agents.settings import Settings, load_settings
from schemas.catalog import load_schemas
from schemas.records import DeadLetterRecord
from schemas.topics import CUSTOMER_EVENTS, DEAD_LETTERS
from streams.avro.codec import Codec
from streams.errors import DeadReason, SettingError

OUTCOMES = {
    RequeueOutcome.FINE: "would be accepted, or dropped as a duplicate",
    RequeueOutcome.LATE: "would be a late event: kept, but it changes no state",
    RequeueOutcome.AGAIN: "would be a dead letter again",
    RequeueOutcome.CONTROL: "is a control record, or claims to be one",
    RequeueOutcome.NOTHING: "contains no record",
}
HARMLESS = "Events that were accepted before are dropped by their id, as long as it is among their customer's last 256."
REASONS = [reason.value for reason in DeadReason]
reasons = click.option(
    "--reason",
    "kinds",
    multiple=True,
    type=click.Choice(REASONS),
    metavar="REASON",
    help=f"Only for this reason (may be repeated): {', '.join(REASONS)}.",
)


@click.group()
def command() -> None:
    """Look at dead letters, the records that could not be processed, and send them again.

    A dead letter keeps the original bytes, key, time and place, the reason and the remedy. The topic keeps them for
    90 days.

    \b
    tidecast dead-letters list --since 2h
    tidecast dead-letters show 1767225600.3.81233.0
    tidecast dead-letters requeue --reason unknown_schema --since 1d
    """


@command.command("list")
@reasons
@selection_options
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), metavar="N", help="Show the newest N.")
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
def list_them(kinds: tuple[str, ...], limit: int, plain: bool, **where: Any) -> None:
    """Count dead letters by reason, and show the newest.

    Requeued dead letters stay in the list: a dead letter is a fact. In customer-events, the header
    tidecast-requeued of a record that was sent again names the dead letter.

    \b
    tidecast dead-letters list
    tidecast dead-letters list --reason wrong_key --since 2026-03-01T06:00 --until 2h --limit 100
    tidecast dead-letters list --json | jq .counts
    """
    counts: Counter[str] = Counter()

    def counted(found_letters: Iterator[RejectedLetter]) -> Iterator[RejectedLetter]:
        for letter in found_letters:
            counts[kind_of(letter)] += 1
            yield letter

    selection = RejectFilter(kinds, **where)
    with _letters(load_settings()) as letters, bar("reading", letters.records(selection)) as advance:
        found = newest(counted(letters.read(selection, advance)), limit)
    if plain:
        click.echo(as_json({"counts": dict(counts.most_common()), "letters": [_brief(letter) for letter in found]}))
        return
    click.echo(f"{counts.total():,} dead letters")
    for reason, count in counts.most_common():
        click.echo(f"  {reason:<16} {count:>10,}")
    for letter in found:
        brief = _brief(letter)
        head = f"{letter.id:<28} {brief['rejected_at']}  {brief['reason']:<16} {brief['size']:>8,} B  {brief['key']}"
        click.echo(f"{printable(head)}\n    {printable(brief['detail'])}")


@command.command()
@one_id
@click.option("--json", "plain", is_flag=True, help="One JSON object.")
def show(id: str, plain: bool) -> None:
    """Show dead letter ID whole: its bytes, and what they decode to by today's registry.

    \b
    tidecast dead-letters show 1767225600.3.81233.0
    tidecast dead-letters show 1767225600.3.81233.0 --json | jq -r .value.base64 | base64 -d
    """
    settings = load_settings()
    with _letters(settings) as letters, HttpRegistry(settings) as registry:
        letter = only(letters.read(RejectFilter(ids=frozenset((id,)))), id, "dead-letters")
        today = decoded(Codec(registry, load_schemas()).decode, letter.value)
    if plain:
        click.echo(as_json(to_json(letter, today)))
        return
    record = letter.record
    click.echo(f"id          {letter.id}\nplace       {letter.place}")
    click.echo(f"sent        {moment(record['timestamp'])}\nrejected    {moment(letter.at)}")
    click.echo(f"reason      {record['reason']}: {printable(record['detail'])}")
    click.echo(
        f"key         {printable(key_text(record['key']))}" + (f" (0x{record['key'].hex()})" if record["key"] else "")
    )
    show_value(letter.value, today)


@command.command()
@several_ids
@reasons
@selection_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N, partition by partition, oldest first.")
@click.option("--force", is_flag=True, help="Send also records that would fail again, and control records.")
@click.option("--dry-run", is_flag=True, help="Show what would become of them; send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def requeue(
    ids: tuple[str, ...],
    kinds: tuple[str, ...],
    limit: int | None,
    force: bool,
    dry_run: bool,
    yes: bool,
    **where: Any,
) -> None:
    """Send dead letters again.

    They go to customer-events with their original bytes and key, into the partition of the key.

    Each is first checked against the deployment in force, today's registry and the time that its partition has
    reached. A record that would certainly be a dead letter again is not sent. One that is older than the watermark by
    now becomes a late event. Requeueing twice is harmless for records with an id: the second one is dropped as a
    duplicate, as long as the id is among the customer's last 256.

    Exit code 0 when done, 1 when Kafka, Redis or the registry is away, an id is unknown, or you say no.

    \b
    tidecast dead-letters requeue --reason unknown_schema --since 1d --dry-run
    tidecast dead-letters requeue --reason unknown_schema --since 1d
    tidecast dead-letters requeue 1767225600.3.81233.0 1767225600.3.81240.0 --yes
    """
    if ids and limit is not None:
        raise click.UsageError("give either ids, or --limit with a selection: --reason, --since, --customer …")
    settings = load_settings()
    selection = RejectFilter(kinds, ids=frozenset(ids), **where)
    with _letters(settings) as letters, HttpRegistry(settings) as registry:
        check = RequeueCheck.now(settings, required_deployment(settings), registry)
        outcomes = _survey(letters, selection, check, limit)
        _refuse_unknown(ids, sum(outcomes.values()))
        sendable = sum(
            count for outcome, count in outcomes.items() if outcome in (SENDABLE_BY_FORCE if force else SENDABLE)
        )
        if dry_run or not sendable:
            click.echo(f"{sendable:,} would be sent." if dry_run else "There is nothing to send.")
            return
        if not yes:
            click.confirm(f"Send {sendable:,} to {settings.topic(CUSTOMER_EVENTS)}? {HARMLESS}", abort=True)
        with bar("sending", sum(outcomes.values())) as advance:
            requeuer = Requeuer(settings, SENDABLE_BY_FORCE if force else SENDABLE)
            with requeuer:
                requeuer.send(previews(letters.read(selection), check, limit), advance)
    sent = sum(count for outcome, count in requeuer.counts.items() if outcome in requeuer.outcomes)
    click.echo(f"{sent:,} sent, {requeuer.counts.total() - sent:,} left out.")


def _survey(
    letters: RejectedReader[DeadLetterRecord], selection: RejectFilter, check: RequeueCheck, limit: int | None
) -> Counter[RequeueOutcome]:
    """Count the expected outcomes and print them."""
    counts: Counter[tuple[RequeueOutcome, str]] = Counter()
    examples: dict[tuple[RequeueOutcome, str], str] = {}
    with bar("judging", letters.records(selection)) as advance:
        for letter, preview in previews(letters.read(selection, advance), check, limit):
            kind = (preview.outcome, kind_of(letter))
            counts[kind] += 1
            examples.setdefault(kind, f"{letter.id}: {preview.why}" if preview.why else "")
    click.echo(f"{counts.total():,} dead letters")
    for (outcome, reason), count in counts.most_common():
        click.echo(f"  {count:>10,} {reason:<16} {OUTCOMES[outcome]}")
        if outcome is not RequeueOutcome.FINE:
            click.echo(f"             for example {examples[outcome, reason]}")
    outcomes: Counter[RequeueOutcome] = Counter()
    for (outcome, _), count in counts.items():
        outcomes[outcome] += count
    return outcomes


def _refuse_unknown(ids: tuple[str, ...], found: int) -> None:
    missing = len(set(ids)) - found
    if ids and missing > 0:
        raise SettingError(
            f"{missing} of {len(set(ids))} ids were not found, or are excluded by the other options; nothing was sent."
        )


@contextmanager
def _letters(settings: Settings) -> Iterator[RejectedReader[DeadLetterRecord]]:
    with LogReader(settings) as reader, HttpRegistry(settings) as registry:
        yield RejectedReader(reader, Codec(registry, load_schemas()), DEAD_LETTERS)


def _brief(letter: RejectedLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "rejected_at": moment(letter.at),
        "reason": letter.record["reason"],
        "detail": letter.record["detail"],
        "key": key_text(letter.record["key"]),
        "size": len(letter.value or b""),
        "place": letter.place,
    }
