"""Rows of new machines and disks: columns in which only what is their own differs. For the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from sqlalchemy import Connection

from inventory.domain.ids import StoragePoolId
from inventory.domain.resource import InstanceSpec, NewResource, Observed, Phase, Resource, VolumeSpec
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.columns import Encoded, encoded


def insert(connection: Connection, born: Sequence[NewResource]) -> None:
    """Add new resources that are metered; their journal begins with them."""
    if not born:
        return
    own: dict[str, Sequence[Any]] = dict(zip(NewResource._fields, zip(*born, strict=True), strict=True))
    own |= {name: [word.value for word in own[name]] for name in ("kind", "desired")}
    own["spec"] = _texts(own["spec"], own.pop("storage_pool_id"))
    bulk.insert_columns(connection, t.resources, {**_OF_EVERY_NEW_ONE, **own, "next_try_s": own["created_at_s"]})


def _texts(specs: Sequence[InstanceSpec | VolumeSpec], pools: Sequence[StoragePoolId]) -> list[Encoded]:
    """Return specs as they are stored: of those that are alike only the storage pools differ."""
    moulds: dict[int, tuple[str, str]] = {}
    texts: dict[tuple[int, StoragePoolId], Encoded] = {}
    found = []
    for spec, pool in zip(specs, pools, strict=True):
        key = id(spec), pool
        text = texts.get(key)
        if text is None:
            before, after = moulds.get(key[0]) or moulds.setdefault(key[0], _mould(spec))
            text = texts[key] = Encoded(f"{before}{pool}{after}")
        found.append(text)
    return found


def _mould(spec: InstanceSpec | VolumeSpec) -> tuple[str, str]:
    """Return the stored form of a spec before and behind the id of its storage pool."""
    # These words are nowhere in a text somebody wrote: its quotation marks are escaped.
    before, name, behind = encoded(spec.to_json()).partition('"storage_pool_id":"')
    return before + name, behind[behind.index('"') :]


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
