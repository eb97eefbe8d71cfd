"""What an operator is told to give to the role of our credential is exactly what the regions of the tests give to it."""

from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]
POLICIES = sorted((REPO / "etc" / "openstack").glob("*.yaml"))


@pytest.mark.parametrize("file", POLICIES, ids=lambda f: f.stem)
def test_each_rule_only_adds_the_role_and_is_named_on_the_page(file: Path) -> None:
    page = (REPO / "docs" / "openstack.md").read_text(encoding="utf-8")
    rules = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, check in rules.items():
        before, _, added = check.rpartition(" or ")
        assert before in ("rule:context_is_admin", "rule:admin_api")
        assert added == "role:allotment"
        assert f"`{name}`" in page


def test_there_is_a_policy_for_each_service_that_asks_for_more_than_a_member() -> None:
    assert [f.stem for f in POLICIES] == ["cinder", "nova", "placement"]
