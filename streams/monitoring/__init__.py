"""Monitoring: watches inputs and answers without waiting for labels, by profiles per window and drift alerts.

When every partition's progress has passed the end of a window, the profiles of all source partitions are merged and
compared with the reference: the first complete windows after the deployment that are not empty."""

from streams.monitoring.stage import Monitoring

__all__ = ["Monitoring"]
