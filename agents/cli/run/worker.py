"""`tidecast worker`: run the agents."""

import os

import click
import uvloop

from agents.runtime.hash_seed import fix_hashes
from agents.runtime.log_output import log_to_stderr
from agents.runtime.supervisor import Supervisor
from agents.settings import Settings, load_settings
from agents.stages import SCORING, STAGES, by_process
from streams.kernels import compiled


@click.command()
@click.argument("stages", nargs=-1, type=click.Choice(list(STAGES)))
@click.option("--use-case", envvar="TIDECAST_USE_CASE", help="Name or path; default: what was deployed last.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Scoring processes.")
@click.option("--health-port", type=click.IntRange(0, 65535), default=0, help="With --single; 0 takes a free one.")
@click.option("--single", is_flag=True, help="Run the stages in this very process, unsupervised.")
@click.option("--supervised", is_flag=True, hidden=True)
def command(
    stages: tuple[str, ...], use_case: str | None, processes: int, health_port: int, single: bool, supervised: bool
) -> None:
    """Run the agents: all STAGES, or the ones named, in supervised processes.

    Each process serves /livez, /readyz, /healthz and /metrics; its address stands in run/*.health of the data folder.
    Restart a worker by /livez only: the others are red while a server is away, which a restart does not mend.
    SIGTERM or ^C ends all gracefully, a second one at once.

    \b
    tidecast worker                                  # everything
    tidecast worker scoring --processes 2
    tidecast worker learning judging --use-case ./myshop
    tidecast worker scoring --single --health-port 9464   # one process, for containers
    """
    shared = by_process(stages or STAGES)
    chosen = tuple(row.name for rows in shared.values() for row in rows)
    settings = load_settings()
    if single:
        _run_here(settings, use_case, chosen, health_port, supervised)
        return
    from agents.fingerprint import running
    from agents.preflight import Moment, Severity, Situation, ask, refuse
    from agents.wiring import connect_system
    from streams.deployment import differences

    wiring = connect_system(settings, use_case)
    if any(STAGES[name].store.is_redis for name in chosen):
        _ = wiring.redis  # reached now: its error is this command's. (History waits for ClickHouse.)
    found = ask(Situation.of(wiring, Moment.START, chosen))
    refuse(found, Severity.STOPS)
    for finding in found:
        click.echo(f"Warning: {finding.text}", err=True)
    click.echo(f"{wiring.use_case.name}, deployment {wiring.deployment.deployment_id}: {', '.join(chosen)}", err=True)
    for warning in differences(wiring.deployment.fingerprint, running()):
        click.echo(f"Warning: {warning}", err=True)
    if SCORING.name in chosen and not compiled():
        click.echo("Scoring runs without its kernels, in Python alone: `tidecast compile` makes it faster.", err=True)
    groups: list[list[str]] = []
    for rows in shared.values():
        groups += [[row.name for row in rows]] * (processes if any(row.scaled for row in rows) else 1)
    chosen_case = ["--use-case", use_case] if use_case else []
    options = ["--single", "--supervised", *chosen_case]
    Supervisor([(", ".join(group), ["worker", *group, *options]) for group in groups]).run()


def _run_here(settings: Settings, use_case: str | None, names: tuple[str, ...], port: int, supervised: bool) -> None:
    fix_hashes()
    log_to_stderr(os.environ.get("TIDECAST_LOG_LEVEL", "WARNING"), "-".join(names))
    from agents.runtime.worker import run_worker

    uvloop.run(run_worker(settings, use_case, names, port, supervised))
