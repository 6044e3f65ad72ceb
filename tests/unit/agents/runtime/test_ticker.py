from types import SimpleNamespace
from typing import Any

import pytest

from agents.runtime.ticker import GROUPS, Ticker, groups
from schemas.catalog import load_schemas
from streams.avro.codec import Codec, MemoryRegistry
from streams.keys import Keys
from streams.log import Output, TopicPartition


@pytest.mark.parametrize("partitions", [0, 1, 3, 4, 9])
def test_in_all_groups_together_each_owned_partition_gets_one_tick(partitions: int) -> None:
    codec = Codec(MemoryRegistry(), load_schemas())
    sent: list[list[Output]] = []
    owned = tuple(TopicPartition("customer-events", number) for number in range(partitions))
    runner: Any = SimpleNamespace(owned=owned)
    emitter = SimpleNamespace(emit=sent.append)
    wiring: Any = SimpleNamespace(
        codec=codec,
        keys=Keys(),
        use_case=SimpleNamespace(tick_every="1s", name="shop"),
        emitter=lambda: emitter,
    )
    ticker = Ticker(wiring, runner)
    for group in range(GROUPS):
        ticker._tick({group})
    assert sorted(tick.partition for ticks in sent for tick in ticks) == list(range(partitions))
    assert max(map(len, sent)) <= -(-partitions // GROUPS)
    assert all(codec.decode(tick.value)[0] == "tidecast.Tick" for ticks in sent for tick in ticks)


def test_no_group_is_passed_over_however_long_the_last_ones_took() -> None:
    assert groups(7, 7) == set()  # woken too early
    assert groups(7, 8) == {8 % GROUPS}
    assert groups(6, 7) == {7 % GROUPS}
    assert groups(6, 9) == {7 % GROUPS, 8 % GROUPS, 9 % GROUPS}
    assert groups(7, 7 + 10 * GROUPS) == set(range(GROUPS))
