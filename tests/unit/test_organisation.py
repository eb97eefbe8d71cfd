"""How departments are billed: their own word, that of the nearest one above, or the platform's."""

from inventory.domain.ids import DepartmentId
from inventory.domain.organisation import Billing, Department, billing_of

CHARGED, SHOWN = Billing.CHARGEBACK, Billing.SHOWBACK


def tree(*words: tuple[str, str, Billing | None]) -> list[Department]:
    return [
        Department(id=DepartmentId(id_), code=id_, name=id_, parent_id=DepartmentId(above) if above else None, billing=billing)
        for id_, above, billing in words
    ]


def test_the_nearest_word_on_the_way_up_holds_in_whatever_order_departments_come() -> None:
    departments = tree(
        ("office", "bureau", None),
        ("bureau", "city", SHOWN),
        ("desk", "office", CHARGED),
        ("city", "", None),
        ("port", "city", None),
    )
    wanted = {"city": CHARGED, "bureau": SHOWN, "office": SHOWN, "desk": CHARGED, "port": CHARGED}
    assert billing_of(departments, CHARGED) == wanted
    assert billing_of(departments[::-1], CHARGED) == wanted
    assert billing_of(departments, SHOWN) == {**wanted, "city": SHOWN, "port": SHOWN}


def test_a_circle_of_departments_ends_with_the_word_of_the_platform() -> None:
    assert billing_of(tree(("a", "b", None), ("b", "a", None)), SHOWN) == {"a": SHOWN, "b": SHOWN}
