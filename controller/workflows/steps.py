"""Every step by name, and the decision which comes first: a pure function of the row and what was read with it."""

from collections.abc import Mapping

from controller.workflows import change, create, delete, evacuate, migrate
from controller.workflows.engine import Facts, Step
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind

STEPS: Mapping[str, Step] = {
    "image": create.image,
    "parts": create.parts,
    "root_disk": create.root_disk,
    "define": create.define,
    "start": create.start,
    "volume": create.volume,
    "segment": create.segment,
    "look": change.look,
    "vanished": change.vanished,
    "resize_stop": change.resize_stop,
    "halt": change.halt,
    "reboot": change.reboot,
    "volume_look": change.volume_look,
    "move": migrate.move,
    "move_image": migrate.move_image,
    "move_networks": migrate.move_networks,
    "move_over": migrate.move_over,
    "move_clean": migrate.move_clean,
    "move_seen": migrate.move_seen,
    "move_back": migrate.move_back,
    "volume_travels": migrate.volume_travels,
    "evacuate": evacuate.evacuate,
    "pass_on": evacuate.pass_on,
    "abandon": evacuate.abandon,
    "leave": delete.leave,
    "stop": delete.stop,
    "remove": delete.remove,
    "confirm": delete.confirm,
    "clear": delete.clear,
    "clear_parts": delete.clear_parts,
    "volume_clear": delete.volume_clear,
    "volume_give_up": delete.volume_give_up,
    "volume_drop": delete.volume_drop,
    "segment_drop": delete.segment_drop,
    "reap": delete.reap,
}

#: Steps that may take long, and the lane of the host's worker they run in, so that they delay nothing else.
LANES: Mapping[str, str] = {
    "image": "bulk",
    "move_image": "bulk",
    "move_over": "patient",
    "evacuate": "patient",
    "stop": "patient",
    "halt": "patient",
    "resize_stop": "patient",
    "reboot": "patient",
}
MAIN_LANE = "main"
#: Bounds of steps that may take longer than ``StepSettings.deadline_s``.
DEADLINES_S: Mapping[str, float] = {
    "image": 3600.0,
    "move_image": 3600.0,
    "move_over": 3600.0,
    "evacuate": 600.0,
    "stop": 180.0,
    "halt": 180.0,
    "resize_stop": 180.0,
    "reboot": 180.0,
}


def first_step(resource: Resource, facts: Facts) -> str:
    """Return the step to begin with; the same row always gives the same answer."""
    if resource.kind is ResourceKind.INSTANCE:
        return _first_of_instance(resource)
    if resource.kind is ResourceKind.VOLUME:
        return _first_of_volume(resource, facts.instance)
    return "segment_drop" if resource.desired is Desired.ABSENT else "segment"


def _first_of_instance(resource: Resource) -> str:
    if resource.target_host_id is not None:
        # Whatever is wanted of it: first it must be in one place.
        return "move"
    if resource.lost_host_id is not None:
        return "abandon" if resource.desired is Desired.ABSENT else "evacuate"
    if resource.desired is Desired.ABSENT:
        return "leave"
    if resource.settled_generation == 0 and resource.step in ("clear", "clear_parts"):
        return resource.step
    is_fresh = resource.settled_generation == 0 and resource.observed is Observed.UNKNOWN and resource.attempts == 0
    if not is_fresh:
        return "look"
    return "parts" if resource.step == "parts" else "image"


def _is_still_lost(owner: Resource | None) -> bool:
    return owner is not None and owner.phase is not Phase.GONE and owner.lost_host_id is not None


def _first_of_volume(resource: Resource, owner: Resource | None) -> str:
    if resource.target_host_id is not None or (resource.lost_host_id is not None and _is_still_lost(owner)):
        return "volume_travels"
    if resource.desired is Desired.ABSENT:
        return "volume_drop"
    if resource.settled_generation > 0 and (owner is None or owner.settled_generation > 0):
        return "volume_look"
    if owner is not None and owner.step == "clear_parts":
        return "volume_clear"
    if owner is not None and owner.phase is Phase.FAILED and resource.step == "hopeless":
        return "volume_give_up"
    return "volume"
