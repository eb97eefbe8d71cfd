"""Octavia's network driver where no amphora runs: the address of a load balancer is a real port, plugging it does nothing.

A worker can be held up in the middle of its work by a file in the region's directory, and says so by another (see ``_plugging``).
"""

import os
import time
from pathlib import Path

from octavia.network import base
from octavia.network.drivers.neutron import allowed_address_pairs
from octavia.network.drivers.noop_driver import driver as noop

IS_WORKER = "REGION_OCTAVIA_WORKER" in os.environ
#: While this file is there, a worker that has begun with a load balancer does not get on.
SLOW_BALANCER = Path(os.environ["REGION_DIR"]) / "slow-balancer"
BEGUN = SLOW_BALANCER.with_suffix(".begun")
MISSING = (base.NetworkNotFound, base.SubnetNotFound, base.PortNotFound)
READ = ("get_network", "get_subnet", "get_port")
PLUGGING = (
    "plug_vip", "unplug_vip", "plug_aap_port", "unplug_aap_port", "plug_network", "unplug_network", "update_vip_sg",
    "update_vip", "get_plugged_networks", "failover_preparation", "plug_port", "plug_fixed_ip", "unplug_fixed_ip",
    "wait_for_port_detach", "get_network_configs", "delete_port", "set_port_admin_state_up", "create_port",
)  # fmt: skip


class RegionNetworkDriver(allowed_address_pairs.AllowedAddressPairsDriver):
    """Real where Neutron is asked, nothing where an amphora would be."""

    def __init__(self):
        super().__init__()
        self.nothing = noop.NoopManager()


def _reading(name):
    def method(self, ident, context=None):
        try:
            return getattr(super(RegionNetworkDriver, self), name)(ident, context=context)
        except MISSING:
            if not IS_WORKER:
                raise
            # The worker also asks for the networks of amphorae that are not there.
            return getattr(self.nothing, name)(ident)

    return method


def _plugging(name):
    def method(self, *args, **kwargs):
        while IS_WORKER and SLOW_BALANCER.exists():
            BEGUN.touch()
            time.sleep(0.2)
        return getattr(self.nothing, name)(*args, **kwargs)

    return method


for _name in READ:
    setattr(RegionNetworkDriver, _name, _reading(_name))
for _name in PLUGGING:
    if hasattr(noop.NoopManager, _name):
        setattr(RegionNetworkDriver, _name, _plugging(_name))
