"""Customers are in the partitions that Kafka's own clients choose."""

from aiokafka.partitioner import murmur2 as kafkas
from hypothesis import given
from hypothesis import strategies as st

from streams.partitioner import murmur2, partition_of


@given(st.binary(max_size=64))
def test_murmur2_is_kafkas(data: bytes) -> None:
    assert murmur2(data) == kafkas(data) & 0xFFFFFFFF


def test_javas_own_examples() -> None:
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2, as unsigned numbers
    for text, expected in {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}.items():
        assert murmur2(text) == expected & 0xFFFFFFFF


@given(st.text(), st.integers(1, 100))
def test_a_partition_is_one_of_them(customer: str, partitions: int) -> None:
    assert 0 <= partition_of(customer, partitions) < partitions
