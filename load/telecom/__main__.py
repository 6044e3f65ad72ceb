"""`python -m load.telecom`: publish the simulated telecom with an accelerated clock."""

import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

import click
from confluent_kafka import KafkaException, Producer

from load.lag import ScoringLag
from load.telecom.customers import DAY_MS, Telecom, TelecomEvent
from load.ticks import signed_tick, tick_key
from load.wire import Wire, prefixed, stack_addresses
from schemas.records import TICK

START_MS = 1_704_067_200_000
"""2024-01-01 UTC: day 0."""
TICKS_A_DAY = 12
TOPIC = "customer-events"


class TelecomPublisher:
    """Publishes events and ticks to customer-events at a pace."""

    def __init__(self, day_seconds: float, max_lag: int | None) -> None:
        stack = stack_addresses()
        self._wire = Wire(stack["registry"])
        self._key = tick_key(stack)
        self._topic = prefixed(TOPIC)
        self._producer = Producer(
            {
                "bootstrap.servers": stack["kafka"],
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 10,
                "log_level": 0,
            }
        )
        self._partitions = len(self._producer.list_topics(self._topic, 10).topics[self._topic].partitions)
        self._lag = None if max_lag is None else ScoringLag(stack["kafka"], self._topic, self._partitions, max_lag)
        self._day_seconds = day_seconds
        self._began = time.monotonic()
        self.events = 0

    def day(self, day: int, events: Sequence[TelecomEvent]) -> None:
        """Publish all events of a day with the ticks between them, spread over its real time.

        Waits while the lag of scoring is too large."""
        position = 0
        for part in range(1, TICKS_A_DAY + 1):
            reached = START_MS + day * DAY_MS + part * DAY_MS // TICKS_A_DAY
            while position < len(events) and events[position].time <= reached:
                self._publish(events[position])
                position += 1
            for partition in range(self._partitions):
                tick = signed_tick(reached, "load.telecom", self._key, partition)
                self._producer.produce(self._topic, self._wire.encode(TICK, tick), partition=partition)
            self._wait(self._began + (day + part / TICKS_A_DAY) * self._day_seconds)
            self._let_catch_up()

    def _let_catch_up(self) -> None:
        """Wait while the lag of scoring is too large. All later events are delayed by that time."""
        if self._lag is None or self._day_seconds == 0:
            return
        began = time.monotonic()
        while self._lag.is_too_large():
            self._producer.poll(0.1)
        waited = time.monotonic() - began
        if waited > 0.05:
            self._began += waited

    def flush(self) -> None:
        """Wait until Kafka has acked everything. Raises ClickException when it does not."""
        if self._producer.flush(30):
            raise click.ClickException("Kafka does not accept the events: is it running?")

    def _publish(self, event: TelecomEvent) -> None:
        record = {
            "event_id": f"e{self.events}",
            "customer_id": f"c-{event.customer}",
            "occurred_at": event.time,
            "source": "load.telecom",
            **event.fields,
        }
        value = self._wire.encode(f"telecom.{event.name}", record)
        while True:
            try:
                self._producer.produce(self._topic, value, record["customer_id"].encode())
                break
            except BufferError:
                self._producer.poll(0.1)
        self.events += 1

    def _wait(self, moment: float) -> None:
        self._producer.poll(0)
        while (ahead := moment - time.monotonic()) > 0.001:
            self._producer.poll(ahead)


@click.command()
@click.option("--customers", default=2000, show_default=True, type=click.IntRange(1), help="Customers at any one time.")
@click.option("--days", default=180, show_default=True, type=click.IntRange(1), help="Days to simulate.")
@click.option("--day-seconds", default=1.0, show_default=True, help="Seconds per day; 0 is full speed.")
@click.option("--campaign-day", type=int, help="First day of the competitor's campaign.  [default: the middle]")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same events.")
@click.option("--max-lag", type=click.IntRange(1), help="Wait while the lag of scoring is larger, in records.")
def main(
    customers: int, days: int, day_seconds: float, campaign_day: int | None, seed: int, max_lag: int | None
) -> None:
    """Publish a simulated telecom to the stack of the data folder (TIDECAST_DATA or ./.tidecast). Deploy telecom
    first.

    \b
    python -m load.telecom
    python -m load.telecom --customers 5000 --days 365 --day-seconds 0
    """
    signal.signal(signal.SIGTERM, _interrupt)
    campaign = days // 2 if campaign_day is None else campaign_day
    telecom = Telecom(customers, seed, campaign, START_MS)
    try:
        publisher = TelecomPublisher(day_seconds, max_lag)
    except (OSError, KafkaException) as error:
        raise click.ClickException(
            f"cannot start ({error}): run `tidecast stack up` and `tidecast deploy telecom`"
        ) from None
    done = 0
    try:
        for day in range(days):
            publisher.day(day, telecom.day(day))
            done = day + 1
    except KeyboardInterrupt:
        pass
    publisher.flush()
    click.echo(
        f"{done} days, {publisher.events} events of {telecom.customers} customers, {telecom.left} left"
        + (f", campaign from day {campaign}" if done > campaign else "")
    )
    sys.exit(0 if done == days else 130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
