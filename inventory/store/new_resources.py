"""Rows of new machines and disks: columns in which only what is their own differs. For the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from sqlalchemy import Connection

from inventory.domain.resource import NewResource, Observed, Phase, Resource
from inventory.store import bulk
from inventory.store import tables as t


def insert(connection: Connection, born: Sequence[NewResource]) -> None:
    """Add new resources that are metered; their journal begins with them."""
    if not born:
        return
    own: dict[str, Sequence[Any]] = dict(zip(NewResource._fields, zip(*born, strict=True), strict=True))
    own |= {name: [word.value for word in own[name]] for name in ("kind", "desired")}
    specs = {id(spec): spec.to_json() for spec in {id(spec): spec for spec in own["spec"]}.values()}
    own["spec"] = [specs[id(spec)] for spec in own["spec"]]
    bulk.insert_columns(connection, t.resources, {**_OF_EVERY_NEW_ONE, **own, "next_try_s": own["created_at_s"]})


#: What every new resource has, where that is not the default of its column.
_OF_EVERY_NEW_ONE: Mapping[str, Any] = {
    f.name: bulk.Same(f.default)
    for f in fields(Resource)
    if f.default is not MISSING and t.resources.c[f.name].server_default is None
} | {
    "observed": bulk.Same(Observed.UNKNOWN.value),
    "phase": bulk.Same(Phase.PENDING.value),
    "revision": bulk.Same(1),
    "detail": bulk.Same({}),
}
