"""Faults by others: somebody changes topics and servers under a running system. Workers must say so, and go on."""

import time
from typing import Any

import redis
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from load.chaos.plan import Fault
from load.chaos.system import PARTITIONS, ChaosSystem

TOPIC = "customer-events"
PATIENCE_S = 60.0
"""Seconds within which a worker must say what was changed; other faults may keep it from that for a while."""
ASK_S = 10.0
SETTING, CHANGED, RIGHT = "message.timestamp.type", "CreateTime", "LogAppendTime"


def add_partition(system: ChaosSystem, fault: Fault) -> str:
    """Add a partition to a topic, and write a record into it."""
    kafka = system.servers.stack["kafka"]
    with system.servers.lock:
        admin = AdminClient({"bootstrap.servers": kafka})
        count = len(admin.list_topics(TOPIC, ASK_S).topics[TOPIC].partitions)
        _done(admin.create_partitions([NewPartitions(TOPIC, count + 1)]))
        producer = Producer({"bootstrap.servers": kafka})
        producer.produce(TOPIC, b"a stranger's record", b"c1", count)
        producer.flush(ASK_S)
    return _told(system, "somebody added", f"{TOPIC} got partition {count}")


def change_setting(system: ChaosSystem, fault: Fault) -> str:
    """Change a setting of a topic, and change it back when a worker has said so."""
    kafka = system.servers.stack["kafka"]
    with system.servers.lock:
        _set(kafka, CHANGED)
    try:
        return _told(system, f"{SETTING} is {CHANGED} and must be {RIGHT}", f"{SETTING} was {CHANGED}")
    finally:
        with system.servers.lock:
            _set(kafka, RIGHT)


def leave_transaction(system: ChaosSystem, fault: Fault) -> str:
    """Open a transaction in every partition, as a producer that dies without ending it. All records after it wait."""
    config = {"bootstrap.servers": system.servers.stack["kafka"], "transactional.id": "chaos-stranger"}
    stranger, successor = (Producer({**config, "transaction.timeout.ms": 60_000}) for _ in range(2))
    with system.servers.lock:
        stranger.init_transactions(ASK_S)
        stranger.begin_transaction()
        for partition in range(PARTITIONS):
            stranger.produce(TOPIC, b"never committed", partition=partition)
        stranger.flush(ASK_S)
    try:
        return _told(system, "an open transaction began there", "a transaction stayed open")
    finally:
        with system.servers.lock:
            successor.init_transactions(ASK_S)  # aborts it


def let_redis_evict(system: ChaosSystem, fault: Fault) -> str:
    """Let Redis drop state when it is full. The workers must not go on with it."""
    client = redis.Redis(port=system.servers.stack["ports"]["redis"])
    with system.servers.lock:
        client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        return _told(system, "its maxmemory-policy is allkeys-lru", "Redis could drop state")
    finally:
        with system.servers.lock:
            client.config_set("maxmemory-policy", "noeviction")


def _set(kafka: str, value: str) -> None:
    entry = ConfigEntry(SETTING, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka})  # kept until it is done: it ends with its last reference
    _done(admin.incremental_alter_configs([resource]))


def _done(futures: Any) -> None:
    for future in futures.values():
        future.result(ASK_S)


def _told(system: ChaosSystem, text: str, what: str) -> str:
    """Wait until a scorer's log holds the text. Otherwise the change was silent, which is a difference."""
    logs = [worker.log for name, worker in system.workers.all.items() if name.startswith("scoring")]
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE_S:
        if any(text in log.read_text(errors="replace") for log in logs if log.exists()):
            return f"{what}, told after {time.monotonic() - began:.1f} s"
        if system.workers.failures:
            return f"{what}, a worker ended"
        time.sleep(0.2)
    system.silent.append(f"{what}, and no worker said so")
    return f"{what}, silently"
