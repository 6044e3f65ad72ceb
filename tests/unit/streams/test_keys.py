"""Several keys verify, one signs, and each purpose has a key of its own."""

import pytest

from streams.errors import KeyMissing
from streams.keys import CONTROL, PURPOSES, SNAPSHOTS, TICKS, Key, Keys, key_id

OLD, FIRST, SECOND = (
    Key.of("", b"a key of before"),
    Key.of("a", b"the first secret"),
    Key.of("b", b"the second secret"),
)


@pytest.mark.parametrize("signer", [OLD, FIRST, SECOND])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_key_of_the_ring_verifies_for_its_purpose_alone(signer: Key, purpose: str) -> None:
    signature = Keys.of(signer).sign(purpose, b"text")
    ring = Keys.of(SECOND, FIRST, OLD)
    assert key_id(signature) == signer.id
    assert ring.verify(purpose, b"text", signature)
    assert not ring.verify(purpose, b"another", signature)
    others = [other for other in PURPOSES if other != purpose and ring.verify(other, b"text", signature)]
    assert not others or signer is OLD
    assert not Keys.of(*(key for key in ring.ring if key is not signer)).verify(purpose, b"text", signature)


def test_a_publisher_signs_ticks_and_cannot_sign_anything_else() -> None:
    publisher = Key("a", {TICKS: FIRST.parts[TICKS]})
    keys = Keys.of(publisher).in_force([FIRST.name])
    assert Keys.of(FIRST).verify(TICKS, b"t", keys.sign(TICKS, b"t"))
    assert not keys.checks_control and Keys.of(FIRST).checks_control
    with pytest.raises(KeyError):
        keys.sign(CONTROL, b"t")
    assert not keys.verify(SNAPSHOTS, b"t", Keys.of(FIRST).sign(SNAPSHOTS, b"t"))


@pytest.mark.parametrize(
    "bytes_",
    [
        b"",
        b"\x02",
        b"x" * 31,
        b"x" * 33,
        b"\x02\x01a" + b"x" * 31,
        b"\x02\x00" + b"x" * 32,
        b"\x02\x01\xff" + b"x" * 32,
    ],
)
def test_other_bytes_are_no_signature(bytes_: bytes) -> None:
    assert key_id(bytes_) is None
    assert not Keys.of(FIRST, OLD).verify(TICKS, b"t", bytes_)


def test_the_key_that_the_log_lists_first_signs() -> None:
    ring = Keys.of(SECOND, FIRST, OLD)
    assert ring.names() == (SECOND.name, FIRST.name, OLD.name)
    assert ring.in_force([FIRST.name]).signer == FIRST
    assert ring.in_force(ring.names()).signer == SECOND
    assert ring.in_force(None).signer == OLD, "a log from before keys had ids"
    assert Keys.of(OLD).names() is None and Keys().names() is None
    assert Keys().in_force(None).signer is None


@pytest.mark.parametrize(
    ("ring", "names", "said"),
    [
        (Keys.of(FIRST), [SECOND.name, FIRST.name], "key 'b' .fingerprint .*lacks: add it to TIDECAST_SIGNING_KEYS"),
        (Keys.of(Key.of("a", b"another secret..")), [FIRST.name], "the 'a' of this process is another"),
        (Keys.of(FIRST), None, "keep it in TIDECAST_SIGNING_KEY "),
    ],
)
def test_a_key_that_the_log_needs_and_the_process_lacks_is_said(ring: Keys, names: list[str], said: str) -> None:
    with pytest.raises(KeyMissing, match=said):
        ring.in_force(names)
