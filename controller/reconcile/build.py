"""Puts a reconciler together as a real process runs it; ``wiring`` calls this."""

import os
import socket
import uuid

from controller.reconcile.hosts import registry_opener
from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import Executor, HostWorkers
from controller.workflows.platform import Platform
from controller.workflows.swap import swapper


def owner_name() -> str:
    """Return a name no other process ever has: holds are known by it."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def build_reconciler(platform: Platform, *, owner: str = "", settings: ReconcileSettings | None = None) -> Reconciler:
    """Return a reconciler with real workers and the registered drivers; run it with ``run(stop)`` on its own thread."""

    def workers(reconciler: Reconciler) -> Executor:
        return HostWorkers(on_bug=reconciler.bug)

    return Reconciler(
        platform,
        owner=owner or owner_name(),
        executor=workers,
        open_driver=registry_opener(platform.clock),
        settings=settings,
        swap=swapper(platform),
    )
