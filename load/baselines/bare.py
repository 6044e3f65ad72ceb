"""A bare loop: the job on bytes in memory, one event after another, no I/O and nothing durable.

What it reaches is what River, fastavro and dicts leave to any system in Python on this machine."""

import json
import time
from collections import defaultdict

from load.baselines.features import MemoryCustomer
from load.baselines.job import BaselineJob, tune_garbage_collector
from load.baselines.publishing import encoded_events
from load.baselines.run_settings import RunSettings


def run(settings: RunSettings) -> None:
    """Make the events, then time the loop; prints its seconds and CPU seconds as JSON."""
    values = [value for _, value in encoded_events(settings.events, schema_id=0)]
    job = BaselineJob(settings.events_topic, settings.prediction_id)
    customers: dict[str, MemoryCustomer] = defaultdict(MemoryCustomer)
    tune_garbage_collector()
    made = 0
    began, cpu = time.perf_counter(), time.process_time()
    for offset, value in enumerate(values):
        event = job.decode(value)
        made += len(job.answer(customers[event["customer_id"]], event, 0, offset))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"predictions": made, "learnt": job.learnt, "seconds": seconds, "cpu_s": cpu}))
