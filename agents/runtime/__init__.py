"""A worker process: runs stages, reports their health, and restarts what failed."""
