"""A signature is valid for one record in one place only."""

import pytest

from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.control import canonical, check, sign
from streams.keys import Key, Keys

KEY = Keys.of(Key.of("1", b"a signing key"), system="eu.", epoch=1_790_000_000)
OLD = Keys.of(Key.of("", b"a signing key"))
TICK = {"time": 5, "writer": "w", "signature": None}
SWITCH = {
    "target": "churn", "arm": "a", "version": "churn/a.1@3", "command": 0, "offset": 3,
    "snapshot": "churn/a.1/3", "digest": b"\x00\xff", "signature": None,
}  # fmt: skip


@pytest.mark.parametrize("keys", [KEY, OLD])
@pytest.mark.parametrize(("name", "record"), [("tidecast.Tick", TICK), ("tidecast.Switch", SWITCH)])
def test_a_signed_record_is_accepted_where_it_was_signed(name, record, keys):
    codec = Codec(MemoryRegistry(), load_schemas())
    signed = sign(name, record, keys, "customer-events", 1)
    assert len(signed["signature"]) == (32 if keys is OLD else 35)
    assert record["signature"] is None
    read = codec.decode(codec.encode(name, signed))[1]
    assert check(name, read, keys, "customer-events", 1)


def test_nothing_else_is():
    signed = sign("tidecast.Tick", TICK, KEY, "customer-events", 1)
    refused = [
        ("tidecast.Tick", {**signed, "time": 6}, KEY, "customer-events", 1),
        ("tidecast.Tick", {**signed, "writer": ""}, KEY, "customer-events", 1),
        ("tidecast.Tock", signed, KEY, "customer-events", 1),
        (
            "tidecast.Tick",
            signed,
            Keys.of(Key.of("1", b"another key"), system="eu.", epoch=1_790_000_000),
            "customer-events",
            1,
        ),
        ("tidecast.Tick", signed, Keys.of(KEY.ring[0], system="us.", epoch=KEY.epoch), "customer-events", 1),
        ("tidecast.Tick", signed, KEY.of_log(KEY.epoch + 1), "customer-events", 1),
        ("tidecast.Tick", signed, OLD, "customer-events", 1),
        ("tidecast.Tick", signed, KEY, "labelled-examples", 1),
        ("tidecast.Tick", signed, KEY, "customer-events", 2),
        ("tidecast.Tick", {**signed, "signature": None}, KEY, "customer-events", 1),
        ("tidecast.Tick", {**signed, "signature": b""}, KEY, "customer-events", 1),
        ("tidecast.Tick", {**signed, "signature": "x"}, KEY, "customer-events", 1),
    ]
    assert [check(*case) for case in refused] == [False] * len(refused)


def test_without_a_key_nothing_is_signed_or_checked():
    assert sign("tidecast.Tick", {**TICK, "signature": b"old"}, Keys(), "t", 0)["signature"] is None
    assert check("tidecast.Tick", TICK, Keys(), "t", 0)


def test_a_field_added_later_leaves_old_signatures_valid():
    signed = sign("tidecast.Tick", TICK, KEY, "t", 0)
    assert check("tidecast.Tick", {**signed, "reason": None}, KEY, "t", 0)
    assert not check("tidecast.Tick", {**signed, "reason": "x"}, KEY, "t", 0)


def test_the_canonical_text_is_fixed():
    """Signatures in old logs depend on the canonical text."""
    text = b'["tidecast.Switch","t",3,{"digest":"00ff","offset":3}]'
    record = {"offset": 3, "digest": b"\x00\xff", "signature": b"x"}
    assert canonical("tidecast.Switch", record, "t", 3) == text
    in_log = b'[2,"eu.",7,"tidecast.Switch","t",3,{"digest":"00ff","offset":3}]'
    assert canonical("tidecast.Switch", record, "t", 3, ("eu.", 7)) == in_log
