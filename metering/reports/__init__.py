"""Reports: rated lines and statements as files for people, spreadsheets and other systems; whole or not at all.

``facets`` and the dataset modules say what a row holds (pure); ``source`` reads the lines; ``tables`` turns chunks of them
into CSV, JSON and Parquet; ``files`` sees to bytes, hashes and full disks.
"""
