"""Encodes records that pause the time of a partition, or let it go on."""

import time

from schemas.records import PAUSE, PauseRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.control import sign
from streams.keys import Keys
from streams.timeline import PartitionHeader


def pause_record(
    codec: Codec,
    keys: Keys,
    partition: int,
    header: PartitionHeader,
    paused: bool,
    automatic: bool,
    reason: str,
    writer: str,
) -> bytes:
    """Return a signed record for one partition, above the last one that scoring has obeyed there (`header`)."""
    record: PauseRecord = {
        "paused": paused,
        "number": max(int(time.time() * 1000), header.pause_number + 1),
        "automatic": automatic,
        "reason": reason,
        "writer": writer,
        "signature": None,
    }
    return codec.encode(PAUSE, sign(PAUSE, record, keys, CUSTOMER_EVENTS, partition))
