"""What an operator is told to give to the role of our credential is exactly what the regions of the tests give to it."""

from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]
POLICIES = sorted((REPO / "etc" / "openstack").glob("*.yaml"))
#: Rules as the services have them. Source: the policies of Nova, Placement, Cinder and Barbican in Zed.
OWN = {
    "rule:context_is_admin",
    "rule:admin_api",
    *(
        rule.replace("KIND", kind)
        for kind in ("secret", "container")
        for rule in (
            "rule:KIND_non_private_read or rule:KIND_project_creator or rule:KIND_project_admin or rule:KIND_acl_read",
            "(rule:all_but_audit and rule:KIND_project_match)",
        )
    ),
}
#: Barbican's say of themselves which project they are of; those of the others are asked in a project.
ADDED = {service: {"role:allotment"} for service in ("cinder", "nova", "placement")} | {
    "barbican": {
        *(f"(role:allotment and rule:{kind}_project_match)" for kind in ("secret", "container")),
        *(f"(role:allotment and rule:{kind}_project_match and not rule:{kind}_private_read)" for kind in ("secret", "container")),
    }
}


@pytest.mark.parametrize("file", POLICIES, ids=lambda f: f.stem)
def test_each_rule_only_adds_the_role_and_is_named_on_the_page(file: Path) -> None:
    page = (REPO / "docs" / "openstack.md").read_text(encoding="utf-8")
    rules = yaml.safe_load(file.read_text(encoding="utf-8"))
    for name, check in rules.items():
        before, _, added = check.rpartition(" or ")
        assert before in OWN
        assert added in ADDED[file.stem]
        assert f"`{name}`" in page


def test_there_is_a_policy_for_each_service_that_asks_for_more_than_a_member() -> None:
    assert [f.stem for f in POLICIES] == ["barbican", "cinder", "nova", "placement"]
