"""What very many customers, or one customer with very many events, do to a worker's memory and to Redis.

The reference job on a stack of its own: events spread over so many customers, in turn, one second apart in all."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from load.bench.figures import environment
from load.bench.parts.many_customers import measure
from load.bench.system import BenchSystem, servers


@click.command()
@click.option("--customers", default=100_000, show_default=True, type=click.IntRange(1), help="Different customers.")
@click.option("--events", default=None, type=click.IntRange(1), help="Default: one for each customer.")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(customers: int, events: int | None, partitions: int, file: Path | None) -> None:
    """How much memory a worker and Redis need for that many customers, or for one with that many events.

    Starts its own servers. Prints a table, and JSON with the environment.

    \b
    python -m load.hostile --customers 2000000
    python -m load.hostile --customers 1 --events 1000000
    """
    with servers():
        figures = measure(BenchSystem(partitions), customers, events or customers)
    for name, value in asdict(figures).items():
        click.echo(f"{name.replace('_', ' '):26} {value:>14,}")
    told = json.dumps({"figures": asdict(figures), "environment": environment()})
    click.echo(told)
    if file is not None:
        file.write_text(told + "\n")


if __name__ == "__main__":
    main()
