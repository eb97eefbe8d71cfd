"""What may be asked of a preparation run, checked before a byte of it reaches Ansible.

Every text is matched against a narrow pattern, so nothing that Ansible, a shell or XML could take for more than text gets
through; departments supply none of it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from drivers.faults import Permanent

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_POOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_PATH = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_TEMPLATE_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlace:
    """A directory storage pool to be made."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareRequest:
    """One machine to be made a host."""

    host_name: str
    #: Where ssh reaches it; empty: this very machine.
    address: str = ""
    port: int = 22
    user: str = "root"
    private_key_path: Path | None = None
    #: Required for a machine reached by ssh: its key must stand in there.
    known_hosts_path: Path | None = None
    storage: tuple[StoragePlace, ...] = (StoragePlace(name="allot", path="/var/lib/libvirt/allot"),)

    @property
    def is_local(self) -> bool:
        """Tell whether the machine is this one."""
        return not self.address

    def check(self) -> None:
        """Refuse what does not look as it should.

        Raises:
            Permanent: ``prepare.refused_text``, ``prepare.storage_twice``, ``prepare.known_hosts_missing``.
        """
        _require("host_name", self.host_name, _HOST_NAME)
        self._check_storage()
        if self.is_local:
            return
        _require("address", self.address, _ADDRESS)
        _require("user", self.user, _USER)
        if not 0 < self.port < 65536:
            raise Permanent("prepare.refused_text", field="port")
        for field, path in (("private_key_path", self.private_key_path), ("known_hosts_path", self.known_hosts_path)):
            if path is not None:
                _require(field, str(path), _PATH)
        if self.known_hosts_path is None or not self.known_hosts_path.is_file():
            raise Permanent("prepare.known_hosts_missing", host=self.host_name)

    def _check_storage(self) -> None:
        """Refuse two pools of one name or in one directory, whose room would be promised twice."""
        for place in self.storage:
            _require("storage_pool", place.name, _POOL_NAME)
            _require("storage_path", place.path, _PATH)
        for texts in ([place.name for place in self.storage], [place.path for place in self.storage]):
            for text in texts:
                if texts.count(text) > 1:
                    raise Permanent("prepare.storage_twice", storage=text)


def _require(field: str, text: str, pattern: re.Pattern[str]) -> None:
    if any(mark in text for mark in _TEMPLATE_MARKS) or not pattern.fullmatch(text):
        raise Permanent("prepare.refused_text", field=field)


def unsafe(text: str) -> dict[str, str]:
    """Mark a text for Ansible's JSON reader as one that is never a template.

    Raises:
        Permanent: ``prepare.refused_text``: it tries to be one all the same.
    """
    if any(mark in text for mark in _TEMPLATE_MARKS):
        raise Permanent("prepare.refused_text", field="variable")
    return {"__ansible_unsafe": text}
