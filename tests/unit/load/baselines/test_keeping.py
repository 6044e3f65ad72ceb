"""What the baselines keep of a customer comes back from where they keep it, and the answers with it."""

from load.baselines import confluent_loop, faust_app
from load.baselines.features import Customer, Profile, features, update
from load.baselines.order import Order
from load.reference.events import activities


def lived(customer: Customer) -> Customer:
    for record in activities(400, 30, seed=2):
        update(customer, record["type"], record["occurred_at"], record["amount"])
    return customer


def test_a_redis_hash() -> None:
    profile = Profile()
    lived(profile)
    fields = confluent_loop.to_hash(profile)
    assert confluent_loop.from_hash(fields) == profile
    assert confluent_loop.from_hash({}) == Profile()


def test_a_record_of_the_changelog() -> None:
    customer = lived(faust_app.newcomer())
    found = faust_app.Customer.loads(customer.dumps())
    assert features(found) == features(customer) == features(lived(Profile()))
    assert (found.hours, found.days, found.seen, found.clock) == (
        customer.hours,
        customer.days,
        customer.seen,
        customer.clock,
    )
    assert faust_app.newcomer().hours is not faust_app.newcomer().hours


def test_an_app_connects_to_nothing_until_it_starts() -> None:
    app = faust_app.build(Order("nowhere:1", "", "x-", 4, 10))
    assert app.conf.id == "x-scoring" and app.tables["customers"].value_type is faust_app.Customer


def test_an_order_survives_the_command_line() -> None:
    order = Order("k:1", "unix://r", "p-", 4, 10, 7)
    assert Order.from_json(order.to_json()) == order
    assert (order.events_topic, order.predictions_topic, order.group) == ("p-events", "p-predictions", "p-scoring")
