"""Injects faults into a running system.

Each function returns when the fault is over, with a short text that says what happened."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import redis

from load.chaos import disk
from load.chaos.faults.others import add_partition, change_setting, leave_transaction, let_redis_evict
from load.chaos.faults.time import join_ahead, silence
from load.chaos.plan import Fault
from load.chaos.system import ChaosSystem

ARM_TIMEOUT_S = 20.0
"""How long a fail point stays armed."""

JOIN_TIMEOUT_S = 40.0
"""How long an extra member may take until it owns partitions."""


def inject(system: ChaosSystem, fault: Fault) -> str:
    """Inject a fault and heal it; returns what happened."""
    return _FAULTS[fault.kind](system, fault)


def _kill(system: ChaosSystem, fault: Fault) -> str:
    system.workers.all[fault.on].signal(signal.SIGKILL)
    return "killed"


def _freeze(system: ChaosSystem, fault: Fault) -> str:
    worker = system.workers.all[fault.on]
    process = worker.process
    worker.signal(signal.SIGSTOP)
    system.pause(fault.seconds)
    if process is not None and process.poll() is None:
        process.send_signal(signal.SIGCONT)
    return f"frozen for {fault.seconds:.1f} s"


def _link(system: ChaosSystem, fault: Fault) -> str:
    worker, _, server = fault.on.partition(">")
    link = system.links[worker, server]
    if fault.how == "cut":
        link.cut()
    elif fault.how == "stall":
        link.stall()
    elif fault.how == "delay":
        link.delay(0.2)
    elif fault.how == "misdirect":
        link.misdirect(b"labelled-examples")
    else:
        link.throttle(20_000)
    system.pause(fault.seconds)
    link.heal()
    return f"{fault.how} for {fault.seconds:.1f} s"


def _point(system: ChaosSystem, fault: Fault) -> str:
    """Arm a fail point and wait until a process reaches it. A stopped process continues when its session is over."""
    armed, hits = system.points / fault.on, system.points / "hits"
    before = set(hits.glob(f"{fault.on}.*"))
    scratch = system.points / f".{fault.on}.new"
    scratch.write_text(fault.how)
    scratch.rename(armed)
    until = time.monotonic() + ARM_TIMEOUT_S
    while time.monotonic() < until and not system.healed.is_set():
        found = set(hits.glob(f"{fault.on}.*")) - before
        if found:
            return _after_hit(system, fault, found.pop())
        time.sleep(0.02)
    armed.unlink(missing_ok=True)
    return "not reached"


def _after_hit(system: ChaosSystem, fault: Fault, hit: Path) -> str:
    system.hits.append(fault.on)
    if fault.how == "stop":
        system.pause(fault.seconds)
        try:
            os.kill(int(hit.name.rpartition(".")[2]), signal.SIGCONT)
        except ProcessLookupError:
            return "stopped there, then killed by another fault"
    return "killed there" if fault.how == "kill" else f"stopped there for {fault.seconds:.1f} s"


def _server(system: ChaosSystem, fault: Fault) -> str:
    servers = system.servers
    with servers.lock:
        servers.kill(fault.on)
        system.pause(fault.seconds)
        servers.up()
    return "killed and started again"


def _redis(system: ChaosSystem, fault: Fault) -> str:
    servers = system.servers
    if fault.how == "wipe":
        with servers.lock:
            redis.Redis(port=servers.stack["ports"]["redis"]).flushall()
        return "wiped"
    if fault.how == "backup":
        servers.back_up()
        system.pause(6.0)
    with servers.lock:
        servers.kill("redis")
        if fault.how == "second":
            servers.lose(1.0)
        elif fault.how == "backup":
            servers.restore()
        servers.up()
    how = {"restart": "as it was", "second": "without its last second", "backup": "from a backup 6 s old"}
    return f"killed and started again {how[fault.how]}"


def _full_disk(system: ChaosSystem, fault: Fault) -> str:
    """Fill the model store's disk. Where it has no disk of its own, forbid the worker to write files."""
    if disk.fill(system.models):
        system.pause(fault.seconds)
        disk.clear(system.models)
        return f"the model store's disk was full for {fault.seconds:.1f} s"
    worker = system.workers.all[fault.on]
    process = worker.process
    worker.limit_files(0)
    system.pause(fault.seconds)
    if worker.process is process:
        worker.limit_files(-1)
    return f"could not write files for {fault.seconds:.1f} s"


def _models(system: ChaosSystem, fault: Fault) -> str:
    """Hide the model store from a worker for a while."""
    system.model_mount(fault.on).unlink(missing_ok=True)
    system.pause(fault.seconds)
    system.mount_models(fault.on)
    return f"had no model store for {fault.seconds:.1f} s"


def _extra_member(system: ChaosSystem, fault: Fault) -> str:
    before = system.ready()
    system.workers.want(fault.on, True)
    until = time.monotonic() + JOIN_TIMEOUT_S
    while not system.ready() - before and time.monotonic() < until and not system.healed.is_set():
        system.pause(0.3)
    system.pause(fault.seconds)
    if fault.how == "kill":
        worker = system.workers.all[fault.on]
        worker.wanted = False
        worker.signal(signal.SIGKILL)
    system.workers.want(fault.on, False)
    return f"joined for {fault.seconds:.1f} s, then {'was killed for good' if fault.how == 'kill' else 'left'}"


_FAULTS: dict[str, Callable[[ChaosSystem, Fault], str]] = {
    "kill": _kill,
    "freeze": _freeze,
    "link": _link,
    "point": _point,
    "kafka": _server,
    "registry": _server,
    "clickhouse": _server,
    "redis": _redis,
    "full disk": _full_disk,
    "models": _models,
    "extra member": _extra_member,
    "partitions": add_partition,
    "settings": change_setting,
    "clock": join_ahead,
    "silence": silence,
    "stranger": leave_transaction,
    "eviction": let_redis_evict,
}
