import msgpack

from streams.timeline import COUNTERS, PartitionHeader, Serving, extended, paused_time


def test_a_header_comes_back_as_it_was() -> None:
    header = PartitionHeader(last_tick=5, deployment_id="d")
    header.counters["accepted"] = 7
    header.opened["churn"] = 3
    header.serving["churn/logistic"] = Serving("v@2", 0, 2, "path", b"digest", 4, ("v@1", "old", b"old digest"))
    header.serving["churn/prior"] = Serving("v@2", 1, 2, "path", b"digest", -1)
    assert PartitionHeader.unpack(header.pack()) == header
    assert header.pack() == PartitionHeader.unpack(header.pack()).pack()


def test_a_header_of_fewer_counters_gets_the_others() -> None:
    header = PartitionHeader()
    del header.counters["unmatched"]
    assert PartitionHeader.unpack(header.pack()).counters == dict.fromkeys(COUNTERS, 0)


def test_a_header_of_a_former_release_counts_from_now_on() -> None:
    told = msgpack.unpackb(PartitionHeader(last_tick=5).pack())
    former = msgpack.packb({name: told[name] for name in told.keys() - {"asked", "fallbacks", "retained"}})
    header = PartitionHeader.unpack(former)
    assert header == PartitionHeader(last_tick=5)
    for _ in range(2):
        header.count_answers({"churn": 3}, {("churn", "logistic", "failed"): 1})
    assert (header.asked, header.fallbacks) == ({"churn": 6}, {"churn/logistic/failed": 2})


def test_a_header_of_a_later_version_is_read() -> None:
    packed = msgpack.packb(msgpack.unpackb(PartitionHeader(last_tick=5).pack()) | {"news": 1})
    assert PartitionHeader.unpack(packed) == PartitionHeader(last_tick=5)


def test_before_the_first_tick_nothing_is_late() -> None:
    assert PartitionHeader().watermark(1000) is None
    assert PartitionHeader(last_tick=5000).watermark(1000) == 4000
    assert PartitionHeader(last_tick=-5000).watermark(1000) == -6000


def test_paused_time_is_no_part_of_a_horizon():
    """Asked at 10 with a horizon of 20."""
    assert extended(10, 20, [], None) == 30
    assert extended(10, 20, [[15, 40]], None) == 55
    assert extended(10, 20, [[5, 12]], None) == 32  # asked within the pause
    assert extended(10, 20, [[2, 9], [31, 90]], None) == 30  # over before, and begun after
    assert extended(10, 20, [[30, 40]], None) == 30  # it ended when time was paused
    assert extended(10, 20, [[15, 40], [50, 60]], None) == 65
    assert extended(10, 20, [[15, None]], None) == 30  # not yet known
    assert extended(10, 20, [[15, None]], 100) == 115


def test_the_paused_time_between_two_moments():
    pauses = [[10, 20], [30, 40], [50, None]]
    assert paused_time(pauses, 0, 100) == 20
    assert paused_time(pauses, 15, 35) == 10
    assert paused_time(pauses, 20, 30) == 0


def test_only_a_paused_partition_stores_that_it_was():
    plain = PartitionHeader(last_tick=5).pack()
    assert b"pause" not in plain and b"gap" not in plain
    header = PartitionHeader(is_paused=True, pause_number=7, pauses=[[1, 2], [3, None]], gap_from=0)
    assert PartitionHeader.unpack(header.pack()) == header
