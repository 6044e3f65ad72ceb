"""`tidecast demo`: show the whole system at work, in some minutes."""

import signal
import sys
from pathlib import Path
from types import FrameType

import click
from rich.console import Console


@click.command()
@click.option("--minutes", default=3.5, show_default=True, type=click.FloatRange(0.5), help="Minutes for the 160 days.")
@click.option("--keep", is_flag=True, help="Leave servers and workers running at the end.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".tidecast/demo"),
    show_default=True,
    help="Folder of the demo's own servers; data of an earlier demo in it is removed.",
)
def command(minutes: float, keep: bool, data: Path) -> None:
    """Run a simulated telecom: events, predictions, models that learn, a campaign that changes who leaves, alerts.

    The demo starts its own servers in its own folder, ends by itself after about five minutes, and says what was
    seen. Without a terminal it prints plain lines. Exit code 0 when everything it promises was seen.

    \b
    tidecast demo
    tidecast demo --minutes 10 --keep
    """
    from agents.demo.run import Demo, look_further, outcome

    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(width=None if sys.stdout.isatty() else 200)
    folder = data.expanduser().resolve()
    demo = Demo(folder, minutes, console)
    kept = False
    try:
        closing = demo.run()
        text = outcome(closing)
        kept = keep
    except KeyboardInterrupt:
        click.echo("Interrupted: stopping everything that was started.", err=True)
        sys.exit(130)
    finally:
        demo.end(kept)
    click.echo(f"\n{text}\n")
    customer = closing.story.latest[-1]["customer_id"]
    click.echo(look_further(folder, kept, demo.worker_pid(), customer))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
