"""Alibaba's traces of GPU clusters as ``allot simulate`` reads them: ``python -m tests.bench.alibaba dlrm|openb FILE OUT``.

What a replay knows nothing of is left out: of both the kind of GPU; of ``dlrm`` disk, the share of a network card, and how many
instances of an application a node may carry; of ``openb`` shares of a GPU: each counts as a whole one.

Source: github.com/alibaba/clusterdata, ``cluster-trace-gpu-v2025`` (Yang et al., "GPU-Disaggregated Serving for Deep Learning
Recommendation Models at Scale", NSDI 2025) and ``cluster-trace-gpu-v2023`` (Weng et al., "Beware of Fragmentation", ATC 2023).
"""

import csv
import gzip
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.replay import write_trace
from tests.support.trace_generator import TraceRow

Row = Mapping[str, str]
GIB = 1024


def dlrm(rows: Iterable[Row]) -> Iterator[TraceRow]:
    """Yield instances; those of an application that come in one second are a ticket, those from before the start are alone."""
    tickets: dict[tuple[str, str], int] = {}
    for vm, row in enumerate(rows):
        created, deleted = row["creation_time"], row["deletion_time"]
        key = (row["app_name"], created) if created else ("", row["instance_sn"])
        amounts = int(row["cpu_request"]), round(float(row["memory_request"]) * GIB), int(row["gpu_request"])
        yield _row(vm, tickets.setdefault(key, len(tickets)), created or "0", deleted, amounts)


def openb(rows: Iterable[Row]) -> Iterator[TraceRow]:
    """Yield pods; each is a ticket of its own."""
    for vm, row in enumerate(rows):
        amounts = max(1, -(-int(row["cpu_milli"]) // 1000)), max(1, int(row["memory_mib"])), int(row["num_gpu"])
        yield _row(vm, vm, row["creation_time"], row["deletion_time"], amounts)


def _row(vm: int, ticket: int, created: str, deleted: str, amounts: tuple[int, int, int]) -> TraceRow:
    arrival_s = round(float(created))
    return TraceRow(vm, ticket, arrival_s, max(0, round(float(deleted)) - arrival_s) if deleted else -1, *amounts)


def convert(kind: str, source: Path, target: Path) -> Path:
    """Write a trace from one of Alibaba's."""
    data = source.read_bytes()
    lines = (gzip.decompress(data) if source.suffix == ".gz" else data).decode().splitlines()
    return write_trace(target, {"dlrm": dlrm, "openb": openb}[kind](csv.DictReader(lines)))


def main(arguments: Sequence[str]) -> int:
    """Convert one file."""
    kind, source, target = arguments
    print(f"wrote {convert(kind, Path(source), Path(target))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
