"""Learning and answers of the baselines."""

from collections import defaultdict
from importlib.resources import files
from io import BytesIO
from math import isnan
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader

from load.baselines.checking import BaselineAnswers, check
from load.baselines.features import NAMES, MemoryCustomer, features, update
from load.baselines.job import LEARN_EVERY, PREDICTION_SCHEMA, TARGETS, BaselineJob, labels
from load.baselines.publishing import encoded_events
from load.reference.events import DAY_MS, START_MS, activities
from load.wire import HEADER, plain
from streams.usecases import load_use_case

PARSED = parse_schema(plain(PREDICTION_SCHEMA))


def read(value: bytes) -> dict[str, Any]:
    assert HEADER.unpack_from(value) == (0, 77)
    record: dict[str, Any] = schemaless_reader(BytesIO(value[HEADER.size :]), PARSED, None)
    return record


def happened(kind: str, moment: int) -> dict[str, Any]:
    return {"event_id": "e", "customer_id": "c", "type": kind, "occurred_at": moment, "amount": 2.0}


def test_the_names_and_their_order_are_the_reference_use_case() -> None:
    reference = load_use_case(str(files("load") / "reference" / "use_case"))
    assert tuple(feature.name for feature in reference.features) == NAMES
    assert tuple(target.name for target in reference.targets) == TARGETS


def test_events_come_back_as_they_were_published() -> None:
    job = BaselineJob("events", 77)
    for (key, value), record in zip(encoded_events(200, 5), activities(200, 30, seed=1), strict=True):
        assert key == record["customer_id"].encode() and job.decode(value) == record


def test_two_predictions_per_event_and_every_tenth_is_learnt() -> None:
    job, customers = BaselineJob("events", 77), {}
    for offset, (key, value) in enumerate(encoded_events(1003, 5)):
        event = job.decode(value)
        customer = customers.setdefault(key, MemoryCustomer())
        answers = [read(answer) for answer in job.answer(customer, event, 3, offset)]
        assert [answer["target"] for answer in answers] == list(TARGETS)
        for answer in answers:
            assert answer["source"] == {"topic": "events", "partition": 3, "offset": offset}
            assert answer["customer_id"].encode() == key and answer["asked_at"] == customer.clock
            assert (
                answer["version"] == f"{answer['target']}@{(offset + 1) // LEARN_EVERY}" and 0 <= answer["value"] <= 1
            )
            known = features(customer)
            for name, number in zip(NAMES, answer["vector"], strict=True):
                assert number == known[name] if name in known else isnan(number)
    assert job.learnt == 100


def answered(events: int) -> list[bytes]:
    """Answer events in four partitions, as the real systems do. Customers are spread, and each partition learns
    alone."""
    job, customers, offsets, predictions = BaselineJob("events", 77), defaultdict(MemoryCustomer), [0] * 4, []
    for key, value in encoded_events(events, 5):
        partition = int(key[1:]) % 4
        predictions += job.answer(customers[key], job.decode(value), partition, offsets[partition])
        offsets[partition] += 1
    return predictions


def test_the_check_of_a_run_finds_what_is_wrong() -> None:
    predictions = answered(1003)
    check(predictions[::-1], 1003)
    with pytest.raises(ValueError, match="2004 predictions for 1003 events"):
        check(predictions[2:], 1003)
    with pytest.raises(ValueError, match="answered twice"):
        check([*predictions[1:], predictions[1]], 1003)
    job = BaselineJob("events", 77)
    fresh = [
        answer
        for n, (_, v) in enumerate(encoded_events(1003, 5))
        for answer in job.answer(MemoryCustomer(), job.decode(v), 0, n)
    ]
    with pytest.raises(ValueError, match="expected"):
        check(fresh, 1003)
    most = BaselineAnswers(predictions).learnt
    assert 90 < most < 100
    with pytest.raises(ValueError, match="examples learnt instead of"):
        check([value.replace(b"@%d" % most, b"@01") for value in predictions], 1003)


@pytest.mark.parametrize(
    ("kind", "after", "expected"),
    [
        ("topup", DAY_MS, {"top_up": True, "silence": False}),
        ("topup", DAY_MS + 1, {"top_up": False, "silence": True}),
        ("call", 0, {"top_up": False, "silence": False}),
        ("call", -600_000, {"top_up": False, "silence": False}),
        ("call", 3 * DAY_MS, {"top_up": False, "silence": True}),
    ],
)
def test_labels_answer_the_question_of_the_event_before(kind: str, after: int, expected: dict[str, bool]) -> None:
    customer = MemoryCustomer()
    update(customer, "call", START_MS, 1.0)
    assert labels(customer, happened(kind, START_MS + after)) == expected


def test_someone_new_was_silent() -> None:
    assert labels(MemoryCustomer(), happened("topup", START_MS)) == {"top_up": False, "silence": True}


def test_what_is_learnt_is_the_vector_before_the_event() -> None:
    job, learnt = BaselineJob("events", 77), []
    job._learn = lambda known, outcomes: learnt.append((known, outcomes))  # type: ignore[method-assign]
    customer = MemoryCustomer()
    job.answer(customer, happened("call", START_MS), 0, 0)
    before = features(customer)
    job.answer(customer, happened("topup", START_MS + 5), 0, LEARN_EVERY - 1)
    assert learnt == [(before, {"top_up": True, "silence": False})]
