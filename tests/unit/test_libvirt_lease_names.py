"""Host names in the address entries of a department network: each once, because libvirt refuses a second one."""

from drivers.libvirt.network_xml import lease_text, named_once, read_leases
from drivers.protocol import LeaseEntry


def _lease(last: int, hostname: str) -> LeaseEntry:
    return LeaseEntry(mac=f"02:00:00:00:00:{last:02x}", address=f"10.96.0.{last}", hostname=hostname)


def test_the_lowest_address_keeps_a_name_two_systems_use() -> None:
    given = [_lease(10, "web-1"), _lease(9, "db-1"), _lease(2, "web-1")]
    assert named_once(given) == (_lease(2, "web-1"), _lease(9, "db-1"), _lease(10, ""))


def test_entries_with_names_of_their_own_stay_as_they_are() -> None:
    given = (_lease(2, "web-1"), _lease(3, "web-2"))
    assert named_once(given) == given


def test_an_entry_without_a_name_is_written_without_one_and_read_back_the_same() -> None:
    text = lease_text(_lease(2, ""))
    assert "name" not in text
    assert read_leases(f"<network><ip><dhcp>{text}</dhcp></ip></network>") == {_lease(2, "")}
