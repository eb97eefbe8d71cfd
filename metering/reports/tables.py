"""Chunks of columns to CSV, JSON or Parquet by DuckDB: a bound of memory, the same bytes each time.

CSV and JSON are written chunk by chunk, two at a time, while the next one is read; Parquet goes through a table beside the
file, because its columns are written together.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from metering.reports.columns import Dataset, Format
from metering.reports.files import BOM, Sink, encoded, told

_MEMORY = "512MB"
_THREADS = 2
#: Rows of a group of Parquet; fixed, because the bytes depend on it.
_GROUP = 122_880
Texts = list[str | None]
#: Numbers are read where they are. Texts are handed over as parameters: no thread of DuckDB looks at objects of Python.
Columns = Mapping[str, NDArray[Any] | Texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some rows, column by column, and what is new in the tables they are joined with."""

    columns: Columns
    facets: Mapping[str, Columns] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How a CSV file is encoded."""

    has_bom: bool = False
    encoding: str = "utf-8"
    #: Name of a column -> what its heading says instead; the others are headed by their names.
    heads: Mapping[str, str] = field(default_factory=dict)


def texts(values: Iterable[str | None]) -> Texts:
    """Return a column of texts."""
    return list(values)


def of_rows(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Chunk:
    """Return a small table, every cell as text."""
    kept = list(rows)
    return Chunk(columns={n: texts(None if r[n] is None else str(r[n]) for r in kept) for n in names})


def write(dataset: Dataset, chunks: Iterable[Chunk], format_: Format, sink: Sink, options: TextOptions) -> None:
    """Write every chunk.

    Raises:
        Unavailable: ``report.disk_full`` or ``report.not_written``.
    """
    folder = Path(sink.stream.name).parent
    with told(folder), tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as place:
        making = _Making(dataset, format_, sink, Path(place))
        try:
            _WRITERS[format_](making, chunks, options)
        finally:
            making.close()


class _Making:
    """One file in the making."""

    def __init__(self, dataset: Dataset, format_: Format, sink: Sink, place: Path) -> None:
        self.dataset, self.format, self.sink, self.place = dataset, format_, sink, place
        # Loaded when used: an idle controller does without its 20 MB.
        import duckdb

        self._connection = self._set(duckdb.connect(str(place / "stage.duckdb")))
        self._facets: set[str] = set()
        self._has_rows = False

    def _set(self, connection: Any) -> Any:
        """Set up one of the connections."""
        for setting, value in (
            # Of each query: several at a time would give the rows of a chunk in no order.
            ("threads", 1),
            ("memory_limit", _MEMORY),
            ("temp_directory", str(self.place)),
            ("preserve_insertion_order", True),
            # Joins stay as they are written, the rows on their left: only so do these keep their order.
            ("disabled_optimizers", "join_order,build_side_probe_side"),
            ("enable_progress_bar", False),
            ("TimeZone", "UTC"),
            ("autoinstall_known_extensions", False),
            ("autoload_known_extensions", False),
        ):
            connection.execute(f"SET {setting} = {value!r}")
        return connection

    def close(self) -> None:
        self._connection.close()

    def write_texts(self, chunks: Iterable[Chunk], copy: str, take: Callable[[Path], None]) -> None:
        """Write the rows of every chunk as text and have them taken, in their order: two at work while the next one is read."""
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="report") as pool:
            at_work: deque[Future[Path]] = deque()
            try:
                for number, chunk in enumerate(chunks):
                    if len(at_work) == _THREADS:
                        self._taken(at_work, take)
                    self.join_facets(chunk)
                    at_work.append(pool.submit(self._text_of, chunk, self.place / f"part-{number}", copy))
                while at_work:
                    self._taken(at_work, take)
            finally:
                for future in at_work:
                    future.cancel()

    def _taken(self, at_work: "deque[Future[Path]]", take: Callable[[Path], None]) -> None:
        part = at_work.popleft().result()
        take(part)
        part.unlink(missing_ok=True)

    def _text_of(self, chunk: Chunk, part: Path, copy: str) -> Path:
        with closing(self._set(self._connection.cursor())) as connection, _seen(connection, chunk, "chunk"):
            connection.execute(f"COPY ({self.dataset.query(self.format)}) TO '{part}' ({copy})")
        return part

    def join_facets(self, chunk: Chunk) -> None:
        """Add what is new in the tables the rows are joined with."""
        for name, columns in chunk.facets.items():
            into = f"INSERT INTO {name}" if name in self._facets else f"CREATE TABLE {name} AS"
            self._facets.add(name)
            _take(self._connection, into, columns)

    def stage(self, chunk: Chunk) -> None:
        """Keep the rows of a chunk until all are there."""
        self.join_facets(chunk)
        first, further = "CREATE TABLE chunk AS SELECT * FROM incoming", "INSERT INTO chunk SELECT * FROM incoming"
        with _seen(self._connection, chunk, "incoming"):
            self._connection.execute(further if self._has_rows else first)
        self._has_rows = True

    def write_parquet(self, path: Path) -> None:
        """Write all that was kept."""
        copy = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_GROUP}"
        self._connection.execute(f"COPY ({self.dataset.query(self.format)}) TO '{path}' ({copy})")


def _take(connection: Any, into: str, columns: Columns) -> None:
    """Take the rows of columns as they are."""
    lists = {n: c if isinstance(c, list) else c.tolist() for n, c in columns.items()}
    types = {n: "VARCHAR" if isinstance(c, list) else "BIGINT" for n, c in columns.items()}
    chosen = ", ".join(f'unnest(${n}::{types[name]}[]) AS "{name}"' for n, name in enumerate(lists, 1))
    connection.execute(f"{into} SELECT {chosen}", list(lists.values()))


@contextmanager
def _seen(connection: Any, chunk: Chunk, name: str) -> Iterator[None]:
    """Let queries see the rows of a chunk by a name."""
    if any(isinstance(column, list) for column in chunk.columns.values()):
        _take(connection, f"CREATE TEMP TABLE {name} AS", chunk.columns)
        yield
        connection.execute(f"DROP TABLE {name}")
    else:
        connection.register(name, dict(chunk.columns))
        yield
        connection.unregister(name)


def _csv(making: _Making, chunks: Iterable[Chunk], options: TextOptions) -> None:
    sink = making.sink
    sink.change = encoded(options.encoding)
    if options.has_bom and options.encoding == "utf-8":
        sink.put(BOM)
    names = (column.name for column in making.dataset.columns)
    sink.write((",".join(options.heads.get(name, name) for name in names) + "\n").encode())
    making.write_texts(chunks, "FORMAT csv, HEADER false", sink.take)


def _json(making: _Making, chunks: Iterable[Chunk], _options: TextOptions) -> None:
    sink, place = making.sink, making.place
    sink.put(b"[")
    # A line is one object; inside of it line ends are escaped.
    sink.change = lambda data: data.replace(b"\n", b",\n")
    last = place / "last"
    last.write_bytes(b"")

    def take(part: Path) -> None:
        if part.stat().st_size:
            # The newest part waits, because the last line of all has no comma after it.
            sink.take(last)
            part.replace(last)

    making.write_texts(chunks, "FORMAT json", take)
    text = last.read_bytes()
    sink.put(text.rstrip(b"\n").replace(b"\n", b",\n") + b"]\n")


def _parquet(making: _Making, chunks: Iterable[Chunk], _options: TextOptions) -> None:
    for chunk in chunks:
        making.stage(chunk)
    path = making.place / "whole.parquet"
    making.write_parquet(path)
    making.sink.take_whole(path)


_WRITERS = {Format.CSV: _csv, Format.JSON: _json, Format.PARQUET: _parquet}
