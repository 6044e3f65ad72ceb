"""Judging: labelled examples in; metrics of every arm and drift alerts out."""
