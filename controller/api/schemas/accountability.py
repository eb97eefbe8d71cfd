"""Who may act, and who did: tokens and the audit chain."""

from pydantic import Field

from controller.api.schemas.base import In, JsonObject, Name, Out, Page, Whole
from controller.api.schemas.problems import ProblemOut
from controller.identity.caller import Role


class AuditEvent(Out):
    """One event of the chain."""

    seq: int
    at_s: int
    actor: str
    role: str
    on_behalf_of: str
    source: str
    action: str
    target: str
    department_id: str | None
    result: str
    detail: JsonObject
    previous_hash: str
    hash: str


class ChainHead(In):
    """The end of the chain at some moment; keep it elsewhere."""

    seq: Whole = Field(ge=0, lt=2**63)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class VerifyIn(In):
    """What to compare the chain with."""

    head: ChainHead | None = None


class VerifyOut(Out):
    """What the check of the chain found."""

    is_intact: bool
    checked_count: int
    was_head_given: bool
    head: ChainHead
    breaks: list[ProblemOut]


class TokenOut(Out):
    """A token as recorded."""

    id: str
    user_name: str
    role: Role
    department_id: str | None
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None


class TokenIssued(TokenOut):
    """A new token with its secret: shown this once."""

    token: str


class TokenIn(In):
    """Who gets a token, as what, for how long."""

    user_name: Name
    role: Role
    #: Code of the department; for department roles only.
    department: Name | None = None
    days: Whole = Field(default=90, ge=1, le=366)


class WhoAmI(Out):
    """The caller as the platform sees it."""

    token_id: str
    user_name: str
    role: Role
    department_id: str | None
    department: str | None
    source: str


class AuditPage(Page):
    """Events of the chain."""

    items: list[AuditEvent]


class TokenPage(Page):
    """Tokens."""

    items: list[TokenOut]
