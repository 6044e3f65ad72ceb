"""Intake: decides which records are events, outcomes or controls, and which become dead letters."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from schemas.catalog import Decoded, Event, Schema
from schemas.records import DEPLOYMENT, OUTCOME, PAUSE, SWITCH, TICK, OutcomeRecord, TickRecord
from schemas.topics import CUSTOMER_EVENTS
from streams.avro.canonical import START, Content, checksum
from streams.avro.codec import Codec
from streams.control import check
from streams.errors import DeadReason, Undecodable
from streams.features.customer_state import IDENTITY
from streams.keys import Keys
from streams.log import LogRecord
from streams.partitioner import partition_of

CONTROLS = frozenset({TICK, PAUSE, SWITCH, DEPLOYMENT})
MAX_CUSTOMER_BYTES = 512
MAX_ID = 512
"""The maximum length of an event's, outcome's or prediction's id, characters."""
MAX_RECORD_BYTES = 1 << 20
"""The maximum size of a key or value, bytes. Kafka's limit is the same but counts compressed bytes, so larger values
can arrive."""
TOO_LARGE_MARK = b"\xfftoo large"
"""Replaces a larger key or value where a reader cannot hold it. It is neither a customer's id nor a record."""
LARGEST = 1e100
"""Numbers must be smaller, so that the squares that models keep stay finite: one event could spoil a model."""
EARLIEST = -62135596800000
"""0001-01-01 UTC in ms: the earliest accepted time."""
MOST_TICK_AHEAD = 60_000
"""On a wall clock, most ms by which a tick may be ahead of the broker's time of its own append."""
LATEST = 253402300799999
"""The end of the year 9999 in ms: the latest accepted time, which all stores and tools can hold."""


def is_too_large(data: bytes | None) -> bool:
    """Return whether a key or value is too large to be read."""
    return data is not None and (len(data) > MAX_RECORD_BYTES or data == TOO_LARGE_MARK)


class Taken(NamedTuple):
    """An accepted record: its full name, its short event name ("" for controls and outcomes), and its fields.

    content: how to tell it from others of its name, if not by its bytes."""

    name: str
    event: str
    record: Decoded
    content: Content | None = None


class Intake:
    """Decodes and checks the records of customer-events.

    `take` raises Undecodable for records that become dead letters, and Unavailable while the schema registry is away.
    """

    def __init__(
        self,
        codec: Codec,
        events: Mapping[str, Schema],
        partitions: int,
        max_ahead: int,
        keys: Keys,
        wall: bool = False,
    ) -> None:
        """`events`: Avro schema per full event name; `max_ahead` in ms; `wall`: ticks follow the wall clock."""
        self._codec = codec
        self._events = {name: (name.rsplit(".", 1)[-1], finite_check(schema)) for name, schema in events.items()}
        self._partitions = partitions
        self._max_ahead = max_ahead
        self._keys = keys
        self._wall = wall
        self._expected = frozenset((*CONTROLS, OUTCOME, *self._events))
        self._kinds = {
            name: blake2b(f"{name}\0".encode(), digest_size=IDENTITY).copy for name in (OUTCOME, *self._events)
        }

    def take(self, partition: int, raw: LogRecord, last_tick: int | None) -> Taken:
        """Return the record, checked as far as possible without its customer's state."""
        if is_too_large(raw.value):
            raise Undecodable(
                DeadReason.TOO_LARGE,
                f"the value has more than {MAX_RECORD_BYTES} bytes: send less; only the log keeps them",
            )
        name, record = self._codec.decode(raw.value, self._expected)
        assert raw.value is not None  # it was decoded
        content = self._codec.content_of(raw.value)
        known = self._events.get(name)
        if known is not None:
            event, finite = known
            self._check_customer(raw, record, "event_id", record["event_id"], last_tick)
            finite(record)
            return Taken(name, event, record, content)
        if name == OUTCOME:
            outcome: OutcomeRecord = record
            self._check_customer(raw, outcome, "outcome_id", outcome["outcome_id"], last_tick)
            if len(outcome["prediction_id"] or "") > MAX_ID:
                raise Undecodable(DeadReason.TOO_LARGE, f"prediction_id has more than {MAX_ID} characters")
            if not abs(outcome["value"]) < LARGEST:
                raise Undecodable(DeadReason.NOT_FINITE, f"value is not a finite number below {LARGEST:g}")
            return Taken(name, "", record, content)
        if name in CONTROLS:
            if raw.key is not None or not check(name, record, self._keys, CUSTOMER_EVENTS, partition):
                raise Undecodable(
                    DeadReason.BAD_CONTROL,
                    f"{name} with a key or a wrong signature: only Tidecast and holders of its signing key write it",
                )
            fault = tick_fault(record, raw.timestamp, self._wall) if name == TICK else ""
            if fault:
                raise Undecodable(DeadReason.BAD_CONTROL, fault)
        return Taken(name, "", record)

    def _check_customer(
        self, raw: LogRecord, record: Event | OutcomeRecord, id_field: str, id: str, last_tick: int | None
    ) -> None:
        customer = record["customer_id"]
        key = customer.encode()
        if not key:
            raise Undecodable(DeadReason.MISSING_CUSTOMER, "customer_id is empty: every record concerns a customer")
        if raw.key != key:
            raise Undecodable(
                DeadReason.WRONG_KEY, "the record's key is not its customer_id in UTF-8: key it by customer_id"
            )
        if len(key) > MAX_CUSTOMER_BYTES:
            raise Undecodable(
                DeadReason.TOO_LARGE, f"customer_id has {len(key)} bytes; at most {MAX_CUSTOMER_BYTES} are allowed"
            )
        if not id:
            raise Undecodable(DeadReason.WRONG_TYPE, f"{id_field} is empty: give every record a unique id")
        if len(id) > MAX_ID:
            raise Undecodable(DeadReason.TOO_LARGE, f"{id_field} has more than {MAX_ID} characters")
        moment = record["occurred_at"]
        reached = raw.timestamp if last_tick is None or raw.timestamp > last_tick else last_tick
        if moment > reached + self._max_ahead or not EARLIEST <= moment <= LATEST:
            raise Undecodable(
                DeadReason.FAR_FUTURE,
                f"occurred_at {moment} ms is absurd: it must lie between the year 1 and the later of the record's "
                "timestamp and the last tick plus max_ahead",
            )

    def digest(self, raw: LogRecord, taken: Taken, id: str) -> bytes:
        """Return the 8 bytes by which a customer remembers an event or outcome with this id.

        6 of BLAKE2b of the identity (kind and id), and 2 of the content's checksum. A new record is taken for a
        repeated one where both agree, once in 2^64 / 256 records of a customer. Where only the identity agrees, once
        in 2^48 / 256, it becomes a dead letter. Another content is taken for the same one once in 65,536."""
        assert raw.value is not None  # it was decoded, so it has a value
        identity = self._kinds[taken.name]()
        identity.update(id.encode())
        body = None if taken.content is None else taken.content(taken.record)
        return identity.digest() + (checksum(raw.value, START) if body is None else checksum(body, 0))

    def check_partition(self, customer: str, partition: int) -> None:
        """Check that a customer who is new in this partition belongs here by the murmur2 partitioner."""
        right = partition_of(customer, self._partitions)
        if right != partition:
            raise Undecodable(
                DeadReason.WRONG_KEY,
                f"customer {customer!r} belongs to partition {right}, not {partition}: use the murmur2 partitioner",
            )


def tick_fault(tick: TickRecord, timestamp: int, wall: bool) -> str:
    """Return why a tick is not obeyed, in one sentence; "" for one that is.

    timestamp: of the record, ms: on a wall clock the broker's time of its append. Time never goes back, so a tick of a
    clock that is ahead would make all events late until that time has come."""
    time = tick["time"]
    if not EARLIEST <= time <= LATEST:
        return f"a tick of {time} ms is absurd: it must lie between the years 1 and 9999"
    if wall and time > timestamp + MOST_TICK_AHEAD:
        return (
            f"a tick of {time} ms is {(time - timestamp) / 1000:,.0f} s ahead of the broker's time at which it was "
            f"appended; on a wall clock at most {MOST_TICK_AHEAD // 1000} s are allowed: set the clock of the machine "
            "that wrote it"
        )
    return ""


def check_outcome(kinds: Mapping[str, str], record: OutcomeRecord) -> None:
    """Raise Undecodable for an outcome that fits no target. `kinds`: target name → kind."""
    target, value = record["target"], record["value"]
    if target not in kinds:
        raise Undecodable(DeadReason.UNKNOWN_TARGET, f"no target {target!r} is declared: declare and deploy it")
    if kinds[target] == "binary" and value not in (0.0, 1.0):
        raise Undecodable(DeadReason.WRONG_TYPE, f"value {value!r} is not an outcome of a binary target: send 1 or 0")


def former_digest(id: str) -> bytes:
    """Return 8 bytes of BLAKE2b of an id alone, as earlier versions remembered it."""
    return blake2b(id.encode(), digest_size=8).digest()


def finite_check(schema: Schema) -> Callable[[Event], None]:
    """Return a function that raises Undecodable when a floating-point field of a record is NaN, infinite or absurdly
    large."""
    scalars, maps = [], []
    for field in schema["fields"]:
        types = field["type"] if isinstance(field["type"], list) else [field["type"]]
        if any(t in ("double", "float") for t in types):
            scalars.append(field["name"])
        if any(isinstance(t, dict) and t.get("type") == "map" and t["values"] in ("double", "float") for t in types):
            maps.append(field["name"])

    def check_record(record: Event) -> None:
        for name in scalars:
            value = record[name]
            if value is not None and not abs(value) < LARGEST:
                raise Undecodable(
                    DeadReason.NOT_FINITE, f"{name} is not a finite number below {LARGEST:g}: send one, or null"
                )
        for name in maps:
            for key, value in (record[name] or {}).items():
                if not abs(value) < LARGEST:
                    raise Undecodable(
                        DeadReason.NOT_FINITE, f"{name}[{key!r}] is not a finite number below {LARGEST:g}: leave it out"
                    )

    return check_record
