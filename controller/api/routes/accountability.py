"""The audit chain and the tokens."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall, WorkId
from controller.api.paging import After, Limit, json_answer, page_answer
from controller.api.problems import describe
from controller.identity import audit, tokens
from controller.identity.audit import Head
from controller.identity.tokens import Token
from controller.workflows.sealing import seal
from inventory.store import directory

router = APIRouter(route_class=GuardedRoute, tags=["accountability"])


@router.get("/v1/audit", response_model=schemas.AuditPage)
def list_audit(
    call: TheCall,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, lt=2**63, description="The `next` of the page before: an event's number.")] = 0,
    action: Annotated[str, Query(max_length=64, description="Only this action, for example `ticket.submit`.")] = "",
    actor: Annotated[str, Query(max_length=200, description="Only this person.")] = "",
) -> Response:
    """List events of the chain, oldest first; a department sees those done by it or on its behalf."""
    with call.platform.db.read() as connection:
        scope = call.caller.scope
        found = audit.page(connection, scope, limit=limit + 1, after_seq=after, action=action, actor=actor)
    return page_answer(found, limit, dict, lambda e: str(e["seq"]))


@router.post("/v1/audit/verify", response_model=schemas.VerifyOut)
def verify_audit(call: TheCall, body: Annotated[schemas.VerifyIn, Body()], work: WorkId = None) -> Response:
    """Recompute the whole chain; with a head that was kept elsewhere, a chain cut off at its end is found too."""
    known = Head(seq=body.head.seq, hash=body.head.hash) if body.head else None
    with call.noted(work) as progress, call.platform.db.read() as connection:
        found = audit.verify(connection, known, progress)
    return json_answer(
        {
            "is_intact": found.is_intact,
            "checked_count": found.checked_count,
            "was_head_given": found.was_head_given,
            "head": {"seq": found.head.seq, "hash": found.head.hash},
            "breaks": [describe(p, call.language) for p in found.breaks],
        }
    )


@router.get("/v1/tokens", response_model=schemas.TokenPage)
def list_tokens(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List tokens as recorded; secrets are not recorded."""
    with call.platform.db.read() as connection:
        found = tokens.page(connection, limit=limit + 1, after=after)
    return page_answer(found, limit, views.token, lambda t: t.id)


@router.post("/v1/tokens", response_model=schemas.TokenIssued, status_code=201)
def create_token(call: TheCall, body: Annotated[schemas.TokenIn, Body()]) -> Response:
    """Make a token; its secret is in this answer and nowhere else."""
    platform = call.platform

    def once(connection: Connection) -> tuple[Token, str]:
        department = directory.department_by_code(connection, body.department) if body.department else None
        token, secret = tokens.issue(
            connection,
            new_id=platform.new_id,
            user_name=body.user_name,
            role=body.role,
            department_id=department.id if department else None,
            now_s=platform.clock(),
            days=body.days,
        )
        detail = {"user_name": token.user_name, "role": token.role.value, "days": body.days}
        seal(connection, platform, call.caller, "token.create", token.id, detail, token.department_id)
        return token, secret

    token, secret = platform.db.run(once)
    return json_answer({**views.token(token), "token": secret}, status=201, headers={"Cache-Control": "no-store"})


@router.delete("/v1/tokens/{token_id}", response_model=schemas.TokenOut)
def revoke_token(call: TheCall, token_id: str) -> Response:
    """End a token now."""
    platform = call.platform

    def once(connection: Connection) -> Token:
        token = tokens.revoke(connection, token_id, platform.clock())
        detail = {"user_name": token.user_name}
        seal(connection, platform, call.caller, "token.revoke", token.id, detail, token.department_id)
        return token

    return json_answer(views.token(platform.db.run(once)))
