"""``meter report``: a month as files; made by the service, fetched with progress, checked, and put in their place whole."""

import hashlib
import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import typer

from controller.cli.client import segment
from controller.cli.output import Column
from controller.cli.session import Session, session_of
from controller.cli.working import long_work
from inventory.domain.errors import Unavailable

_BLOCK = 1 << 18
#: How often in a row one file is asked for again without a byte of it coming.
_VAIN_TRIES = 5
#: What is fetched together, into a directory.
_BUNDLE = ("focus-cost-and-usage", "focus-billing-period", "focus-invoice-detail", "focus-contract-commitment")


class Dataset(StrEnum):
    """What can be asked for."""

    LINES = "lines"
    STATEMENTS = "statements"
    WORKBOOK = "workbook"
    STATEMENT = "statement"
    FOCUS = "focus"
    FOCUS_12 = "focus-1.2"
    EFFICIENCY = "efficiency"
    EFFICIENCY_CLASSES = "efficiency-classes"
    EFFICIENCY_MACHINES = "efficiency-machines"
    ASSESSMENT = "assessment"


class FileFormat(StrEnum):
    """How it is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"
    HTML = "html"
    PDF = "pdf"


class Encoding(StrEnum):
    """Of CSV files."""

    UTF_8 = "utf-8"
    GB18030 = "gb18030"


class Headings(StrEnum):
    """Of CSV files."""

    NAMES = "names"
    WORDS = "words"


def report(
    ctx: typer.Context,
    period: str = typer.Argument(..., metavar="MONTH"),
    dataset: Dataset = typer.Option(Dataset.LINES, "--dataset"),
    format_: FileFormat = typer.Option(None, "--format"),
    department: str = typer.Option("", "--department"),
    as_of: str = typer.Option("", "--as-of"),
    bom: bool = typer.Option(False, "--bom"),
    encoding: Encoding = typer.Option(Encoding.UTF_8, "--encoding"),
    headings: Headings = typer.Option(Headings.NAMES, "--headings"),
    to: str = typer.Option("", "--to"),
) -> None:
    """Fetch a report of a month into a file, or the FOCUS bundle into a directory."""
    session = session_of(ctx)
    query = {
        "format": format_.value if format_ else "",
        "department": department,
        "as_of": _moment(session, as_of),
        "bom": bom,
        "encoding": encoding.value,
        "headings": headings.value,
    }
    if dataset is Dataset.FOCUS:
        found = _bundle(session, period, query, Path(to or f"{period}-focus"))
    else:
        found = [_one(session, period, dataset.value, query, Path(to) if to else None)]
    columns = [
        Column("cli.column.file", "file"),
        Column("cli.column.rows", "rows", is_number=True),
        Column("cli.column.yuan", "yuan", is_number=True),
        Column("cli.column.bytes", "bytes", is_number=True),
        Column("cli.column.sha256", "sha256"),
    ]
    session.out.rows(found, columns, name="file")


def _moment(session: Session, text: str) -> str:
    from controller.cli.moments import moment_s

    return str(moment_s(session, text)) if text else ""


def _bundle(session: Session, period: str, query: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    found = []
    asked = dict(query)
    for name in _BUNDLE:
        manifest = _one(session, period, name, asked, None, folder)
        # All files of an open month are told up to one moment.
        if manifest["state"] in ("open", "closing"):
            asked["as_of"] = str(manifest["as_of_s"])
        found.append(manifest)
    with _Placed(folder / "manifest.json") as stream:
        stream.write(json.dumps(found, ensure_ascii=False, indent=1).encode() + b"\n")
    return found


def _one(
    session: Session, period: str, dataset: str, query: Mapping[str, Any], to: Path | None, folder: Path | None = None
) -> dict[str, Any]:
    path = f"/v1/periods/{segment(period)}/reports/{segment(dataset)}"
    with long_work(session, "cli.say.report_made", dataset=dataset) as api:
        manifest = api.get(f"{path}/manifest", **query)
    place = to or (folder or Path()) / f"{period}-{dataset}.{manifest['format']}"
    asked = {**query, "format": manifest["format"]}
    if manifest["state"] in ("open", "closing"):
        asked["as_of"] = str(manifest["as_of_s"])
    _fetch(session, path, asked, manifest, place)
    return {"file": str(place), **manifest}


class _Placed:
    """A file beside its place, put there when the block ends well."""

    def __init__(self, place: Path, *, is_kept: bool = False) -> None:
        self.place, self.partial, self.is_kept = place, place.with_name(place.name + ".partial"), is_kept
        self.stream: BinaryIO

    def __enter__(self) -> BinaryIO:
        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            self.stream = self.partial.open("r+b" if self.is_kept and self.partial.exists() else "w+b")
        except OSError as error:
            raise _unwritten(self.place, error) from error
        return self.stream

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: Any) -> None:
        try:
            self.stream.close()
            if kind is None:
                self.partial.replace(self.place)
                return
        except OSError as failed:
            error = failed
        if isinstance(error, OSError):
            self.partial.unlink(missing_ok=True)
            raise _unwritten(self.place, error) from error


def _unwritten(place: Path, error: OSError) -> Unavailable:
    return Unavailable("cli.file_not_written", file=str(place), reason=error.strerror or str(error))


def _fetch(session: Session, path: str, query: Mapping[str, Any], manifest: Mapping[str, Any], place: Path) -> None:
    """Fetch a file, going on where an earlier fetch of the same bytes broke off for as long as some come, and check its hash."""
    size, wanted = int(manifest["bytes"]), str(manifest["sha256"])
    with session.out.progress(place.name, size) as advance, _Placed(place, is_kept=True) as stream:
        vain = 0
        while vain < _VAIN_TRIES:
            have = min(stream.seek(0, 2), size)
            advance(have)
            _read(session, path, query, wanted, stream, have, advance)
            come = stream.tell()
            if come >= size:
                break
            vain = 0 if come > have else vain + 1
        else:
            # What came stays beside the place: the next command goes on there.
            raise Unavailable("cli.report_broke_off", file=str(place), have=come, size=size)
        stream.seek(0)
        digest = hashlib.sha256()
        while block := stream.read(_BLOCK):
            digest.update(block)
        found = digest.hexdigest()
        if found != wanted:
            stream.truncate(0)
            raise Unavailable("cli.report_broken", file=str(place), wanted=wanted, found=found)


def _read(session: Session, path: str, query: Mapping[str, Any], etag: str, stream: BinaryIO, have: int, advance: Any) -> None:
    """Read what is missing; a connection that breaks leaves what came."""
    headers = {"Range": f"bytes={have}-", "If-Range": f'"{etag}"'} if have else {}
    with closing(session.api.stream(path, headers, **query)) as response:
        begin = have if response.status == http.client.PARTIAL_CONTENT else 0
        stream.seek(begin)
        stream.truncate()
        try:
            while block := response.read(_BLOCK):
                stream.write(block)
                advance(stream.tell())
        except (http.client.HTTPException, ConnectionError, TimeoutError):
            session.api.close()
