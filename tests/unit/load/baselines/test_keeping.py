"""Each baseline reads back the customer state that it stored and computes the same features from it."""

from load.baselines import confluent_loop, faust_app
from load.baselines.features import CustomerTiles, MemoryCustomer, features, update
from load.baselines.run_settings import RunSettings
from load.reference.events import activities


def lived(customer: CustomerTiles) -> CustomerTiles:
    for record in activities(400, 30, seed=2):
        update(customer, record["type"], record["occurred_at"], record["amount"])
    return customer


def test_a_redis_hash() -> None:
    customer = MemoryCustomer()
    lived(customer)
    fields = confluent_loop.to_hash(customer)
    assert confluent_loop.from_hash(fields) == customer
    assert confluent_loop.from_hash({}) == MemoryCustomer()


def test_a_record_of_the_changelog() -> None:
    customer = lived(faust_app.newcomer())
    found = faust_app.TableCustomer.loads(customer.dumps())
    assert features(found) == features(customer) == features(lived(MemoryCustomer()))
    assert (found.hours, found.days, found.seen, found.clock) == (
        customer.hours,
        customer.days,
        customer.seen,
        customer.clock,
    )
    assert faust_app.newcomer().hours is not faust_app.newcomer().hours


def test_an_app_connects_to_nothing_until_it_starts() -> None:
    app = faust_app.build(RunSettings("nowhere:1", "", "x-", 4, 10))
    assert app.conf.id == "x-scoring" and app.tables["customers"].value_type is faust_app.TableCustomer


def test_an_order_survives_the_command_line() -> None:
    settings = RunSettings("k:1", "unix://r", "p-", 4, 10, 7)
    assert RunSettings.from_json(settings.to_json()) == settings
    assert (settings.events_topic, settings.predictions_topic, settings.group) == (
        "p-events",
        "p-predictions",
        "p-scoring",
    )
