"""The door: every route is a ``GuardedRoute``. Who is it, may they, was it asked before, and what the chain is told.

The order is fixed: authenticate, authorise, and only then look at the request. Nothing of a refused caller is parsed.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from controller.api import idempotency, problems
from controller.api.context import WORK_HEADER, WORK_ID, Call, Context
from controller.identity import audit, policy, tokens
from controller.identity.caller import Caller
from controller.identity.keys import Key
from controller.identity.policy import RULES, Rule
from inventory.domain.errors import AllotError, Invalid, Unauthenticated, Unavailable
from inventory.store.engine import Database

_LOG = structlog.get_logger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


class GuardedRoute(APIRoute):
    """A route that nobody passes but by the table of ``controller.identity.policy``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler in the door."""
        inner = super().get_route_handler()
        rule = rule_of(self)

        async def handle(request: Request) -> Response:
            try:
                return await _guard(rule, inner, request)
            except Exception as error:
                if problems.normalise(error) is None:
                    return problems.incident(request, error)
                raise

        return handle


def rule_of(route: APIRoute) -> Rule:
    """Return the rule of a route.

    Raises:
        RuntimeError: it stands in no table: the service must not start with it.
    """
    (method,) = route.methods or ("",)
    rule = RULES.get(f"{method} {route.path}")
    if rule is None:
        raise RuntimeError(f"route {method} {route.path} stands in no rule of controller.identity.policy")
    return rule


async def _guard(rule: Rule, inner: Handler, request: Request) -> Response:
    _refuse_null_characters(request)
    if rule.is_public:
        return await inner(request)
    context: Context = request.app.state.context
    if rule.is_open_to_loopback and context.is_metrics_open_to_loopback and is_from_this_machine(request):
        return await inner(request)
    caller = await run_in_threadpool(_authenticate, context, request)
    request.state.call = Call(context=context, caller=caller, language=problems.language_of(request))
    if not rule.action:
        policy.authorise(rule, caller)
        _refuse_guessable_work(request)
        # Here, because FastAPI would answer a body that is too large with a word of its own.
        await request.body()
        return await inner(request)
    try:
        policy.authorise(rule, caller)
        _refuse_guessable_work(request)
        return await _write(rule, inner, request, context, caller)
    except Exception as error:
        await run_in_threadpool(_seal_refusal, context, caller, rule, request, error)
        raise


async def _write(rule: Rule, inner: Handler, request: Request, context: Context, caller: Caller) -> Response:
    database = context.platform.db
    key = idempotency.key_of(request, caller.token_id, await request.body())
    if key is not None and rule.is_answer_secret:
        raise Invalid("idempotency.not_here")
    if key is not None:
        remembered = await run_in_threadpool(idempotency.begin, database, key, context.platform.clock())
        if remembered is not None:
            return remembered
    try:
        response = await inner(request)
    except Exception:
        if key is not None:
            await run_in_threadpool(_note_key, idempotency.drop, database, key)
        raise
    if key is not None:
        await run_in_threadpool(_note_key, lambda d, k: idempotency.finish(d, k, response), database, key)
    return response


def _note_key(note: Callable[[Database, Key], None], database: Database, key: Key) -> None:
    """Write what became of a key. The request itself has its answer already and keeps it, whatever happens here."""
    try:
        note(database, key)
    except AllotError as unwritten:
        _LOG.error("idempotency key not written", token_id=key.token_id, code=unwritten.code, internal=unwritten.internal)


def _seal_refusal(context: Context, caller: Caller, rule: Rule, request: Request, error: Exception) -> None:
    """Tell the chain of a write that did not happen. The refusal itself is answered even if the chain cannot be written."""
    known = problems.normalise(error)
    if known is not None and "ticket_id" in known.details:
        # The workflow kept the refused ticket and sealed that in the same transaction.
        return
    code = known.code if known else "internal.error"
    event = audit.event_by(
        caller,
        at_s=context.platform.clock(),
        action=rule.action,
        target=next((str(value) for value in request.path_params.values()), ""),
        result=audit.Result.FAILED if known is None or isinstance(known, Unavailable) else audit.Result.REFUSED,
        detail={"code": code, "path": request.url.path},
    )
    try:
        context.platform.db.run(lambda connection: audit.append(connection, event))
    except AllotError as unwritten:
        _LOG.error("audit event not written", action=rule.action, actor=caller.user_name, code=code, because=unwritten.code)


def _authenticate(context: Context, request: Request) -> Caller:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise Unauthenticated("token.missing")
    source = request.client.host if request.client else "local"
    with context.platform.db.glance() as connection:
        return tokens.resolve(connection, secret.strip(), now_s=context.platform.clock(), source=source)


def is_from_this_machine(request: Request) -> bool:
    """Tell whether a request came from this machine itself, not through a proxy on it."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    if request.client is None:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _refuse_guessable_work(request: Request) -> None:
    """Ids of work that others could hit upon are refused, of a request whose answer is remembered too."""
    id_ = request.headers.get(WORK_HEADER)
    if id_ is not None and re.fullmatch(WORK_ID, id_) is None:
        raise Invalid("work.id_unreadable", header=WORK_HEADER, written=id_[:60])


def _refuse_null_characters(request: Request) -> None:
    """No name of ours has one, and a database of ours cannot even be asked for it."""
    if "\x00" in request.url.path or "%00" in request.url.query or "%00" in request.url.path:
        raise Invalid("request.null_character")
