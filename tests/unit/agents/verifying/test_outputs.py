from typing import Any

import pytest

from agents.verifying.finding import Finding
from agents.verifying.outputs import Outputs
from schemas.catalog import load_schemas
from schemas.topics import CUSTOMER_EVENTS, LABELLED_EXAMPLES, PREDICTIONS
from streams.avro.codec import Codec, MemoryRegistry
from streams.log import Output, Record, TopicPartition

CODEC = Codec(MemoryRegistry(), load_schemas())
SOURCE, PLACE = TopicPartition(CUSTOMER_EVENTS, 1), TopicPartition(PREDICTIONS, 1)


def value(offset: int, ordinal: int = 0, topic: str = CUSTOMER_EVENTS, tick: int = 0) -> bytes:
    source: dict[str, Any] = {"topic": topic, "epoch": 7, "partition": 1, "offset": offset, "ordinal": ordinal}
    return CODEC.encode(
        "tidecast.Progress", {"watermark": 0, "tick": tick, "opened": {}, "settled": {}, "source": source}
    )


EXPECTED = [value(3), value(3, 1), value(9)]


def compared(values: list[bytes]) -> Finding:
    outputs = Outputs(CODEC, [CUSTOMER_EVENTS])
    outputs.expect(SOURCE, [Output(PREDICTIONS, 1, None, one) for one in EXPECTED])
    outputs.read(PLACE, [Record(at, 0, None, one) for at, one in enumerate(values)])
    return outputs.finding("name", "what")


def test_the_same_records_some_twice_are_identical() -> None:
    found = compared([*EXPECTED[:2], *EXPECTED[:2], value(4, topic=LABELLED_EXAMPLES), *EXPECTED])
    assert (found.compared, found.repeated, found.differences) == (3, 4, [])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (EXPECTED[:2], "from record 2 on, at its end: 1 of the replay are missing, 0 are not from the replay"),
        ([EXPECTED[0], EXPECTED[2]], "from record 1 on, caused by offset 9: 1 of the replay are missing"),
        ([*EXPECTED, value(11)], "caused by offset 11: 0 of the replay are missing, 1 are not from the replay"),
        ([*EXPECTED[:2], value(9, tick=1)], "caused by offset 9: 1 of the replay are missing, 1 are not"),
        ([*EXPECTED, value(3, 1, tick=1)], "offset 3 caused, ordinal 1, was sent again with other bytes"),
        ([*EXPECTED, value(5)], "offset 5 caused, ordinal 0, was sent again with other bytes, or after later outputs"),
    ],
)
def test_every_difference_is_named(values: list[bytes], said: str) -> None:
    [difference] = compared(values).differences
    assert difference.startswith("predictions[1] from customer-events[1]: ") and said in difference
