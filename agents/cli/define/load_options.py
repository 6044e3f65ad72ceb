"""The options of `tidecast size`, and the load they describe."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import click

from agents.sizing.declared import assumptions, mixed, targets_of
from agents.sizing.load import LEAST, MOST, ArmLoad, Load, Prices, TargetLoad
from streams.features.window import duration_ms
from streams.usecases import load_use_case

EXAMPLES = Prices()
SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


class Number(click.ParamType):
    """A number option with an optional suffix k, M or G: 5000, 5k, 1.5M."""

    name = "number"

    def __init__(self, least: float = LEAST, most: float = MOST) -> None:
        """Accept values from `least` to `most`."""
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the text; see click.ParamType.convert."""
        if isinstance(value, str):
            found = re.fullmatch(r"([0-9_.+-]+(?:e[0-9+-]+)?)([kmg]?)", value.strip().lower())
            try:
                value = float(found[1]) * SUFFIXES[found[2]] if found else float("nan")
            except ValueError:
                value = float("nan")
        if not isinstance(value, int | float):
            value = float("nan")
        if not isfinite(value) or not self._least <= value <= self._most:
            self.fail(f"write a number from {self._least:g} to {self._most:g}, such as 0.5, 200 or 1.5M", param, ctx)
        return float(value)


SOME = Number()
NONE_OR_SOME = Number(0)
ONE_OR_MORE = Number(1)
SHARE = Number(0, 1)


def multiples(_context: click.Context, _option: click.Parameter, value: str | None) -> list[float]:
    """Parse `10,100` to numbers."""
    convert = Number(LEAST, 1e6).convert
    return [convert(part, None, None) for part in value.split(",")] if value else []


def mix_of(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, float]:
    """Parse `Call=0.8` to {"Call": 0.8}."""
    found = {}
    for value in values:
        event, equals, share = value.partition("=")
        if not equals or not event:
            raise click.BadParameter("write EVENT=SHARE, such as Complaint=0.01")
        found[event] = SHARE.convert(share, None, None)
    return found


def _option(name: str, kind: click.ParamType, default: Any, help: str) -> Callable[..., Any]:
    return click.option(name, type=kind, default=default, show_default=True, help=help)


def _options(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


COMING = _options(
    _option("--events", SOME, "1000", "Mean events per second."),
    _option("--peak", ONE_OR_MORE, "3", "Peak load as a multiple of the mean."),
    _option("--customers", SOME, "1M", "Customers ever seen."),
    _option("--active", Number(LEAST, 1), "0.5", "Share of customers that is active."),
    _option("--customer-days", SOME, "365", "Days since a customer's first event."),
    _option("--event-bytes", SOME, "84", "Bytes of an event in Avro."),
    _option("--hottest", SHARE, "0", "Share of the events that the busiest customer has."),
    _option("--features", click.IntRange(1, 10_000), 20, "Declared features."),
    _option("--tick", Number(0.001), "0.25", "Seconds from tick to tick of a partition."),
)
ASKED = _options(
    _option("--targets", click.IntRange(1, 16), 2, "Number of targets, all alike."),
    _option("--linear", click.IntRange(0, 100), 1, "Logistic or linear arms per target."),
    _option("--trees", click.IntRange(0, 100), 0, "Hoeffding trees per target."),
    _option("--forests", click.IntRange(0, 100), 0, "Forests per target."),
    _option("--forest-trees", click.IntRange(1, 1000), 10, "Trees of a forest."),
    _option("--naive", click.IntRange(0, 100), 1, "Baselines per target."),
    _option("--questions", NONE_OR_SOME, "0.1", "Questions per event and target."),
    _option("--schedule", NONE_OR_SOME, "0", "Questions per day, active customer and target."),
    _option("--observe", SHARE, "0.1", "Share of the questions that are observed."),
    _option("--horizon", SOME, "14", "Days until the outcome is known."),
    _option("--serve-every", ONE_OR_MORE, "1000", "Examples from one served version to the next."),
)
KEPT = _options(
    _option("--kafka-days", SOME, "30", "Days of Kafka's retention."),
    _option("--clickhouse-days", SOME, "365", "Days of history."),
    _option("--kafka-copies", click.IntRange(1, 10), 3, "Replication factor."),
    _option("--redis-copies", click.IntRange(1, 10), 2, "Master and replicas."),
    _option("--clickhouse-copies", click.IntRange(1, 10), 1, "Replicas."),
    _option("--consumers", NONE_OR_SOME, "1", "Readers of predictions besides Tidecast's own."),
    _option("--growth", ONE_OR_MORE, "4", "Growth that the partitions leave room for."),
)
MACHINES = _options(
    _option("--node-cores", SOME, "8", "Cores of a broker's or ClickHouse's machine."),
    _option("--node-disk-tb", SOME, "4", "Disk of such a machine, TB (10^12 bytes)."),
    _option("--redis-shard-gib", SOME, "16", "Data in one Redis."),
    _option("--cache-customers", click.IntRange(0), 50_000, "TIDECAST_CACHE_CUSTOMERS."),
    _option("--core-hour", NONE_OR_SOME, EXAMPLES.core_hour, "Price; the default is an example."),
    _option("--memory-gb-month", NONE_OR_SOME, EXAMPLES.memory_gb_month, "Price; the default is an example."),
    _option("--disk-gb-month", NONE_OR_SOME, EXAMPLES.disk_gb_month, "Price; the default is an example."),
)
BY_DECLARATION = (
    *("targets", "linear", "trees", "forests", "forest_trees", "naive", "questions", "schedule", "observe"),
    *("horizon", "serve_every", "features", "tick"),
)
"""Options that a use case replaces."""


def refuse_both(context: click.Context) -> None:
    """Raise a usage error when options contradict --use-case."""
    for name in BY_DECLARATION:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} and --use-case exclude each other.")


def alike(given: Mapping[str, Any]) -> tuple[TargetLoad, ...]:
    """Return the targets that the options describe."""
    arms = [ArmLoad(f"linear{n}", "linear") for n in range(given["linear"])]
    arms += [ArmLoad(f"tree{n}", "tree") for n in range(given["trees"])]
    arms += [ArmLoad(f"forest{n}", "forest_tree", given["forest_trees"]) for n in range(given["forests"])]
    arms += [ArmLoad(f"naive{n}", "naive") for n in range(given["naive"])]
    if not arms:
        raise click.UsageError("No arm answers: give at least one of --linear, --trees, --forests, --naive.")
    return tuple(
        TargetLoad(
            name=f"target{number}",
            arms=tuple(arms),
            questions_per_event=given["questions"],
            questions_per_customer_day=given["schedule"],
            observe=given["observe"],
            horizon_days=given["horizon"],
            features=given["features"],
            serve_every=given["serve_every"],
        )
        for number in range(given["targets"])
    )


def declared_load(given: Mapping[str, Any], ref: str, mix: Mapping[str, float]) -> tuple[Load, list[str]]:
    """Return the load of a use case, and the assumptions made."""
    declared = load_use_case(ref)
    targets = targets_of(declared, mixed(declared, mix))
    tick = duration_ms(declared.tick_every) / 1000  # the publisher of an external clock may tick at another interval
    return load_of(given, targets, len(declared.features), tick), assumptions(declared, mix)


def load_of(given: Mapping[str, Any], targets: tuple[TargetLoad, ...], features: int, tick: float) -> Load:
    """Return the load that the options describe, with these targets."""
    same = {name: given[name] for name in ("customer_days", "event_bytes", "consumers", "growth")}
    same |= {name: given[name] for name in ("kafka_days", "clickhouse_days")}
    same |= {name: given[name] for name in ("kafka_copies", "redis_copies", "clickhouse_copies")}
    return Load(
        events_per_s=given["events"],
        customers=given["customers"],
        targets=targets,
        peak_factor=given["peak"],
        active_share=given["active"],
        features=features,
        tick_seconds=tick,
        hottest_share=given["hottest"],
        **same,
    )
