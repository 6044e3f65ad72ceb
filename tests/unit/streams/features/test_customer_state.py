"""The ids that a customer is remembered by: of this version, and of the ones before."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.features.customer_state import Digests, _same_content, agree
from streams.features.plan import FeaturePlan
from streams.scoring.intake import former_digest
from tests.replay.world import USE_CASE

PLAN = FeaturePlan(USE_CASE)


def number(n, content=0):
    """An identity of 6 bytes and a content of 2."""
    return n.to_bytes(6, "big") + content.to_bytes(2, "big")


def test_the_last_256_are_remembered_and_no_more():
    digests = Digests()
    for n in range(300):
        assert digests.same_content(number(n)) is None
        digests.remember(number(n))
        assert len(digests) == min(n + 1, 256)
    assert digests.same_content(number(43)) is None
    assert all(digests.same_content(number(n)) for n in range(44, 300))
    assert all(digests.same_content(number(n, 1)) is False for n in range(44, 300))


def test_half_of_one_and_half_of_the_next_is_neither():
    digests = Digests()
    digests.remember(b"aaaabbbb")
    digests.remember(b"ccccdddd")
    digests.remember(b"bbbbcccc")
    assert Digests(digests.data[:16]).same_content(b"bbbbcccc") is None
    assert digests.same_content(b"bbbbcccc")
    assert digests.same_content(b"ddddbbbb") is None


def of_the_version_before(ids):
    """A state as version 0.1.0 wrote it."""
    state = PLAN.new_state()
    digests = b"".join(map(former_digest, ids))
    return msgpack.packb((PLAN._layout.fingerprint, state.clock, state.due, digests, state.registers, state.series))


def test_ids_of_the_version_before_are_known_until_256_others_came():
    state = PLAN.stored.unpack(of_the_version_before(f"e{n}" for n in range(256)))
    assert state.digests.formerly_seen(former_digest("e0"))
    assert not state.digests.formerly_seen(former_digest("e256"))
    for n in range(256):
        assert state.digests.formerly_seen(former_digest(f"e{n}"))
        assert len(state.digests) == 256
        state.digests.remember(number(n))
        assert not state.digests.formerly_seen(former_digest(f"e{n}"))
        again = PLAN.stored.unpack(PLAN.stored.pack(state))
        assert again == state
    assert state.digests.former == b""


def test_a_former_digest_is_found_at_its_place_only():
    former = former_digest("a") + former_digest("b")
    assert Digests(former=former).formerly_seen(former[8:])
    assert not Digests(former=former).formerly_seen(former[4:12])


@pytest.mark.parametrize("added", [0, 1, 255, 300])
def test_a_state_of_the_version_before_agrees_with_one_made_again(added):
    """But for the digests that it was written with, and which this version would write otherwise."""
    stored = PLAN.stored.unpack(of_the_version_before(["a", "b"]))
    made = PLAN.new_state()
    for digest in (b"aaaaaaaa", b"bbbbbbbb"):
        made.digests.remember(digest)
    for n in range(added):
        stored.digests.remember(number(n))
        made.digests.remember(number(n))
    assert agree(PLAN.stored.pack(stored), PLAN.stored.pack(made))
    assert added or agree(of_the_version_before(["a", "b"]), PLAN.stored.pack(made))
    stored.clock = 5
    assert not agree(PLAN.stored.pack(stored), PLAN.stored.pack(made))


def test_states_of_this_version_agree_when_they_are_equal():
    state = PLAN.new_state()
    empty = PLAN.stored.pack(state)
    state.digests.remember(b"12345678")
    assert agree(PLAN.stored.pack(state), PLAN.stored.pack(state)) and agree(None, None)
    for ours, theirs in ((empty, PLAN.stored.pack(state)), (None, empty), (empty, None)):
        assert not agree(ours, theirs)


@given(st.lists(st.sampled_from(["aaaabbbb", "bbbbaaaa", "aabbbbaa", "aaaabbbc"]), max_size=9), st.data())
def test_the_kernel_searches_as_python_does(parts, data):
    held = "".join(parts).encode()
    wanted = data.draw(st.sampled_from([b"aaaabbbb", b"bbbbaaaa", b"bbbbbbbb", b"aaaabbbd"]))
    slow = [held[at + 6 : at + 8] == wanted[6:] for at in range(0, len(held), 8) if held[at : at + 6] == wanted[:6]]
    assert Digests(held).same_content(wanted) == _same_content(held, wanted) == (slow[0] if slow else None)
