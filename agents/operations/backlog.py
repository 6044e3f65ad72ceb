"""Checks the backlog of stages, by the offsets that they report to their groups."""

from agents.kafka.consumer_groups import reported
from agents.kafka.log_reader import LogReader
from agents.settings import Settings
from agents.stages import STAGES
from streams.errors import TidecastError


def refuse_backlog(settings: Settings) -> None:
    """Raise TidecastError when a stage has events, examples or predictions left to process.

    They must be processed under the definitions under which they were made. Ticks and other records without a key do
    not count."""
    with LogReader(settings) as reader:
        for stage in [stage for stage in STAGES.values() if stage.drained]:
            places = reader.partitions(stage.drained)
            for place, offset in reported(settings, stage.group, places).items():
                low, high = reader.bounds(place)
                if any(record.key is not None for record in reader.read(place, max(low, offset), high)):
                    raise TidecastError(
                        f"{stage.name} has not finished {stage.drained} under the definitions in force: stop "
                        "publishing, wait until `tidecast status` shows no lag (their workers must run), then deploy "
                        "again."
                    )
