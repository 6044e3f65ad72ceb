"""A worker process: it runs stages, reports their health, and restarts what failed."""
