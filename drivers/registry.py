"""Name → driver factory. Ours are listed here; others come through the entry point group ``allotment.drivers``."""

from importlib import import_module
from importlib.metadata import entry_points

from drivers.protocol import DriverFactory
from inventory.domain.errors import Invalid

#: name -> "module:function"; imported only when a pool uses it.
BUILT_IN = {
    "libvirt": "drivers.libvirt.driver:open_driver",
    "openstack": "drivers.openstack.driver:open_driver",
    "simulated": "drivers.simulated.driver:open_driver",
}


def driver_names() -> list[str]:
    """Return every name a pool may use, sorted."""
    return sorted(set(BUILT_IN) | {e.name for e in entry_points(group="allotment.drivers")})


def driver_factory(name: str) -> DriverFactory:
    """Return the factory of a driver.

    Raises:
        Invalid: ``driver.unknown``.
    """
    target = BUILT_IN.get(name)
    if target is None:
        found = [e for e in entry_points(group="allotment.drivers") if e.name == name]
        if not found:
            raise Invalid("driver.unknown", name=name, known=", ".join(driver_names()))
        factory: DriverFactory = found[0].load()
        return factory
    module, _, function = target.partition(":")
    built_in: DriverFactory = getattr(import_module(module), function)
    return built_in
