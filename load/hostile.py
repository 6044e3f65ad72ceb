"""Memory of a worker and of Redis under very many customers, or under one customer with very many events.

Runs the reference job on servers of its own. Events go to the customers in turn; a whole round takes one second of
event time."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from load.bench.figures import environment
from load.bench.parts.many_customers import measure
from load.bench.system import BenchSystem, servers


@click.command()
@click.option("--customers", default=100_000, show_default=True, type=click.IntRange(1), help="Different customers.")
@click.option("--events", default=None, type=click.IntRange(1), help="Events in all.  [default: one per customer]")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64), help="Partitions per topic.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also write the figures to this file.")
def main(customers: int, events: int | None, partitions: int, file: Path | None) -> None:
    """Measure the memory of a worker and of Redis for many customers, or for one customer with many events.

    Starts servers of its own. Prints a table, then the figures and the environment as JSON.

    \b
    python -m load.hostile --customers 2000000
    python -m load.hostile --customers 1 --events 1000000
    """
    with servers():
        figures = measure(BenchSystem(partitions), customers, events or customers)
    for name, value in asdict(figures).items():
        click.echo(f"{name.replace('_', ' '):26} {value:>14,}")
    text = json.dumps({"figures": asdict(figures), "environment": environment()})
    click.echo(text)
    if file is not None:
        file.write_text(text + "\n")


if __name__ == "__main__":
    main()
