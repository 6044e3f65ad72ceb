"""What a learner may write to the model store during a rebuild."""

import pytest

from agents.operations.rebuild import Again
from streams.errors import TidecastError
from streams.keys import Key, Keys
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import seal

KEY = Keys.of(Key.of("", b"k" * 32))
PATH = "churn/logistic.1/00000000000000000007.snapshot"
SOUND, OTHER = seal(b"a model", KEY), seal(b"another", KEY)


@pytest.fixture
def store() -> MemoryModelStore:
    return MemoryModelStore()


def test_a_learner_sees_no_snapshots_and_writes_the_missing_ones(store: MemoryModelStore) -> None:
    store.put("churn/logistic.1/3.snapshot", b"earlier")
    again = Again(store, KEY)
    assert again.list("churn/") == []
    again.put(PATH, b"new")
    again.put(PATH, b"new")
    assert again.get(PATH) == store.get(PATH) == b"new"
    assert again.written == 1


def test_a_damaged_snapshot_is_written_again(store: MemoryModelStore) -> None:
    store.put(PATH, SOUND[:-1])
    again = Again(store, KEY)
    again.put(PATH, SOUND)
    assert store.get(PATH) == SOUND


def test_a_sound_snapshot_with_other_bytes_stays(store: MemoryModelStore) -> None:
    store.put(PATH, SOUND)
    with pytest.raises(TidecastError, match="other code or on another CPU"):
        Again(store, KEY).put(PATH, OTHER)
    assert store.get(PATH) == SOUND
