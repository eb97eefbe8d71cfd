"""What may be set for a region, in the section ``allotment`` of its entry in ``clouds.yaml``. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from drivers.faults import Permanent
from drivers.openstack.notices import is_broker_address

SECTION = "allotment"
#: Everything in the project of the credential (all an application credential can do), or a project for each department.
ONE, PER_DEPARTMENT = "one", "per-department"
#: Stands for the department's code in the name of its group; what is done where there is no such group.
DEPARTMENT_MARK = "{department}"
REFUSE, MAKE = "refuse", "make"
#: Whose disks are volumes: Cinder's, or nobody's.
CINDER, NONE = "cinder", "none"
#: With ``MAKE``: where flavors come from.
EXISTING = "existing"
#: Roles nobody of a department is given: the administrator's (Keystone takes names in any case), and that of services.
_STRONG_ROLES = frozenset({"admin", "service"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSettings:
    """Bounds and choices of one region."""

    #: ``one`` | ``per-department``.
    projects: str = ONE
    #: Domain the projects of departments are made in (id), and the role our user takes there.
    project_domain: str = "default"
    project_role: str = "member"
    #: Group of a department's people that gets a role in the department's project (``{department}-operators``); empty: none.
    department_group: str = ""
    #: Domain it is looked for in (id), the role, and what is done where it is not there: ``refuse`` | ``make``.
    department_group_domain: str = "default"
    department_role: str = "reader"
    department_group_missing: str = REFUSE
    #: Storage pool that stands for the disks of hypervisors themselves (the flavor's root disk); empty: there is none.
    local_storage: str = ""
    #: ``cinder``: every other storage pool is a volume type; ``none``: the region has no volumes, and is asked for none.
    volumes: str = CINDER
    #: ``make``: a size that has no flavor gets one; ``existing``: none is made, and tickets may ask for those there are.
    flavors: str = MAKE
    #: Longest one call to an API may take.
    call_timeout_s: float = 30.0
    #: Attempts of a call that only reads, or that was refused for its rate.
    attempts: int = 4
    #: Longest that a verb waits for a machine or volume to reach a state; below the reconciler's own deadline.
    wait_s: float = 90.0
    #: A machine that is still being built after this time is taken away and made anew.
    build_limit_s: float = 600.0
    #: Observations of a region's hosts share one listing for this long, unless we changed something; what they are is shared too.
    observe_max_age_s: float = 10.0
    #: Longest a look at the region may take, that of a host that waits for another one's too.
    observe_limit_s: float = 60.0
    #: All machines are listed anew after this time; in between only those that changed.
    whole_listing_s: float = 300.0
    #: Calls a second for the counters of machines (Nova's diagnostics), by all hosts of the region together; 0: none.
    diagnostics_per_s: float = 0.0
    #: Architecture of hypervisors that do not tell theirs.
    arch: str = "x86_64"
    #: The region's message broker, where Nova tells what it does: ``amqp[s]://user:password@host[:port][/vhost]``; empty: none.
    notifications: str = ""

    @property
    def has_volumes(self) -> bool:
        """Whether there may be disks of their own, beside machines."""
        return self.volumes == CINDER

    @property
    def makes_flavors(self) -> bool:
        """Whether a size that has no flavor gets one."""
        return self.flavors == MAKE

    def is_local(self, storage_pool: str) -> bool:
        """Tell whether a storage pool is the hypervisors' own disks."""
        return storage_pool != "" and storage_pool == self.local_storage


def read_settings(section: Mapping[str, Any]) -> RegionSettings:
    """Read the section; every mistake is named at once.

    Raises:
        Permanent: ``openstack.settings_invalid``.
    """
    kinds = {f.name: type(getattr(RegionSettings(), f.name)) for f in fields(RegionSettings)}
    wrong = sorted(section.keys() - kinds.keys())
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        if name in section:
            try:
                values[name] = kind(section[name])
            except (TypeError, ValueError):
                wrong.append(name)
                continue
            if kind is not str and values[name] < 0:
                wrong.append(name)
    if values.get("projects", ONE) not in (ONE, PER_DEPARTMENT):
        wrong.append("projects")
    if values.get("volumes", CINDER) not in (CINDER, NONE):
        wrong.append("volumes")
    if values.get("flavors", MAKE) not in (MAKE, EXISTING):
        wrong.append("flavors")
    if values.get("notifications") and not is_broker_address(values["notifications"]):
        wrong.append("notifications")
    wrong += _wrong_access(values)
    if wrong:
        raise Permanent("openstack.settings_invalid", names=", ".join(wrong), known=", ".join(kinds))
    return RegionSettings(**values)


def is_strong_role(name: str) -> bool:
    """Tell whether a role is none for people of a department. Pure."""
    return name.strip().lower() in _STRONG_ROLES


def _wrong_access(values: Mapping[str, Any]) -> list[str]:
    """Return which settings about the groups of departments are wrong."""
    group = values.get("department_group", "")
    is_named_well = not set(group.replace(DEPARTMENT_MARK, "")) & set("{}")
    is_apart = values.get("projects", ONE) == PER_DEPARTMENT
    good = {
        "department_group": not group or (is_named_well and is_apart),
        "department_role": not is_strong_role(values.get("department_role", "")),
        "department_group_missing": values.get("department_group_missing", REFUSE) in (REFUSE, MAKE),
    }
    return [name for name, is_good in good.items() if not is_good]
