"""Serves the health and metrics of a worker process: /healthz, /readyz, /metrics."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agents.runtime.metrics import HEALTHY

log = logging.getLogger(__name__)


@dataclass(slots=True)
class StageHealth:
    """The state of one stage: `ready` once it owns its partitions, `problem` while it waits for something.

    `warning`: what a person should look at while the stage goes on. It does not turn the stage red: to start it again
    would not help."""

    name: str
    ready: bool = False
    problem: str = ""
    warning: str = ""

    def red(self, problem: str) -> None:
        """Mark the stage as waiting, and why. Logs a change."""
        if problem != self.problem:
            log.warning("%s is red: %s", self.name, problem)
        self.problem = problem
        HEALTHY.labels(self.name).set(0)

    def warn(self, warning: str) -> None:
        """Set the warning; "" for none. Logs a change."""
        if warning != self.warning:
            log.warning("%s: %s", self.name, warning or "what it warned of is over")
        self.warning = warning

    def green(self) -> None:
        """Mark the stage as working or idle. Logs a change."""
        if self.problem:
            log.warning("%s is green again", self.name)
        self.ready = True
        self.problem = ""
        HEALTHY.labels(self.name).set(1)


class HealthServer:
    """The HTTP endpoint of one process."""

    def __init__(self, stages: list[StageHealth], host: str, port: int) -> None:
        """`port` 0 takes a free one; see `port` after `start`."""
        self._stages = stages
        self._host = host
        self.port = port
        routes = [
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

    async def _healthz(self, _: web.Request) -> web.Response:
        return self._answer(all(not stage.problem for stage in self._stages))

    async def _readyz(self, _: web.Request) -> web.Response:
        return self._answer(all(stage.ready and not stage.problem for stage in self._stages))

    def _answer(self, good: bool) -> web.Response:
        text = json.dumps([asdict(stage) for stage in self._stages])
        return web.Response(text=text, status=200 if good else 503, content_type="application/json")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
