from streams.features.customer_state import Digests


def number(n):
    return n.to_bytes(8, "big")


def test_the_last_256_are_remembered_and_no_more():
    digests = Digests()
    for n in range(300):
        assert not digests.seen(number(n))
        digests.remember(number(n))
        assert len(digests) == min(n + 1, 256)
    assert not digests.seen(number(43))
    assert all(digests.seen(number(n)) for n in range(44, 300))


def test_half_of_one_and_half_of_the_next_is_neither():
    digests = Digests()
    digests.remember(b"aaaabbbb")
    digests.remember(b"ccccdddd")
    digests.remember(b"bbbbcccc")
    assert not Digests(digests.data[:16]).seen(b"bbbbcccc")
    assert digests.seen(b"bbbbcccc")
    assert not digests.seen(b"ddddbbbb")
