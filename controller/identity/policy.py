"""Who may call what: the one table of routes and roles. What is not in it does not exist: the service refuses to start.

A role being here says only that the *kind* of call is allowed; which department's things it reaches is decided by the
caller's scope in the stores, where another department's thing is simply not found.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.identity.caller import Caller, Role
from inventory.domain.errors import Forbidden

_O = Role.OPERATOR
_DA = Role.DEPARTMENT_ADMIN
_DR = Role.DEPARTMENT_READER
_F = Role.FINANCE
_A = Role.AUDITOR

EVERYONE = frozenset(Role)
OPERATORS = frozenset({_O})
#: May ask for changes to systems; a department administrator only below its own department.
REQUESTERS = frozenset({_O, _DA})
#: See what departments run.
READERS = frozenset({_O, _DA, _DR, _A})
#: See the platform's own machinery.
OVERSEERS = frozenset({_O, _A})


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one route."""

    roles: frozenset[Role]
    #: Name of the write in the audit chain; empty for a route that changes nothing. What was done is sealed by the
    #: workflow in the transaction of the change; what was refused is sealed at the door.
    action: str = ""
    #: Needs no token at all (health, the description of the API).
    is_public: bool = False
    #: May be read without a token from the machine itself (scrapes).
    is_open_to_loopback: bool = False
    #: The answer holds a secret that is stored nowhere: it cannot be remembered under an idempotency key.
    is_answer_secret: bool = False


def _read(roles: frozenset[Role]) -> Rule:
    return Rule(roles)


def _write(roles: frozenset[Role], action: str) -> Rule:
    return Rule(roles, action)


_PUBLIC = Rule(EVERYONE, is_public=True)

RULES: Mapping[str, Rule] = {
    "GET /healthz": _PUBLIC,
    "GET /readyz": _PUBLIC,
    "GET /openapi.json": _PUBLIC,
    "GET /metrics": Rule(OVERSEERS, is_open_to_loopback=True),
    "GET /metrics/instances": Rule(OVERSEERS, is_open_to_loopback=True),
    "GET /metrics/compatibility": Rule(OVERSEERS, is_open_to_loopback=True),
    "GET /v1/discovery/hosts": Rule(OVERSEERS, is_open_to_loopback=True),
    "GET /v1/discovery/instances": Rule(OVERSEERS, is_open_to_loopback=True),
    "GET /v1/whoami": _read(EVERYONE),
    # Of oneself: who else asks does not find it.
    "GET /v1/works/{work}": _read(EVERYONE),
    # What departments ask for and run.
    "POST /v1/checks": _read(frozenset({_O, _DA, _DR})),
    "POST /v1/plans": _read(REQUESTERS),
    "POST /v1/tickets": _write(REQUESTERS, "ticket.submit"),
    "GET /v1/tickets": _read(READERS),
    "GET /v1/tickets/{ticket_id}": _read(READERS),
    "GET /v1/tickets/{ticket_id}/events": _read(READERS),
    "GET /v1/events": _read(READERS),
    "GET /v1/tickets/{ticket_id}/explanations": _read(READERS),
    # Every host of the platform, and what was free on it.
    "GET /v1/explanations/{explanation_id}": _read(OVERSEERS),
    "POST /v1/tickets/{ticket_id}/approve": _write(REQUESTERS, "ticket.approve"),
    "POST /v1/tickets/{ticket_id}/reject": _write(REQUESTERS, "ticket.reject"),
    "POST /v1/tickets/{ticket_id}/cancel": _write(REQUESTERS, "ticket.cancel"),
    "POST /v1/tickets/{ticket_id}/retry": _write(REQUESTERS, "ticket.retry"),
    "GET /v1/systems": _read(READERS),
    "GET /v1/systems/{system}": _read(READERS),
    "GET /v1/notices": _read(READERS),
    "GET /v1/instances": _read(READERS),
    "GET /v1/instances/{instance_id}": _read(READERS),
    "GET /v1/instances/{instance_id}/explanation": _read(READERS),
    # A console may show secrets: not for those who only read.
    "GET /v1/instances/{instance_id}/console": _read(REQUESTERS),
    # Who sees a screen uses its keyboard.
    "POST /v1/instances/{instance_id}/screen": _write(REQUESTERS, "instance.screen"),
    "POST /v1/instances/{instance_id}/start": _write(REQUESTERS, "instance.start"),
    "POST /v1/instances/{instance_id}/stop": _write(REQUESTERS, "instance.stop"),
    "POST /v1/instances/{instance_id}/reboot": _write(REQUESTERS, "instance.reboot"),
    # The platform's machinery.
    "GET /v1/hosts": _read(OVERSEERS),
    "POST /v1/hosts": _write(OPERATORS, "host.enrol"),
    "GET /v1/hosts/{host}": _read(OVERSEERS),
    "GET /v1/hosts/{host}/foreign": _read(OVERSEERS),
    "POST /v1/hosts/{host}/state": _write(OPERATORS, "host.set_state"),
    "POST /v1/hosts/{host}/lost": _write(OPERATORS, "host.lose"),
    "GET /v1/pools/{pool}/foreign": _read(OVERSEERS),
    "GET /v1/pools/{pool}/departments": _read(OVERSEERS),
    "DELETE /v1/pools/{pool}/departments/{department}": _write(OPERATORS, "department.leave"),
    "GET /v1/adoptions": _read(READERS | {_F}),
    "POST /v1/adoptions": _write(OPERATORS, "adoption.take"),
    "POST /v1/adoptions/{adoption}/let-go": _write(OPERATORS, "adoption.let_go"),
    "GET /v1/move-plans": _read(OVERSEERS),
    "POST /v1/move-plans": _write(OPERATORS, "moves.plan"),
    "GET /v1/move-plans/{plan_id}": _read(OVERSEERS),
    "POST /v1/move-plans/{plan_id}/run": _write(OPERATORS, "moves.run"),
    "POST /v1/move-plans/{plan_id}/cancel": _write(OPERATORS, "moves.cancel"),
    "GET /v1/findings": _read(OVERSEERS),
    "GET /v1/pools": _read(OVERSEERS),
    # What is on offer.
    "GET /v1/zones": _read(EVERYONE),
    "GET /v1/sizes": _read(EVERYONE),
    "GET /v1/images": _read(EVERYONE),
    "POST /v1/images": _write(OPERATORS, "image.import"),
    "POST /v1/images/{image}/withdraw": _write(OPERATORS, "image.withdraw"),
    "GET /v1/departments": _read(EVERYONE),
    "GET /v1/projects": _read(EVERYONE),
    "POST /v1/site/plan": _read(OPERATORS),
    "POST /v1/site/import": _write(OPERATORS, "site.import"),
    # Limits and money.
    "GET /v1/quotas": _read(EVERYONE),
    "GET /v1/quotas/{scope}/{dimension}": _read(EVERYONE),
    "PUT /v1/quotas/{scope}/{dimension}": _write(OPERATORS, "quota.set"),
    "POST /v1/quotas/audit": _write(OPERATORS, "quota.audit"),
    "POST /v1/cost-pools": _write(frozenset({_F}), "cost.set"),
    "GET /v1/cost-pools": _read(frozenset({_O, _F, _A})),
    "GET /v1/periods/{period}/costs": _read(frozenset({_O, _F, _A})),
    "GET /v1/periods/{period}/places": _read(frozenset({_O, _F, _A})),
    "POST /v1/budgets": _write(frozenset({_F}), "budget.set"),
    "GET /v1/budgets": _read(EVERYONE),
    "GET /v1/budget-notices": _read(EVERYONE),
    "GET /v1/usage": _read(EVERYONE),
    "GET /v1/meters": _read(EVERYONE),
    "GET /v1/ledger": _read(EVERYONE),
    "POST /v1/price-book-checks": _read(frozenset({_O, _F})),
    "POST /v1/price-books": _write(frozenset({_O, _F}), "book.submit"),
    "GET /v1/price-books": _read(frozenset({_O, _F, _A})),
    "GET /v1/price-books/{book}": _read(frozenset({_O, _F, _A})),
    "POST /v1/price-books/{book}/approve": _write(frozenset({_O, _F}), "book.approve"),
    "POST /v1/price-books/{book}/reject": _write(frozenset({_O, _F}), "book.reject"),
    "POST /v1/usage-entries": _write(frozenset({_O, _F}), "entry.add"),
    "GET /v1/usage-entries": _read(EVERYONE),
    "POST /v1/usage-entries/{entry}/approve": _write(frozenset({_O, _F}), "entry.approve"),
    "POST /v1/usage-entries/{entry}/reject": _write(frozenset({_O, _F}), "entry.reject"),
    "GET /v1/periods": _read(EVERYONE),
    "GET /v1/periods/{period}": _read(EVERYONE),
    "POST /v1/periods/{period}/closing": _write(frozenset({_F}), "period.closing"),
    "POST /v1/periods/{period}/review": _write(frozenset({_F}), "period.review"),
    "POST /v1/periods/{period}/close": _write(frozenset({_F}), "period.close"),
    "POST /v1/periods/{period}/reopen": _write(frozenset({_F}), "period.reopen"),
    "POST /v1/periods/{period}/verify": _read(frozenset({_O, _F, _A})),
    "GET /v1/periods/{period}/statements": _read(EVERYONE),
    "GET /v1/periods/{period}/statements/{department}": _read(EVERYONE),
    "POST /v1/periods/{period}/statements/{department}/acknowledge": _write(frozenset({_DA}), "statement.acknowledge"),
    "GET /v1/periods/{period}/statements/{department}/lines": _read(EVERYONE),
    "GET /v1/periods/{period}/reports/{dataset}": _read(EVERYONE),
    "GET /v1/periods/{period}/reports/{dataset}/manifest": _read(EVERYONE),
    "GET /v1/lines/{line}": _read(EVERYONE),
    "POST /v1/efficiency-rules": _write(frozenset({_O, _F}), "efficiency.set_rules"),
    "GET /v1/efficiency-rules": _read(EVERYONE),
    "GET /v1/periods/{period}/efficiency": _read(EVERYONE),
    "GET /v1/periods/{period}/efficiency/{system}/draft": _read(EVERYONE),
    "POST /v1/periods/{period}/efficiency/{system}/answer": _write(frozenset({_DA}), "efficiency.answer"),
    "POST /v1/adjustments": _write(frozenset({_F}), "adjustment.add"),
    "GET /v1/adjustments": _read(frozenset({_O, _F, _A})),
    "POST /v1/adjustments/{adjustment}/approve": _write(frozenset({_F}), "adjustment.approve"),
    "POST /v1/adjustments/{adjustment}/reject": _write(frozenset({_F}), "adjustment.reject"),
    "POST /v1/ledger/compare": _read(frozenset({_O, _F, _A})),
    "GET /v1/ledger/counted": _read(frozenset({_O, _F, _A})),
    "POST /v1/ledger/rebuild": _write(OPERATORS, "ledger.rebuild"),
    # What if: the platform's own capacity.
    "GET /v1/capacity": _read(OVERSEERS),
    "GET /v1/capacity/systems/{system}": _read(OVERSEERS),
    "GET /v1/capacity/forecast": _read(OVERSEERS),
    "GET /v1/capacity/failure": _read(OVERSEERS),
    "POST /v1/capacity/hosts-needed": _read(OPERATORS),
    # Capacity held for projects.
    "GET /v1/reservations": _read(READERS),
    "POST /v1/reservations": _write(REQUESTERS, "reservation.create"),
    "GET /v1/reservations/{reservation}": _read(READERS),
    "POST /v1/reservations/{reservation}/release": _write(REQUESTERS, "reservation.release"),
    # Accountability.
    "GET /v1/audit": _read(frozenset({_O, _A, _DA})),
    "POST /v1/audit/verify": _read(OVERSEERS),
    "GET /v1/tokens": _read(OVERSEERS),
    "POST /v1/tokens": Rule(OPERATORS, "token.create", is_answer_secret=True),
    "DELETE /v1/tokens/{token_id}": _write(OPERATORS, "token.revoke"),
}


def authorise(rule: Rule, caller: Caller) -> None:
    """Let the caller through.

    Raises:
        Forbidden: ``access.role_forbidden``.
    """
    if caller.role not in rule.roles:
        allowed = ", ".join(sorted(r.value for r in rule.roles))
        raise Forbidden("access.role_forbidden", role=caller.role.value, allowed=allowed)
