"""Make focus-validator 2.2.1 run on Python 3.11: one expression of it is written in the grammar of 3.12.

It asks for Python 3.12 only because of a backslash inside an f-string. Run with the Python of its own environment.
"""

import sys
import sysconfig
from pathlib import Path

FILE = Path(sysconfig.get_path("purelib")) / "focus_validator" / "config_objects" / "focus_to_duckdb_converter.py"
NEW_GRAMMAR = """", ".join(f"'{k.replace('\\"', '\\"\\"')}'" for k in ignore_keys)"""
SAME = """", ".join("'" + k.replace('"', '""') + "'" for k in ignore_keys)"""

if __name__ == "__main__" and sys.version_info < (3, 12):
    text = FILE.read_text("utf-8")
    if SAME not in text:
        assert text.count(NEW_GRAMMAR) == 1, "another version of the validator: look at it again"
        FILE.write_text(text.replace(NEW_GRAMMAR, SAME), "utf-8")
