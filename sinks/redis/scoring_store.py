"""The state of scoring in Redis. docs/redis.md specifies the keys."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import redis

from sinks.failpoints import COMMIT_PARTLY, partly
from sinks.redis.errors import redis_errors
from sinks.redis.script import Write, write
from streams.identity import Position
from streams.state.rules import check_positions, check_timers, conflict
from streams.state.store import CustomerBytes, PartitionCommit, Positions

_SCAN_COUNT = 5000


class RedisScoringStore:
    """A ScoringStore of one log epoch. A partition's keys share a hash tag, so that a cluster keeps them together."""

    def __init__(self, client: redis.Redis, epoch: int, prefix: str = "") -> None:
        self._client = client
        self._root = f"{prefix}tidecast:{{{epoch}."

    def positions(self, partitions: Sequence[int]) -> Mapping[int, tuple[Position, bytes]]:
        """Return position and header per partition that was ever committed, in one round trip."""
        replies = self._mget([(base + b"position", base + b"header") for base in map(self._base, partitions)])
        return {
            partition: (Position.parse(position.decode()), header or b"")
            for partition, (position, header) in zip(partitions, replies, strict=True)
            if position is not None
        }

    def load(
        self, wanted: Mapping[int, Sequence[str]], at: Positions | None = None
    ) -> Mapping[int, Mapping[str, CustomerBytes]]:
        """Return state and observations of these customers, in one round trip; CustomerBytes() for an unknown one."""
        asked = {partition: customers for partition, customers in wanted.items() if customers}
        # One command reads the position and the customers, so that no write can come between them.
        replies = self._mget([self._customer_keys(partition, names) for partition, names in asked.items()])
        if at is not None:
            check_positions(at, {partition: _parsed(found[0]) for partition, found in zip(asked, replies, strict=True)})
        result: dict[int, Mapping[str, CustomerBytes]] = {partition: {} for partition in wanted}
        for (partition, customers), (_, *values) in zip(asked.items(), replies, strict=True):
            count = len(customers)
            result[partition] = dict(zip(customers, map(CustomerBytes, values[:count], values[count:]), strict=True))
        return result

    def due(self, partition: int, until: int, limit: int, at: Positions | None = None) -> Sequence[tuple[int, str]]:
        """Return the first `limit` timers with due <= `until` (ms), by (due, customer bytes): the set's own order."""
        if limit <= 0:
            return []
        base = self._base(partition)
        pipeline: Any
        with redis_errors(self._client), self._client.pipeline(transaction=True) as pipeline:
            pipeline.get(base + b"position")
            pipeline.zrangebyscore(base + b"timers", "-inf", until, start=0, num=limit, withscores=True)
            position, found = pipeline.execute()
        if at is not None:
            check_positions(at, {partition: _parsed(position)})
        return [(int(due), customer.decode()) for customer, due in found]

    def commit(self, commits: Sequence[PartitionCommit]) -> None:
        """Call the script once per partition, in one round trip. Raises PositionConflict, which names the refused
        partitions."""
        check_timers(commits)
        writes = [self._write(commit) for commit in commits]
        partly(COMMIT_PARTLY, writes, partial(write, self._client))
        written = write(self._client, writes)
        refused = [commit for commit, done in zip(commits, written, strict=True) if not done]
        if refused:
            raise conflict([f"partition {commit.partition}" for commit in refused])

    def customers(self, partitions: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return all customers with a state or observations in each of these partitions, sorted. Scans the whole
        database once."""
        bases = {self._base(partition)[:-1]: partition for partition in partitions}
        found: dict[int, set[bytes]] = {partition: set() for partition in partitions}
        with redis_errors(self._client):
            for key in self._client.scan_iter(match=_escaped(self._root.encode()) + b"*}:[co]:*", count=_SCAN_COUNT):
                end = key.index(b"}:", len(self._root))
                partition = bases.get(key[: end + 1])
                if partition is not None and key[end + 2 : end + 4] in (b"c:", b"o:"):
                    found[partition].add(key[end + 4 :])
        return {partition: sorted(name.decode() for name in names) for partition, names in found.items()}

    def clear(self, partitions: Sequence[int]) -> None:
        """Delete all keys of these partitions, positions first, so that a partial partition never appears complete.
        Scans the whole database once."""
        bases = [self._base(partition) for partition in partitions]
        with redis_errors(self._client):
            for base in bases:
                self._client.unlink(base + b"position")
            keys = self._client.scan_iter(match=_escaped(self._root.encode()) + b"*", count=_SCAN_COUNT)
            ours = (key for key in keys if key.startswith(tuple(bases)))
            while some := list(islice(ours, _SCAN_COUNT)):
                self._client.unlink(*some)

    def _base(self, partition: int) -> bytes:
        return f"{self._root}{partition}}}:".encode()

    def _customer_keys(self, partition: int, customers: Sequence[str]) -> list[bytes]:
        base = self._base(partition)
        names = [customer.encode() for customer in customers]
        return [base + b"position", *_keys(base + b"c:", names), *_keys(base + b"o:", names)]

    def _mget(self, groups: Iterable[Sequence[bytes]]) -> list[list[bytes | None]]:
        pipeline: Any
        with redis_errors(self._client), self._client.pipeline(transaction=False) as pipeline:
            for keys in groups:
                pipeline.execute_command("MGET", *keys)
            return list(pipeline.execute())

    def _write(self, commit: PartitionCommit) -> Write:
        base = self._base(commit.partition)
        keys = [
            base + b"position",
            base + b"header",
            *_keys(base + b"c:", map(str.encode, commit.states)),
            *_keys(base + b"o:", map(str.encode, commit.observations)),
        ]
        arguments = [
            b"" if commit.expected is None else str(commit.expected).encode(),
            b"%d" % len(keys),
            str(commit.position).encode(),
            commit.header,
            *commit.states.values(),
            *commit.observations.values(),
        ]
        if commit.timers:
            keys.append(base + b"timers")
            for customer, due in commit.timers.items():
                arguments += (b"" if due is None else b"%d" % due, customer.encode())
        return Write(keys, arguments)


def _parsed(position: bytes | None) -> Position | None:
    return None if position is None else Position.parse(position.decode())


def _keys(start: bytes, names: Iterable[bytes]) -> list[bytes]:
    return [start + name for name in names]


def _escaped(text: bytes) -> bytes:
    """Escape the special characters of SCAN patterns."""
    return b"".join(b"\\" + bytes([char]) if char in rb"*?[]\^-" else bytes([char]) for char in text)
