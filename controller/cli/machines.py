"""How a person names a machine: its id, or ``SYSTEM/NAME`` such as ``civil-affairs-portal/web-1``."""

from controller.cli.client import Refused, segment
from controller.cli.mistakes import Usage
from controller.cli.session import Session


def machine_id(session: Session, text: str) -> str:
    """Return the id of the machine that is meant.

    Raises:
        Usage: ``cli.machine_name``: neither form.
        Refused: there is no such system or no such machine in it.
    """
    if text.startswith("inst_"):
        return text
    system, slash, name = text.rpartition("/")
    if not slash or not system or not name:
        raise Usage("cli.machine_name", written=text)
    found = session.api.get(f"/v1/systems/{segment(system)}")
    for instance in found["instances"]:
        if instance["name"] == name:
            return str(instance["id"])
    known = ", ".join(i["name"] for i in found["instances"]) or "—"
    raise Refused(404, {"code": "cli.machine_unknown", "params": {"system": system, "name": name, "known": known}})
