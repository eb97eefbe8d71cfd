"""Neutron without agents: every port of a host binds and is ACTIVE at once, as with a live agent."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api

DETAILS = {portbindings.CAP_PORT_FILTER: True, portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2}


class RegionMechanism(api.MechanismDriver):
    """Binds what has a host."""

    def initialize(self):
        """Need nothing."""

    def bind_port(self, context):
        """Take the first segment."""
        segment = context.segments_to_bind[0]
        context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, DETAILS, status=constants.PORT_STATUS_ACTIVE)
