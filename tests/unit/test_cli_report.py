"""``allot meter report`` fetches a file whole: from where it broke off, checked, and never half."""

import hashlib
import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.cli import meter_report
from inventory.domain.errors import Unavailable
from tests.support.small_disk import small_disk

DATA = bytes(range(256)) * 4000
ETAG = hashlib.sha256(DATA).hexdigest()
MANIFEST = {"state": "closed", "format": "csv", "bytes": len(DATA), "sha256": ETAG, "rows": 1, "yuan": "1.000000", "as_of_s": 5}


class Answer(io.BytesIO):
    """An answer that breaks off after so many bytes."""

    def __init__(self, data: bytes, status: int, breaks_after: int | None) -> None:
        super().__init__(data)
        self.status, self.left = status, breaks_after

    def read(self, size: int | None = -1, /) -> bytes:
        if self.left is not None:
            if self.left <= 0:
                raise ConnectionResetError
            size = min(size or self.left, self.left)
            self.left -= size
        return super().read(size)


class Api:
    """A service that breaks off and goes on."""

    def __init__(self, breaks: list[int | None], data: bytes = DATA) -> None:
        self.breaks, self.data, self.asked = breaks, data, list[dict[str, Any]]()

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return MANIFEST

    def stream(self, path: str, headers: dict[str, str], **query: Any) -> Answer:
        self.asked.append({**headers, **query})
        begin = int(headers["Range"].removeprefix("bytes=").rstrip("-")) if "Range" in headers else 0
        return Answer(self.data[begin:], 206 if begin else 200, self.breaks.pop(0))

    def beside(self, **_means: Any) -> "Api":
        return self

    def close(self) -> None:
        pass


def session(api: Api) -> Any:
    out = SimpleNamespace(working=lambda *_a, **_k: nullcontext(), progress=lambda *_a: nullcontext(lambda _n: None))
    return SimpleNamespace(api=api, out=out)


def fetched(api: Api, place: Path) -> dict[str, Any]:
    return meter_report._one(session(api), "2026-05", "lines", {"format": ""}, place)


def test_a_fetch_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    api, place = Api([300_000, 400_000, None]), tmp_path / "deep" / "lines.csv"
    assert fetched(api, place)["file"] == str(place)
    assert place.read_bytes() == DATA
    assert [a.get("Range") for a in api.asked] == [None, "bytes=300000-", "bytes=700000-"]
    assert api.asked[1]["If-Range"] == f'"{ETAG}"'
    assert list(place.parent.iterdir()) == [place]


def test_the_next_command_goes_on_too(tmp_path: Path) -> None:
    place = tmp_path / "lines.csv"
    (tmp_path / "lines.csv.partial").write_bytes(DATA[:500_000])
    api = Api([None])
    fetched(api, place)
    assert api.asked[0]["Range"] == "bytes=500000-"
    assert place.read_bytes() == DATA


def test_what_is_not_what_was_sent_is_thrown_away(tmp_path: Path) -> None:
    place = tmp_path / "lines.csv"
    place.write_bytes(b"the month before")
    with pytest.raises(Unavailable, match=r"cli\.report_broken"):
        fetched(Api([None], DATA[::-1]), place)
    assert place.read_bytes() == b"the month before"
    assert (tmp_path / "lines.csv.partial").read_bytes() == b""


def test_a_fetch_goes_on_for_as_long_as_something_comes(tmp_path: Path) -> None:
    """A line that breaks every 100 KB: more often than it may break in vain, and still the file arrives."""
    api, place = Api([100_000] * 10 + [None]), tmp_path / "lines.csv"
    fetched(api, place)
    assert place.read_bytes() == DATA
    assert len(api.asked) == 11


def test_a_fetch_that_never_ends_is_given_up_and_keeps_what_came(tmp_path: Path) -> None:
    place = tmp_path / "lines.csv"
    place.write_bytes(b"the month before")
    with pytest.raises(Unavailable, match=r"cli\.report_broke_off") as refused:
        fetched(Api([300_000, 0, 0, 100_000, 0, 0, 0, 0, 0]), place)
    assert refused.value.params == {"file": str(place), "have": 400_000, "size": len(DATA)}
    assert place.read_bytes() == b"the month before"
    assert (tmp_path / "lines.csv.partial").read_bytes() == DATA[:400_000]
    again = Api([None])
    fetched(again, place)
    assert again.asked[0]["Range"] == "bytes=400000-"
    assert place.read_bytes() == DATA


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cli\.file_not_written"), meter_report._Placed(tmp_path / "lines.csv"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_a_file_is_fetched_keeps_the_old_one_and_no_half(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        place = disk / "lines.csv"
        place.write_bytes(b"the month before")
        with pytest.raises(Unavailable, match=r"cli\.file_not_written") as refused:
            fetched(Api([None]), place)
        assert refused.value.params == {"file": str(place), "reason": "No space left on device"}
        assert list(disk.iterdir()) == [place]
        assert place.read_bytes() == b"the month before"


def test_the_bundle_is_told_up_to_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MANIFEST, "state", "open")
    api = Api([None] * 4)
    found = meter_report._bundle(session(api), "2026-05", {"format": "", "as_of": ""}, tmp_path / "focus")
    assert len(found) == 4
    assert {a["as_of"] for a in api.asked} == {"5"}
    assert sorted(f.name for f in (tmp_path / "focus").iterdir())[-1] == "manifest.json"
