"""Records that pass over a control record of customer-events. They lie in `deployments`, one key each."""

from collections.abc import Iterable

from schemas.records import SKIP, SkipRecord
from schemas.topics import DEPLOYMENTS
from streams.avro.codec import Codec
from streams.control import check, sign
from streams.errors import Undecodable
from streams.keys import Keys
from streams.log import Output

PREFIX = b"skip."


def skip_output(codec: Codec, keys: Keys, partition: int, offset: int, reason: str, writer: str) -> Output:
    """Return the signed record that passes over the record at that offset of customer-events."""
    record: SkipRecord = {
        "partition": partition,
        "offset": offset,
        "reason": reason,
        "writer": writer,
        "signature": None,
    }
    value = codec.encode(SKIP, sign(SKIP, record, keys, DEPLOYMENTS, 0))
    return Output(DEPLOYMENTS, 0, _key(partition, offset), value)


def skips_in(codec: Codec, keys: Keys, records: Iterable[tuple[bytes, bytes]]) -> frozenset[tuple[int, int]]:
    """Return (partition, offset) of what these records of `deployments`, as (key, value), pass over.

    A record without our signature passes over nothing."""
    found = set()
    for key, value in records:
        if not key.startswith(PREFIX) or not keys.checks_control:
            continue
        try:
            name, record = codec.decode(value, {SKIP})
        except Undecodable:
            continue
        place = (record["partition"], record["offset"])
        if key == _key(*place) and check(name, record, keys, DEPLOYMENTS, 0):
            found.add(place)
    return frozenset(found)


def _key(partition: int, offset: int) -> bytes:
    return PREFIX + f"{partition}.{offset}".encode()
