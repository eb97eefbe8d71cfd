"""A standing clock and sample tickets for the small city."""

#: 2026-06-01 08:00 in Shanghai.
NOW_S = 1_780_272_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now_s: float = NOW_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def ticket_text(
    name: str,
    *,
    department: str = "civil-it",
    project: str = "P-portal",
    count: int = 1,
    action: str = "create",
    size: str = "tiny",
    more: str = "",
) -> bytes:
    """Return a ticket for one group of small machines with a data disk each."""
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: {action}}}
applicant: {{department: {department}, contact: {{name: 张三, phone: "020-81234567"}}}}
project: {{code: {project}}}
system: {{mlps: {{level: 2}}, network: gov-public}}
lease: {{end: "2027-02-28"}}
environment: test
resources:
  servers:
    - {{name: web, count: {count}, size: {size}, image: demo-linux, disks: [{{name: data, size: 1GiB, class: standard}}]{more}}}
""".encode()


def change_text(name: str, servers: str, *, base: int = 1, department: str = "civil-it") -> bytes:
    """Return a ticket that changes a system; ``servers`` is the content of the list, in flow style."""
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: change}}
applicant: {{department: {department}}}
base: {base}
resources: {{servers: [{servers}]}}
""".encode()


def release_text(name: str, department: str = "civil-it") -> bytes:
    """Return a ticket that releases a system."""
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: release}}
applicant: {{department: {department}}}
""".encode()
