"""Several nova-compute services in one process, with Nova's own fake hypervisor: run_computes.py NAME,NAME… --config-file FILE.

Each is a real service with its own queue, heartbeat, resource provider and inventory. ``RegionDriver`` adds what a
hypervisor has and Nova's fake one lacks: machines are still there when nova-compute starts again. How large each host is
comes from the environment. Files in the region's directory make builds take long (see ``spawn``) and disks fail to get into
machines (see ``attach_volume``).
"""

import os
import sys
import time
from pathlib import Path

# Patches the standard library for eventlet: before anything else that uses it.
import nova.cmd.compute
import nova.conf
import nova.db.main.api
import os_vif
from nova import config, context, exception, objects, service
from nova.compute import power_state, rpcapi, vm_states
from nova.conductor import rpcapi as conductor
from nova.objects import base
from nova.virt import fake
from oslo_log import log as logging
from oslo_privsep import priv_context
from oslo_service import service as oslo_service
from oslo_service import threadgroup

names = sys.argv.pop(1).split(",")
NEVER_RAN = (vm_states.BUILDING, vm_states.ERROR)
#: While this file is there, builds wait: a machine stays in BUILD, as with a slow storage.
SLOW_BUILD = Path(os.environ["REGION_DIR"]) / "slow-build"
#: Says that a build is held up.
BEGUN = SLOW_BUILD.with_suffix(".begun")
#: Region's ids of disks that no machine gets.
REFUSED_DISKS = SLOW_BUILD.with_name("refused-disks")


class RegionDriver(fake.FakeDriver):
    """Nova's fake hypervisor with a size, a memory of its machines and builds that can be held up."""

    vcpus = int(os.environ["REGION_HOST_VCPUS"])
    memory_mb = int(os.environ["REGION_HOST_MEMORY_MIB"])
    local_gb = int(os.environ["REGION_HOST_DISK_GIB"])

    def init_host(self, host):
        """Find the machines of this host again."""
        super().init_host(host)
        known = objects.InstanceList.get_by_host(context.get_admin_context(), host, expected_attrs=["info_cache"])
        for machine in known:
            if machine.vm_state not in NEVER_RAN:
                is_off = machine.vm_state == vm_states.STOPPED
                state = power_state.SHUTDOWN if is_off else power_state.RUNNING
                self.instances[machine.uuid] = fake.FakeInstance(machine.name, state, machine.uuid)
                self._interfaces.update((card["id"], card) for card in machine.get_network_info())
        self._find_evacuated(host)

    def _find_evacuated(self, host):
        """Have what was evacuated from here while this service was down still here, as a hypervisor would: Nova removes it."""
        wanted = {"source_compute": host, "migration_type": "evacuation", "status": ["accepted", "pre-migrating", "done"]}
        for migration in objects.MigrationList.get_by_filters(context.get_admin_context(), wanted):
            machine = objects.Instance.get_by_uuid(context.get_admin_context(read_deleted="yes"), migration.instance_uuid)
            self.instances[machine.uuid] = fake.FakeInstance(machine.name, power_state.RUNNING, machine.uuid)

    def spawn(self, *args, **kwargs):
        """Build a machine, as soon as builds are not held up."""
        while SLOW_BUILD.exists():
            BEGUN.touch()
            time.sleep(0.2)
        return super().spawn(*args, **kwargs)

    def attach_volume(self, context_, connection_info, *args, **kwargs):
        """Put a disk into a machine, unless its storage does not answer."""
        if REFUSED_DISKS.exists() and connection_info["serial"] in REFUSED_DISKS.read_text():
            raise exception.InternalError("the storage of disk " + connection_info["serial"] + " does not answer")
        return super().attach_volume(context_, connection_info, *args, **kwargs)


fake.RegionDriver = RegionDriver
CONF = nova.conf.CONF
config.parse_args(sys.argv)
for group in ("api_database", "database"):  # a compute host knows neither
    CONF.set_override("connection", None, group)
logging.setup(CONF, "nova")
priv_context.init(root_helper=["false"])
objects.register_all()
os_vif.initialize()
nova.db.main.api.DISABLE_DB_ACCESS = True
base.NovaObject.indirection_api = conductor.ConductorAPI()
objects.Service.enable_min_version_cache()

launcher = oslo_service.ServiceLauncher(CONF, restart_method="mutate")
launcher.services.tg = threadgroup.ThreadGroup(len(names) + 10)  # it would hold ten
for name in names:
    CONF.set_override("host", name)  # the fake driver reads it when it is made
    launcher.launch_service(service.Service.create(host=name, binary="nova-compute", topic=rpcapi.RPC_TOPIC))
launcher.wait()
