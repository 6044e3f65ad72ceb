"""The history in ClickHouse: rows, tables, dashboards."""
