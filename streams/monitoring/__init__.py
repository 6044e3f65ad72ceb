"""Monitoring watches inputs and answers without waiting for labels: profiles per window, and drift alerts.

Profiles of each source partition are merged when every partition's progress has passed a window's end, and compared
with the reference: the first complete windows after the deployment that are not empty."""

from streams.monitoring.stage import Monitoring

__all__ = ["Monitoring"]
