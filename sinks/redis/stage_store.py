"""Position and blob of the other stages in Redis. docs/redis.md specifies the keys."""

from typing import cast

import redis

from sinks.failpoints import COMMIT_PARTLY, hit
from sinks.redis.errors import redis_errors
from sinks.redis.script import Write, write
from streams.identity import Position
from streams.state.rules import conflict


class RedisStageStore:
    """A StageStore of one log epoch."""

    def __init__(self, client: redis.Redis, epoch: int, prefix: str = "") -> None:
        self._client = client
        self._root = f"{prefix}tidecast:{{{epoch}."

    def read(self, stage: str, topic: str, partition: int) -> tuple[Position, bytes] | None:
        """Return the last commit; None when there was none."""
        with redis_errors(self._client):
            position, blob = cast("list[bytes | None]", self._client.mget(self._keys(stage, topic, partition)))
        return None if position is None else (Position.parse(position.decode()), blob or b"")

    def position(self, stage: str, topic: str, partition: int) -> Position | None:
        """Return the position of the last commit, without reading its blob."""
        with redis_errors(self._client):
            position = cast("bytes | None", self._client.get(self._keys(stage, topic, partition)[0]))
        return None if position is None else Position.parse(position.decode())

    def commit(
        self,
        stage: str,
        topic: str,
        partition: int,
        expected: Position | None,
        position: Position,
        blob: bytes,
    ) -> None:
        """Write both if the stored position is `expected` or already `position`. Raises PositionConflict otherwise."""
        before = b"" if expected is None else str(expected).encode()
        call = Write(self._keys(stage, topic, partition), [before, b"2", str(position).encode(), blob])
        if not write(self._client, [call])[0]:
            raise conflict([f"{stage} on {topic}/{partition}"])
        hit(COMMIT_PARTLY)

    def _keys(self, stage: str, topic: str, partition: int) -> list[bytes]:
        base = f"{self._root}{stage}.{topic}.{partition}}}:"
        return [f"{base}position".encode(), f"{base}blob".encode()]
