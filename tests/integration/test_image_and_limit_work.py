"""Images on record and limits for people: the workflows behind `allot image` and `allot quota`. On both engines."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from controller.identity.caller import Role, local_operator
from controller.identity.tables import audit
from controller.workflows import images, quota
from controller.workflows.images import ImageRequest
from inventory.domain.catalogue import Image, ImageState
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.scope import PLATFORM
from inventory.store import directory
from inventory.store.engine import Database
from quotas import store
from quotas.tables import quotas
from tests.support.empty_image import qcow2
from tests.support.platform import Furnished, furnish

OPERATOR = local_operator("li")
CONTENT = qcow2()


@pytest.fixture
def furnished(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path / "library", host_count=0)


def register(furnished: Furnished, tmp_path: Path, content: bytes = CONTENT, **changes: Any) -> Image:
    source = tmp_path / "disk.img"
    source.write_bytes(content)
    values: dict[str, Any] = {"name": "debian-12", "arch": "x86_64", "source": source, "title": "Debian"} | changes
    return images.register(furnished.platform, ImageRequest(**values), OPERATOR)


def actions(furnished: Furnished) -> list[str]:
    with furnished.platform.db.read() as connection:
        return [r.action for r in connection.execute(select(audit))]


def stored(furnished: Furnished, name: str = "debian-12") -> Image | None:
    with furnished.platform.db.read() as connection:
        return directory.image_by_name(connection, name)


def test_a_registered_image_is_ours_hashed_and_on_offer(furnished: Furnished, tmp_path: Path) -> None:
    image = register(furnished, tmp_path, sha256=hashlib.sha256(CONTENT).hexdigest())
    (tmp_path / "disk.img").unlink()
    assert stored(furnished) == image
    assert (image.sha256, image.size_bytes, image.virtual_size_gib) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), 1)
    assert Path(image.path).parent == furnished.platform.images_dir
    assert Path(image.path).read_bytes() == CONTENT
    assert actions(furnished) == ["image.import"]


def test_registering_the_same_content_again_keeps_its_id(furnished: Furnished, tmp_path: Path) -> None:
    first = register(furnished, tmp_path)
    again = register(furnished, tmp_path, title="Debian 12")
    assert (again.id, again.title) == (first.id, "Debian 12")


def test_other_content_under_the_same_name_is_refused(furnished: Furnished, tmp_path: Path) -> None:
    first = register(furnished, tmp_path)
    with pytest.raises(Conflict, match=r"image\.name_taken"):
        register(furnished, tmp_path, content=CONTENT + bytes(65536))
    assert stored(furnished) == first


def test_a_wrong_hash_leaves_no_record_and_no_file(furnished: Furnished, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"image\.hash_mismatch"):
        register(furnished, tmp_path, sha256="0" * 64)
    assert stored(furnished) is None
    assert list(furnished.platform.images_dir.iterdir()) == []
    assert actions(furnished) == []


def test_kernel_and_initrd_are_copied_under_their_hashes(furnished: Furnished, tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    (tmp_path / "initrd").write_bytes(b"ram disk")
    boot = {"kernel": tmp_path / "vmlinuz", "initrd": tmp_path / "initrd", "kernel_arguments": "console=ttyS0"}
    image = register(furnished, tmp_path, CONTENT, **boot)
    register(furnished, tmp_path, CONTENT, **boot)
    assert Path(image.kernel_path).read_bytes() == b"kernel"
    assert Path(image.initrd_path).name == hashlib.sha256(b"ram disk").hexdigest() + ".initrd"
    assert len(list(furnished.platform.images_dir.iterdir())) == 3
    # Machines may boot by them: what is not given again stays.
    bare = register(furnished, tmp_path, CONTENT)
    assert (bare.kernel_path, bare.initrd_path, bare.kernel_arguments) == (image.kernel_path, image.initrd_path, "console=ttyS0")


def test_a_withdrawn_image_stays_on_record(furnished: Furnished, tmp_path: Path) -> None:
    register(furnished, tmp_path)
    assert images.withdraw(furnished.platform, "debian-12", OPERATOR).state is ImageState.WITHDRAWN
    found = stored(furnished)
    assert found is not None
    assert found.state is ImageState.WITHDRAWN
    assert actions(furnished) == ["image.import", "image.withdraw"]
    with pytest.raises(NotFound, match=r"image\.unknown"):
        images.withdraw(furnished.platform, "debian-13", OPERATOR)


def test_a_limit_is_set_by_code_or_id_and_shown(furnished: Furnished) -> None:
    quota.set_limit(furnished.platform, "civil", "vcpu", "limit", 64, OPERATOR)
    quota.set_limit(furnished.platform, furnished.city.projects["P-mail"].id, "volumes", "unlimited", None, OPERATOR)
    shown = {(x["scope"], x["dimension"]): (x["mode"], x["limit"], x["used"]) for x in quota.show(furnished.platform, PLATFORM)}
    assert shown["civil", "vcpu"] == ("limit", 64, 0)
    assert shown["P-mail", "volumes"] == ("unlimited", None, 0)
    assert len(shown) == 8 * 6
    assert actions(furnished) == ["quota.set", "quota.set"]


def test_a_department_is_shown_its_own_levels_only(furnished: Furnished) -> None:
    scope = furnished.caller(Role.DEPARTMENT_ADMIN, "civil").scope
    assert {x["scope"] for x in quota.show(furnished.platform, scope)} == {"civil", "civil-it", "P-mail", "P-portal"}


def test_a_limit_of_nobody_is_refused(furnished: Furnished) -> None:
    with pytest.raises(NotFound, match=r"quota\.scope_unknown"):
        quota.set_limit(furnished.platform, "nobody", "vcpu", "limit", 1, OPERATOR)
    assert actions(furnished) == []


def test_an_audit_tells_drift_and_a_repair_ends_it_and_is_audited(furnished: Furnished) -> None:
    scope = furnished.city.departments["water"].id
    with furnished.platform.db.write() as connection:
        wrong = (quotas.c.scope_id == scope) & (quotas.c.dimension == "vcpu")
        connection.execute(quotas.update().where(wrong).values(used=9))
    expected = [{"scope_id": scope, "scope_kind": "department", "dimension": "vcpu", "used": 9, "counted": 0}]
    assert quota.audit(furnished.platform) == expected
    assert quota.audit(furnished.platform) == expected
    assert quota.repair(furnished.platform, OPERATOR) == expected
    assert quota.audit(furnished.platform) == []
    assert actions(furnished) == ["quota.audit"]
    with furnished.platform.db.read() as connection:
        assert store.recount(connection) == []
