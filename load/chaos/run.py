"""One run: start the system, let events flow under faults, wait until it is caught up, compare."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from load.chaos.expected import ON_THE_WALL, plan_without
from load.chaos.faults.inject import inject
from load.chaos.plan import Fault, plan, plan_on_the_wall
from load.chaos.publisher import ChaosPublisher
from load.chaos.reader import ChaosReader
from load.chaos.system import PARTITIONS, SERVE_EVERY, TARGETS, ChaosSystem
from load.chaos.workers import SCORERS
from load.stages import names

MAX_FAULTS = 3
"""Faults at the same time."""
CATCH_UP_S = 240.0
CHECK_EVERY_S = 2.0
TICKING_LAG = 100
"""Most records that a stage has left in a partition while workers write ticks all the time."""
Say = Callable[[str], None]
_running: list[ChaosSystem] = []
_aborted = threading.Event()


@dataclass
class ChaosReport:
    """The result of a run.

    differences: empty when an undisturbed replay gives the same and all events are accounted for. silence: longest
    time without a prediction while events flowed, s. catch_up: from the end of all faults until the system was idle,
    s. failed: the servers did not start, so the run shows nothing."""

    seed: int
    without: str = ""
    transactions: bool = False
    faults: list[str] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)
    events: int = 0
    predictions: int = 0
    repeated: int = 0
    recoveries: int = 0
    rebuilds: int = 0
    silence: float = 0.0
    catch_up: float = 0.0
    seconds: float = 0.0
    compared: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    folder: str = ""
    failed: bool = False

    @property
    def line(self) -> str:
        """The run in one line."""
        verdict = "FAILED: " if self.failed else "DIFFERENT: "
        verdict = verdict + self.differences[0].splitlines()[0] if self.differences else "identical"
        return (
            f"seed {self.seed:>3}: {len(self.faults)} faults, {len(self.hits)} at fail points, "
            f"{self.events:,} events, "
            f"{self.predictions:,} predictions ({self.repeated:,} sent twice), {self.recoveries} recoveries, "
            f"longest silence {self.silence:.1f} s, caught up in {self.catch_up:.0f} s, {verdict}"
        )


@dataclass(frozen=True)
class ChaosOptions:
    """The options of a run.

    seconds: length of the event stream. rate: messages per second. without: guards to switch off; the first one
    decides which faults are injected."""

    seed: int
    seconds: float = 120.0
    rate: float = 50.0
    without: tuple[str, ...] = ()
    transactions: bool = False
    wall: bool = False
    keep: bool = False


def run(options: ChaosOptions, say: Say) -> ChaosReport:
    """Run everything in a folder of its own, which is kept when something differs. Odd seeds run without a cache."""
    if _aborted.is_set():  # another run, while the first ones are being ended
        return ChaosReport(options.seed, differences=["the run was aborted"], failed=True)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"tidecast-chaos-{options.seed}-"))
    report = ChaosReport(options.seed, ",".join(options.without), options.transactions, folder=str(folder))
    settings = {"TIDECAST_TRANSACTIONS": "true"} if options.transactions else {}
    if options.seed % 2:
        settings["TIDECAST_CACHE_CUSTOMERS"] = "0"
    wall = options.wall or bool(ON_THE_WALL & set(options.without))
    system = ChaosSystem(folder, settings, options.without, wall)
    _running.append(system)
    report.failed = True
    try:
        system.start()
        report.failed = False
        _flow(system, options, report, say)
    except Exception as error:
        report.differences.append(f"the run itself failed: {type(error).__name__}: {error}")
    finally:
        _running.remove(system)
        report.seconds = round(time.monotonic() - began, 1)
        keep = options.keep or bool(report.differences)
        system.end(wipe=not keep)
        (folder / "report.json").write_text(json.dumps(asdict(report), indent=1))
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
            report.folder = ""
    return report


def abort() -> None:
    """End all current runs at once and remove their folders."""
    _aborted.set()
    for system in _running.copy():
        system.abort()
        shutil.rmtree(system.folder, ignore_errors=True)


def _flow(system: ChaosSystem, options: ChaosOptions, report: ChaosReport, say: Say) -> None:
    stack = system.servers.stack
    marks = not options.transactions and "reader-marks" not in options.without
    reader = ChaosReader(stack, system.models, PARTITIONS, len(TARGETS), marks)
    pace = (options.seed, options.rate, options.seconds)
    publisher = ChaosPublisher(stack, PARTITIONS, *pace, hushed=system.hushed, wall=system.wall)
    faults = plan_without(options.without[0], options.seconds) if options.without else None
    if faults is None:
        planned = plan_on_the_wall if system.wall else plan
        faults = planned(options.seed, options.seconds, system.fail_points())
    reader.start()
    system.wait_ready()
    say(f"seed {options.seed}: {len(faults)} faults in {options.seconds:.0f} s")
    publisher.start()
    _inject_all(system, faults, report, say, options.seconds)
    publisher.join()
    published = time.time()
    system.heal()
    report.hits = system.hits
    report.differences += system.silent
    report.catch_up = wait_until_caught_up(system, reader, report)
    if report.differences or system.workers.failures:
        report.differences += system.workers.failures
        return
    conclude(system, publisher, reader, report)
    report.silence = round(reader.silence(published), 1)


def conclude(system: ChaosSystem, publisher: ChaosPublisher, reader: ChaosReader, report: ChaosReport) -> None:
    """End the workers, and compare what was published, read and stored with each other and with an undisturbed
    replay."""
    if system.wall:  # its ticks are work for the others
        for name in SCORERS:
            system.workers.want(name, False)
        report.differences += _left(system, _lags)
    status = system.status()
    # when a learner ends, the other one takes over its partitions and sends the last switches again
    system.workers.end(but="history")
    report.differences += _left(system, _history_lag)
    system.workers.end()
    reader.end()
    report.recoveries, report.rebuilds = system.workers.recoveries(), system.workers.rebuilds
    report.differences += system.workers.failures
    report.events, report.predictions, report.repeated = publisher.published, reader.predictions, reader.repeated
    _account(report, publisher, reader, status)
    _verify(system, report)


def _inject_all(system: ChaosSystem, faults: list[Fault], report: ChaosReport, say: Say, seconds: float) -> None:
    """Inject each fault at its time, at most MAX_FAULTS at once; returns when the last one is over."""
    began = time.monotonic()
    lock = threading.Lock()

    def inject_one(fault: Fault) -> None:
        at = time.monotonic() - began
        try:
            result = inject(system, fault)
        except Exception as error:
            result = f"could not be injected: {type(error).__name__}: {error}"
        text = f"{at:6.1f} s {fault.kind} {fault.on} {fault.how}: {result}"
        with lock:
            report.faults.append(text)
        say(f"seed {report.seed}: {text}")

    with ThreadPoolExecutor(MAX_FAULTS) as pool:
        for fault in faults:
            system.pause(max(0.0, began + fault.at - time.monotonic()))
            if system.workers.failures:
                break
            pool.submit(inject_one, fault)
        system.pause(0.0 if system.workers.failures else max(0.0, began + seconds - time.monotonic()))


def wait_until_caught_up(system: ChaosSystem, reader: ChaosReader, report: ChaosReport) -> float:
    """Wait until nothing is left to do, and return the seconds that it took. After CATCH_UP_S, report what is left."""
    began = time.monotonic()
    left = ""
    idle_checks = 0
    while time.monotonic() - began < CATCH_UP_S and not system.workers.failures:
        left = _work_left(system, reader)
        idle_checks = 0 if left else idle_checks + 1
        if idle_checks == 2:
            return round(time.monotonic() - began, 1)
        time.sleep(CHECK_EVERY_S)
    if not system.workers.failures:
        report.differences.append(f"not caught up after {time.monotonic() - began:.0f} s: {left}")
    return round(time.monotonic() - began, 1)


def _work_left(system: ChaosSystem, reader: ChaosReader) -> str:
    """Return what is still to do; "" for nothing. Looks at files first, since a status costs a process."""
    missing = []
    for target, arms in TARGETS.items():
        expected = reader.examples[target] // SERVE_EVERY[target]
        missing += [
            f"{target}/{arm} has not {expected} versions" for arm in arms if system.versions(target, arm) < expected
        ]
    return ", ".join(missing[:5]) or _lags(system)


def _left(system: ChaosSystem, left: Callable[[ChaosSystem], str]) -> list[str]:
    """Wait until nothing is left to do; return what is after CATCH_UP_S as a difference."""
    end = time.monotonic() + CATCH_UP_S
    while found := left(system):
        if time.monotonic() > end:
            return [f"still to do {CATCH_UP_S:.0f} s after scoring had ended: {found}"]
        time.sleep(CHECK_EVERY_S)
    return []


def _history_lag(system: ChaosSystem) -> str:
    """Return history's positions with a lag, when all others have ended."""
    places = system.status()["places"]
    return ", ".join(f"{p['topic']}[{p['partition']}]" for p in places if p["lag"] and p["stage"] == "history")


def _lags(system: ChaosSystem) -> str:
    """Return the positions with a lag. Learners are left out: they report their position in snapshots only."""
    done = system.run("status", "--json", check=False)
    if done.returncode:
        return done.stderr
    positions = json.loads(done.stdout)["places"]
    most = TICKING_LAG if system.is_ticking else 0
    lags = [
        f"{p['stage']} {p['topic']}[{p['partition']}] has a lag of {p['lag']}"
        for p in positions
        if p["lag"] > most and not p["stage"].startswith("learning")
    ]
    stages = {position["stage"].partition(" ")[0] for position in positions}
    lags += [f"{stage} has no position" for stage in names() if stage not in stages]
    return ", ".join(lags[:5])


def _account(report: ChaosReport, publisher: ChaosPublisher, reader: ChaosReader, status: dict[str, Any]) -> None:
    """Check that published = accepted + duplicate + late + dead, and that every prediction was read exactly once."""
    counters = status["counters"]
    if publisher.lost:
        report.differences.append(f"{publisher.lost} messages were dropped by the publisher")
    if status["published"] != publisher.published:
        report.differences.append(f"{publisher.published} published, {status['published']} accounted for: {counters}")
    if publisher.wall and counters["late"]:
        report.differences.append(f"{counters['late']} events were late although none was published late")
    if reader.twice:
        report.differences.append(f"{reader.twice} predictions were read twice")
    if reader.unsaved:
        report.differences.append(f"{reader.unsaved} switches were sent before their snapshots were stored")
    if reader.predictions != counters["predictions"]:
        report.differences.append(f"{reader.predictions} predictions read, {counters['predictions']} made")


def _verify(system: ChaosSystem, report: ChaosReport) -> None:
    done = system.run("verify", "--json", check=False)
    try:
        checks = json.loads(done.stdout)
    except ValueError:
        report.differences.append(f"verify failed: {done.stderr[-2000:]}")
        return
    for check, finding in checks.items():
        report.compared[check] = finding["compared"]
        report.differences += [f"{check}: {text}" for text in finding["differences"]]
