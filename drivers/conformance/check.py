"""One check: a named function over a scene, and what it needs to apply."""

from collections.abc import Callable
from dataclasses import dataclass

from drivers.conformance.harness import Harness
from drivers.conformance.scene import Scene
from drivers.protocol import Capability, ComputeDriver, Reboots
from inventory.domain.resource import ResourceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule of the protocol. ``name`` is a sentence with underscores and never changes: broken drivers are listed by it."""

    name: str
    run: Callable[[Scene], None]
    #: Powers the driver must declare.
    needs: Capability = Capability.NONE
    #: Powers the driver must lack.
    lacks: Capability = Capability.NONE
    #: The kind of resource whose fence the back end must be able to hold.
    fenced: ResourceKind | None = None
    #: Optional probes of the harness, by field name.
    probes: tuple[str, ...] = ()
    needs_reboot: bool = False

    def why_not(self, harness: Harness, driver: ComputeDriver) -> str:
        """Return why the check does not apply, empty when it does."""
        powers = driver.capabilities()
        missing = [probe for probe in self.probes if getattr(harness, probe) is None]
        reasons = (
            (self.needs not in powers, f"the driver does not declare {self.needs & ~powers}"),
            (bool(self.lacks & powers), f"the driver declares {self.lacks & powers}"),
            (self.fenced is not None and self.fenced not in harness.fenced, f"the back end holds no fence of a {self.fenced}"),
            (bool(missing), f"the harness has no {', '.join(missing)}"),
            (self.needs_reboot and not isinstance(driver, Reboots), "the driver does not reboot"),
        )
        return next((reason for is_so, reason in reasons if is_so), "")


def check(
    *,
    needs: Capability = Capability.NONE,
    lacks: Capability = Capability.NONE,
    fenced: ResourceKind | None = None,
    probes: tuple[str, ...] = (),
    needs_reboot: bool = False,
) -> Callable[[Callable[[Scene], None]], Check]:
    """Make a check of a function; its name is the function's."""

    def make(run: Callable[[Scene], None]) -> Check:
        return Check(
            name=run.__name__, run=run, needs=needs, lacks=lacks, fenced=fenced, probes=probes, needs_reboot=needs_reboot
        )

    return make
