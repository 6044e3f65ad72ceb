"""The switches of one arm."""

from schemas.records import SWITCH, SwitchRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.codec import Codec
from streams.control import sign
from streams.keys import Keys
from streams.log import Output
from streams.models.snapshot import Snapshot


def switches(state: Snapshot, partitions: int, codec: Codec, keys: Keys) -> list[Output]:
    """Return the signed switch to the version that `state` serves, one copy per partition of customer-events."""
    served = state.served
    if served is None:
        return []
    record: SwitchRecord = {
        "target": state.version.target,
        "arm": state.version.arm,
        "version": str(state.version._replace(offset=served.offset)),
        "command": served.command,
        "offset": served.offset,
        "snapshot": served.path,
        "digest": served.digest,
        "inputs": state.inputs or None,
        "signature": None,
    }
    outputs = []
    for partition in range(partitions):
        value = codec.encode(SWITCH, sign(SWITCH, record, keys, CUSTOMER_EVENTS, partition))
        outputs.append(Output(CUSTOMER_EVENTS, partition, None, value))
    return outputs
