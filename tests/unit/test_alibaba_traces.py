"""Alibaba's traces become traces of requests, accelerators and all."""

import gzip
from pathlib import Path

from controller.replay.trace import read_trace
from tests.bench.alibaba import main
from tests.bench.packing import shapes_of, volume_bound

DLRM = """\
instance_sn,role,app_name,cpu_request,gpu_request,memory_request,creation_time,deletion_time
instance_0,HN,app_0,12,1,120.0,,900.0
instance_1,HN,app_0,12,1,120.0,,
instance_2,CN,app_0,192,0,937.5,60.0,120.0
instance_3,CN,app_0,192,0,937.5,60.0,
instance_4,CN,app_2,8,0,40.0,60.0,
"""
OPENB = """\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
openb-pod-0000,11500,16384,1,460,,LS,Running,100,350,100
openb-pod-0001,500,0,0,0,,BE,Running,200,,200
"""


def test_instances_come_when_they_came_and_those_of_an_application_together(tmp_path: Path) -> None:
    (tmp_path / "dlrm.csv.gz").write_bytes(gzip.compress(DLRM.encode()))
    assert main(["dlrm", str(tmp_path / "dlrm.csv.gz"), str(tmp_path / "out.csv.gz")]) == 0
    found = read_trace(tmp_path / "out.csv.gz")
    assert found.ticket.tolist() == [0, 1, 2, 2, 3]
    assert found.arrival_s.tolist() == [0, 0, 60, 60, 60]
    assert found.lifetime_s.tolist() == [900, -1, 60, -1, -1]
    assert found.vcpus.tolist() == [12, 12, 192, 192, 8]
    assert found.memory_mib.tolist() == [122880, 122880, 960000, 960000, 40960]
    assert found.accelerators.tolist() == [1, 1, 0, 0, 0]
    # Two accelerators take two such hosts, though one would do for the rest.
    assert volume_bound(found, shapes_of("960x4096x1")) == 2
    assert volume_bound(found, [*shapes_of("2*256x1024"), *shapes_of("64x256x8")]) == 3


def test_a_share_of_an_accelerator_counts_as_one(tmp_path: Path) -> None:
    (tmp_path / "openb.csv").write_text(OPENB, encoding="utf-8")
    assert main(["openb", str(tmp_path / "openb.csv"), str(tmp_path / "out.csv")]) == 0
    found = read_trace(tmp_path / "out.csv")
    assert [c.tolist() for c in (found.vcpus, found.memory_mib, found.accelerators)] == [[12, 1], [16384, 1], [1, 0]]
    assert (found.arrival_s.tolist(), found.lifetime_s.tolist()) == ([100, 200], [250, -1])
