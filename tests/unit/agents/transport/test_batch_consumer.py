import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.runtime.stage_runner import LONGEST_WAIT, backoff
from agents.transport.batch_consumer import FIRST_RECORDS, BatchConsumer, Fetched, sliced
from streams.log import Record, TopicPartition

FETCHES = st.dictionaries(st.integers(0, 5), st.integers(0, 60), max_size=6)


def fetched(counts: dict[int, int]) -> dict[TopicPartition, list[Record]]:
    return {
        TopicPartition("t", partition): [Record(offset, 0, None, b"") for offset in range(count)]
        for partition, count in counts.items()
    }


@given(FETCHES, st.integers(1, 40))
def test_slices_keep_every_record_once_and_in_order(counts: dict[int, int], most: int) -> None:
    records = fetched(counts)
    seen: dict[TopicPartition, list[Record]] = {place: [] for place in records}
    for batch in sliced(records, lambda: most):
        assert all(batch.values())
        assert sum(map(len, batch.values())) <= max(most, len(batch))
        for place, part in batch.items():
            seen[place] += part
    assert seen == records


def test_no_partition_waits_for_a_larger_one() -> None:
    first = next(sliced(fetched({0: 1_000, 1: 5}), lambda: 10))
    assert {place.partition: len(part) for place, part in first.items()} == {0: 5, 1: 5}


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_never_nothing(attempt: int, chance: float) -> None:
    assert 0.0 < backoff(attempt, lambda: chance) <= LONGEST_WAIT


def test_backoff_grows() -> None:
    pauses = [backoff(attempt, lambda: 1.0) for attempt in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_WAIT


class Fetching(BatchConsumer):
    """A consumer without Kafka. Its batches in flight leave no room."""

    should_stop = False

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.on_init()
        self.app: Any = SimpleNamespace(batch_records=10)
        self.flow_active = True
        self.suspend_flow = asyncio.Event()
        self.fetches = 0
        self._placed = True
        self._room.clear()

    def assignment(self) -> set[Any]:
        """Return no partitions."""
        return set()

    async def wait_first(self, *waited: Any, timeout: Any = None) -> None:
        """Wait for the first of the given events only."""
        for coroutine in waited[1:]:
            coroutine.close()
        await waited[0]

    async def _wait_next_records(self, timeout: float) -> Any:
        self.fetches += 1
        return {}, None


def test_nothing_is_fetched_between_a_failed_batch_and_going_back_to_its_place() -> None:
    # Batches A and B are fetched and in progress. A fails. Records after B must wait until A is read again.
    async def fetch(fails: bool) -> int:
        consumer = Fetching()

        async def read() -> None:
            async for _ in consumer.getmany(1.0):
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        if fails:
            consumer.void()
        else:
            consumer._room.set()
        await reading
        return consumer.fetches

    assert asyncio.run(fetch(fails=False)) == 1
    assert asyncio.run(fetch(fails=True)) == 0


def test_a_batch_makes_room_once_and_a_void_one_never() -> None:
    async def room() -> list[bool]:
        consumer = Fetching()
        batch, void = Fetched({}, consumer.assignment_number), Fetched({}, consumer.assignment_number - 1)
        found = []
        consumer.make_room(void)
        found.append(consumer._room.is_set())
        consumer.make_room(batch)
        found.append(consumer._room.is_set())
        consumer._room.clear()  # the next batch took the room
        consumer.finished(batch, {}, {})
        return [*found, consumer._room.is_set()]

    assert asyncio.run(room()) == [False, True, False]


async def gathered(comes: list[int], left: int = 0, value: bytes = b"") -> tuple[int, int]:
    """Return the numbers of gathered records and of waits. Fetches return `comes` records. `left` more follow in the
    log."""
    end, now, offset, waits = sum(comes) + left, 100.0, 0, 0
    consumer = Fetching()
    consumer.app = SimpleNamespace(
        batch_records=8000, batch_interval=1.0, place=lambda tp: TopicPartition(*tp), end_offset=lambda place: reached
    )
    reached = end if left else 0
    consumer.loop = SimpleNamespace(time=lambda: now)
    consumer._last_batch = now

    async def wait(*waited: Any, timeout: Any = None) -> None:
        nonlocal now, waits
        for coroutine in waited:
            coroutine.close()
        now, waits = now + 1.0, waits + 1

    async def fetch(timeout: float) -> Any:
        nonlocal now, offset, reached
        now += 0.25
        found = [Record(offset + number, 0, None, value) for number in range(comes.pop(0))]
        offset += len(found)
        reached = end if left else offset
        return ({TP("t", 0): found} if found else {}), None

    consumer.wait_first = wait  # type: ignore[method-assign]
    consumer._wait_next_records = fetch  # type: ignore[method-assign]
    fetched = await consumer._fetch(1.0)
    await consumer._gather(fetched, consumer.assignment_number)
    assert [record.offset for record in fetched[TopicPartition("t", 0)]] == list(range(offset))
    return offset, waits


def test_a_stage_that_lingers_waits_at_the_end_of_the_log() -> None:
    assert asyncio.run(gathered([3, 40])) == (43, 1)
    assert asyncio.run(gathered([3, 0])) == (3, 1)
    assert asyncio.run(gathered([3, 0, 40], left=1)) == (43, 1)  # a marker, and no record follows it at first


def test_a_stage_that_lingers_does_not_wait_in_the_midst_of_the_log() -> None:
    assert asyncio.run(gathered([2000, 1500, 900], left=9)) == (4400, 0)
    assert asyncio.run(gathered([600, 600, 600, 600, 600, 20], left=9)) == (3020, 0)  # a small fetch after the interval
    assert asyncio.run(gathered([3, 3, 3, 3], left=9)) == (12, 0)
    assert asyncio.run(gathered([4], left=9, value=bytes(1 << 20))) == (4, 0)  # 4 MiB are enough


def test_batches_grow_from_small_ones_to_the_allowed_size() -> None:
    async def sizes() -> list[int]:
        consumer = Fetching()
        consumer.app.batch_records = 5 * FIRST_RECORDS
        return [consumer._growing() for _ in range(5)]

    assert asyncio.run(sizes()) == [FIRST_RECORDS * times for times in (1, 2, 4, 5, 5)]
