"""Serves the health and metrics of a worker process: /livez, /readyz, /healthz, /metrics."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.runtime.metrics import HEALTHY
from streams.errors import without_credentials

log = logging.getLogger(__name__)
WORK, KAFKA, LOG, STORE, LATE = "work", "kafka", "log", "store", "late"
"""Who finds a problem: the work itself, and the watches over Kafka's brokers, the logs, the store and late events. Each
takes back only what it has found."""


@dataclass(slots=True)
class StageHealth:
    """The state of one stage: `ready` once it owns its partitions, `problem` while it waits for something.

    `warning`: what a person should look at while the stage goes on. It does not turn the stage red: to start it again
    would not help."""

    name: str
    ready: bool = False
    warning: str = ""
    _problems: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """All that the stage waits for; "" for nothing."""
        return " ".join(dict.fromkeys(self._problems.values()))

    def has(self, finder: str) -> bool:
        """Return whether `finder` has found a problem and not taken it back."""
        return finder in self._problems

    def red(self, problem: str, finder: str = WORK) -> None:
        """Mark the stage as waiting, and why. Logs a change."""
        problem = without_credentials(problem)
        if problem not in self._problems.values():
            log.warning("%s is red: %s", self.name, problem)
        self._problems[finder] = problem
        HEALTHY.labels(self.name).set(0)

    def warn(self, warning: str) -> None:
        """Set the warning; "" for none. Logs a change."""
        if warning != self.warning:
            log.warning("%s: %s", self.name, warning or "what it warned of is over")
        self.warning = warning

    def green(self, finder: str = WORK) -> None:
        """Take back what `finder` has found; the work makes the stage ready as well. Logs a change."""
        if self._problems.pop(finder, None) is not None and not self._problems:
            log.warning("%s is green again", self.name)
        self.ready = self.ready or finder == WORK
        if not self._problems:
            HEALTHY.labels(self.name).set(1)

    def as_json(self) -> dict[str, object]:
        """Return the form that the endpoints show."""
        return {"name": self.name, "ready": self.ready, "problem": self.problem, "warning": self.warning}


class HealthServer:
    """The HTTP endpoint of one process.

    /livez     200 while the process works. It does not ask servers: whoever restarts workers asks here.
    /readyz    200 when every stage owns its partitions and waits for nothing.
    /healthz   200 when no stage waits for anything, also before the stages are ready."""

    def __init__(self, stages: list[StageHealth], host: str, port: int) -> None:
        """`port` 0 takes a free one; see `port` after `start`."""
        self._stages = stages
        self._host = host
        self.port = port
        routes = [
            web.get("/livez", self._livez),
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ]
        app = web.Application()
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, file: Path | None = None) -> None:
        """Listen; the address is also written to `file`."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        if file is not None:
            file.write_text(f"http://{self._host}:{self.port}\n")

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return self._answer(True)

    async def _healthz(self, _: web.Request) -> web.Response:
        return self._answer(all(not stage.problem for stage in self._stages))

    async def _readyz(self, _: web.Request) -> web.Response:
        return self._answer(all(stage.ready and not stage.problem for stage in self._stages))

    def _answer(self, good: bool) -> web.Response:
        text = json.dumps([stage.as_json() for stage in self._stages])
        return web.Response(text=text, status=200 if good else 503, content_type="application/json")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
