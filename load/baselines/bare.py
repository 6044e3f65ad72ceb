"""A bare loop: the job on bytes in memory, one event after another, no I/O and nothing durable.

What it reaches is what River, fastavro and dicts leave to any system in Python on this machine."""

import json
import time
from collections import defaultdict

from load.baselines.features import Profile
from load.baselines.job import Job, calm_garbage_collector
from load.baselines.order import Order
from load.baselines.publishing import encoded_events


def run(order: Order) -> None:
    """Make the events, then time the loop; prints its seconds and CPU seconds as JSON."""
    values = [value for _, value in encoded_events(order.events, schema_id=0)]
    job = Job(order.events_topic, order.prediction_id)
    customers: dict[str, Profile] = defaultdict(Profile)
    calm_garbage_collector()
    made = 0
    began, cpu = time.perf_counter(), time.process_time()
    for offset, value in enumerate(values):
        event = job.decode(value)
        made += len(job.answer(customers[event["customer_id"]], event, 0, offset))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"predictions": made, "learnt": job.learnt, "seconds": seconds, "cpu_s": cpu}))
