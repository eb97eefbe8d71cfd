"""Golden files: what a pure translation gave when somebody last read it."""

from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def assert_golden(name: str, text: str, *, update: bool) -> None:
    """Compare ``text`` with the golden file, or write it when asked to (``--update-golden``)."""
    path = GOLDEN / name
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path} is missing: run pytest with --update-golden and read what it writes"
    assert text == path.read_text(encoding="utf-8"), f"differs from {path}; run pytest with --update-golden and read the diff"
