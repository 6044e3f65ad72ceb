"""One run: start, let events flow under faults, settle, compare."""

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

from load.chaos.expected import plan_without
from load.chaos.faults import inject
from load.chaos.plan import Fault, plan
from load.chaos.publisher import ChaosPublisher
from load.chaos.reader import ChaosReader
from load.chaos.system import PARTITIONS, SERVE_EVERY, TARGETS, ChaosSystem

LANES = 3
"""Faults that may last at the same time."""
SETTLE_S = 240.0
ASK_AGAIN_S = 2.0
Say = Callable[[str], None]
_running: list[ChaosSystem] = []
_told_to_stop = threading.Event()


@dataclass
class ChaosReport:
    """What a run was and came to. `differences`: empty when a calm replay gives the same and all is accounted for.
    silence: longest time without a prediction while events flowed, s; catch_up: from the end of all faults until
    nothing was left to do, s."""

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
    """Whether the servers did not start: the run says nothing of what it was to show."""

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
    """What to run. seconds: of events under faults; rate: messages per second; without: guards to switch off; the
    first one's faults are done."""

    seed: int
    seconds: float = 120.0
    rate: float = 50.0
    without: tuple[str, ...] = ()
    transactions: bool = False
    keep: bool = False


def run(options: ChaosOptions, say: Say) -> ChaosReport:
    """The whole run in a folder of its own, which is kept when something differs. Odd seeds have no cache."""
    if _told_to_stop.is_set():  # the next one in turn, while those before it are being ended
        return ChaosReport(options.seed, differences=["told to stop"], failed=True)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"tidecast-chaos-{options.seed}-"))
    report = ChaosReport(options.seed, ",".join(options.without), options.transactions, folder=str(folder))
    settings = {"TIDECAST_TRANSACTIONS": "true"} if options.transactions else {}
    if options.seed % 2:
        settings["TIDECAST_CACHE_CUSTOMERS"] = "0"
    system = ChaosSystem(folder, settings, options.without)
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


def abandon() -> None:
    """End all that runs now at once, and remove its folders: told to stop half-way."""
    _told_to_stop.set()
    for system in _running.copy():
        system.abandon()
        shutil.rmtree(system.folder, ignore_errors=True)


def _flow(system: ChaosSystem, options: ChaosOptions, report: ChaosReport, say: Say) -> None:
    stack = system.servers.stack
    marks = not options.transactions and "reader-marks" not in options.without
    reader = ChaosReader(place, system.models, PARTITIONS, len(TARGETS), marks)
    publisher = ChaosPublisher(place, PARTITIONS, options.seed, options.rate, options.seconds)
    faults = plan_without(options.without[0], options.seconds) if options.without else None
    faults = plan(options.seed, options.seconds, system.stops()) if faults is None else faults
    reader.start()
    system.wait_ready()
    say(f"seed {options.seed}: {len(faults)} faults in {options.seconds:.0f} s")
    publisher.start()
    _inject_all(system, faults, report, say, options.seconds)
    publisher.join()
    published = time.time()
    system.heal()
    report.hits = system.hits
    report.catch_up = settle(system, reader, report)
    if report.differences or system.workers.failures:
        report.differences += system.workers.failures
        return
    conclude(system, publisher, reader, report)
    report.silence = round(reader.silence(published), 1)


def conclude(system: ChaosSystem, publisher: ChaosPublisher, reader: ChaosReader, report: ChaosReport) -> None:
    """End the workers; compare what was published, read and stored with each other and with a calm replay."""
    told = system.status()
    # a learner that ends leaves its partitions to the other one, which then sends its last switches again
    system.workers.end(but="history")
    report.differences += _history_left(system)
    system.workers.end()
    reader.end()
    report.recoveries, report.rebuilds = system.workers.recoveries(), system.workers.rebuilds
    report.differences += system.workers.failures
    report.events, report.predictions, report.repeated = publisher.published, reader.predictions, reader.repeated
    _account(report, publisher, reader, told)
    _verify(system, report)


def _inject_all(system: ChaosSystem, faults: list[Fault], report: ChaosReport, say: Say, seconds: float) -> None:
    """Each fault at its time, up to LANES at once; returns when the last is over."""
    began = time.monotonic()
    lock = threading.Lock()

    def one(fault: Fault) -> None:
        at = time.monotonic() - began
        try:
            result = inject(system, fault)
        except Exception as error:
            result = f"could not be done: {type(error).__name__}: {error}"
        text = f"{at:6.1f} s {fault.kind} {fault.on} {fault.how}: {result}"
        with lock:
            report.faults.append(text)
        say(f"seed {report.seed}: {text}")

    with ThreadPoolExecutor(LANES) as lanes:
        for fault in faults:
            system.pause(max(0.0, began + fault.at - time.monotonic()))
            if system.workers.failures:
                break
            lanes.submit(one, fault)
        system.pause(0.0 if system.workers.failures else max(0.0, began + seconds - time.monotonic()))


def settle(system: ChaosSystem, reader: ChaosReader, report: ChaosReport) -> float:
    """Until nothing is left to do; the seconds it took. Gives up after SETTLE_S, and says what was left."""
    began = time.monotonic()
    left = ""
    calm = 0
    while time.monotonic() - began < SETTLE_S and not system.workers.failures:
        left = _left(system, reader)
        calm = 0 if left else calm + 1
        if calm == 2:
            return round(time.monotonic() - began, 1)
        time.sleep(ASK_AGAIN_S)
    if not system.workers.failures:
        report.differences.append(f"not settled after {time.monotonic() - began:.0f} s: {left}")
    return round(time.monotonic() - began, 1)


def _left(system: ChaosSystem, reader: ChaosReader) -> str:
    """What is still to do; "" for nothing. To ask for the status costs a process: files first."""
    behind = []
    for target, arms in TARGETS.items():
        expected = reader.examples[target] // SERVE_EVERY[target]
        behind += [
            f"{target}/{arm} has not {expected} versions" for arm in arms if system.versions(target, arm) < expected
        ]
    return ", ".join(behind[:5]) or _behind(system)


def _history_left(system: ChaosSystem) -> list[str]:
    """Waits until the history has written all; what it had not after SETTLE_S."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        places = system.status()["places"]
        if not any(stack["lag"] for place in places if stack["stage"] == "history"):
            return []
        time.sleep(ASK_AGAIN_S)
    return [f"history was not done {SETTLE_S:.0f} s after all others had ended"]


def _behind(system: ChaosSystem) -> str:
    """The places with a lag (learners report by snapshots only)."""
    done = system.run("status", "--json", check=False)
    if done.returncode:
        return done.stderr
    places = json.loads(done.stdout)["places"]
    behind = [
        f"{p['stage']} {p['topic']}[{p['partition']}] by {p['lag']}"
        for p in places
        if p["lag"] and not p["stage"].startswith("learning")
    ]
    stages = {stack["stage"].partition(" ")[0] for place in places}
    behind += [
        f"{stage} has no position" for stage in ("scoring", "judging", "monitoring", "history") if stage not in stages
    ]
    return ", ".join(behind[:5])


def _account(report: ChaosReport, publisher: ChaosPublisher, reader: ChaosReader, told: dict[str, Any]) -> None:
    """published = accepted + duplicate + late + dead, and every prediction read exactly once."""
    counters = told["counters"]
    if publisher.lost:
        report.differences.append(f"{publisher.lost} messages were given up by the publisher")
    if told["published"] != publisher.published:
        report.differences.append(f"{publisher.published} published, {told['published']} accounted for: {counters}")
    if reader.twice:
        report.differences.append(f"{reader.twice} predictions were read twice")
    if reader.unsaved:
        report.differences.append(f"{reader.unsaved} switches were sent before their snapshots were there")
    if reader.predictions != counters["predictions"]:
        report.differences.append(f"{reader.predictions} predictions read, {counters['predictions']} made")


def _verify(system: ChaosSystem, report: ChaosReport) -> None:
    done = system.run("verify", "--json", check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        report.differences.append(f"verify failed: {done.stderr[-2000:]}")
        return
    for check, finding in found.items():
        report.compared[check] = finding["compared"]
        report.differences += [f"{check}: {text}" for text in finding["differences"]]
