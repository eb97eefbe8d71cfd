"""What a ticket tells a machine at its first boot fits what back ends take."""

import json

import pytest

from controller.tickets.resolve import FIRST_BOOT_BYTES
from drivers.openstack.mapping import Parts, server_body
from drivers.openstack.marks import Mark
from drivers.protocol import MachineRequest, VolumeRequest
from inventory.domain.ids import ResourceId

#: Nova's longest, in base64. Source: Nova, ``api/openstack/compute/schemas/servers.py``.
NOVA_TAKES = 65_535
INSTANCE = ResourceId("inst_" + "a" * 32)


@pytest.mark.parametrize(("head", "letter"), [("#cloud-config\n", "x"), ("#!/bin/sh\n", "x"), ("#!/bin/sh\n", "中")])
@pytest.mark.parametrize("key_count", [0, 4, 8])
def test_the_most_a_ticket_may_tell_is_what_nova_takes(head: str, letter: str, key_count: int) -> None:
    keys = ("ssh-ed25519 " + "A" * 4000,) * key_count
    room = FIRST_BOOT_BYTES - len(json.dumps(keys)) - len(head)
    user_data = head + letter * (room // len(letter.encode()))
    assert FIRST_BOOT_BYTES - 3 < len(user_data.encode()) + len(json.dumps(keys)) <= FIRST_BOOT_BYTES
    root = VolumeRequest(volume_id=INSTANCE, role="root", storage_pool="standard", size_gib=1)
    request = MachineRequest(
        instance_id=INSTANCE,
        title="web",
        hostname="web",
        vcpu_count=1,
        memory_mib=64,
        root=root,
        user_data=user_data,
        ssh_keys=keys,
    )
    body = server_body(request, Mark(resource_id=INSTANCE, fence=1, host_id="host_1"), Parts(flavor_id="F", root_id="R"))
    assert len(body["user_data"]) <= NOVA_TAKES
