"""The only SQL for inventory records: rows in, domain values out."""
