"""The bare loop: the job on bytes in memory, one event after the other, without I/O or durable state.

It is the limit that River, fastavro and dicts set for any system in Python on this machine."""

import json
import time
from collections import defaultdict

from load.baselines.features import MemoryCustomer
from load.baselines.job import BaselineJob, tune_garbage_collector
from load.baselines.publishing import encoded_events
from load.baselines.run_settings import RunSettings


def run(settings: RunSettings) -> None:
    """Create the events, then time the loop. Prints its seconds and CPU seconds as JSON."""
    values = [value for _, value in encoded_events(settings.events, schema_id=0)]
    job = BaselineJob(settings.events_topic, settings.prediction_id)
    customers: dict[str, MemoryCustomer] = defaultdict(MemoryCustomer)
    tune_garbage_collector()
    predictions = 0
    began, cpu = time.perf_counter(), time.process_time()
    for offset, value in enumerate(values):
        event = job.decode(value)
        predictions += len(job.answer(customers[event["customer_id"]], event, 0, offset))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"predictions": predictions, "learnt": job.learnt, "seconds": seconds, "cpu_s": cpu}))
