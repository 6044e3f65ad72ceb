"""Measures the constants behind `tidecast size`."""
