"""The partition of a customer, by Kafka's default partitioner."""

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit MurmurHash2 of Kafka's Java client (seed 0x9747b28c; kafka.common.utils.Utils)."""
    length = len(data)
    h = 0x9747B28C ^ length
    end = length & ~3
    for i in range(0, end, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    rest = data[end:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(customer_id: str, partitions: int) -> int:
    """Return the partition of a customer among `partitions`, as Java, kafkajs and murmur2_random compute it."""
    return partition_of_key(customer_id.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """Return the partition of a record key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
