"""Reads rows of CSV, JSON and Parquet files with their line numbers, in bounded memory."""
