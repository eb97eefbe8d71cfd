"""What a region holds before anybody uses it, made through its own APIs: users, endpoints, a volume type, a network outside."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException
from openstack.identity.v3 import _proxy as identity_v3

from tests.openstack.region.layout import REGION, Layout, write_whole
from tests.openstack.region.processes import RegionError

ENDPOINTS = {
    "glance": ("image", ""),
    "placement": ("placement", ""),
    "nova": ("compute", "/v2.1"),
    "neutron": ("network", ""),
    "cinderv3": ("volumev3", "/v3/%(project_id)s"),
    "octavia": ("load-balancer", ""),
    "barbican": ("key-manager", ""),
}
#: The user the platform acts as; its project holds what belongs to no department.
PLATFORM_USER = "allotment"
#: Another user of that project, no administrator: a member with a role to which the services' policies give a little more.
LIMITED, LIMITED_ROLE = "allotment-limited", "allotment"
#: A user that is a plain member of one project, and logs in with an application credential: the least a pool needs.
MEMBER = "allotment-member"
CLOUDS = """\
clouds:
  region-admin:
    region_name: {region}
    auth: {{auth_url: "{url}", username: admin, password: "{password}", project_name: admin, {domains}}}
  region:
    region_name: {region}
    auth: {{auth_url: "{url}", username: allotment, password: "{password}", project_name: allotment, {domains}}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}}}
  told:
    region_name: {region}
    auth: {{auth_url: "{url}", username: allotment, password: "{password}", project_name: allotment, {domains}}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}, notifications: "{broker}"}}
  departments:
    region_name: {region}
    auth: {{auth_url: "{url}", username: allotment, password: "{password}", project_name: allotment, {domains}}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}, projects: per-department, project_role: admin}}
  limited:
    region_name: {region}
    auth: {{auth_url: "{url}", username: allotment-limited, password: "{password}", project_name: allotment, {domains}}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}}}
  member:
    region_name: {region}
    auth_type: v3applicationcredential
    auth: {{auth_url: "{url}", application_credential_id: "{credential_id}", application_credential_secret: "{secret}"}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}}}
  keyless:
    region_name: {region}
    has_key_manager: false
    auth: {{auth_url: "{url}", username: allotment, password: "{password}", project_name: allotment, {domains}}}
    allotment: {{observe_max_age_s: 0, call_timeout_s: {call_timeout_s}}}
  system:
    region_name: {region}
    auth: {{auth_url: "{url}", username: admin, password: "{password}", system_scope: all, user_domain_name: Default}}
  silent:
    region_name: {region}
    auth: {{auth_url: "http://127.0.0.1:9/v3", username: nobody, password: nothing, project_name: none, {domains}}}
"""
#: On cores shared with much else, Neutron has taken more than half a minute for a router.
CALL_TIMEOUT_S = 120
DOMAINS = "user_domain_name: Default, project_domain_name: Default"


def write_clouds(layout: Layout) -> None:
    """Write ``clouds.yaml``: the region's administrator, and the platform's own user."""
    made = layout.directory / "application-credential"
    credential_id, secret = made.read_text().split() if made.exists() else ("", "")
    url = layout.url("keystone", "/v3")
    text = CLOUDS.format(
        region=REGION,
        url=url,
        password=layout.password,
        broker=f"amqp://region:{layout.password}@127.0.0.1:{layout.port('broker')}",
        credential_id=credential_id,
        secret=secret,
        domains=DOMAINS,
        call_timeout_s=CALL_TIMEOUT_S,
    )
    write_whole(layout.clouds_file, text, 0o600)


def administrator(layout: Layout) -> Any:
    """Return a connection of the region's administrator."""
    config = openstack.config.OpenStackConfig(config_files=[str(layout.clouds_file)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud="region-admin"))


def seed_identity(layout: Layout) -> None:
    """Make the services' users, the platform's user, and the catalogue."""
    identity = administrator(layout).identity
    roles = {role.name: role for role in identity.roles()}
    if "service" not in roles:
        roles["service"] = identity.create_role(name="service")
    project = identity.find_project("service") or identity.create_project(name="service", domain_id="default")
    services = {service.name: service for service in identity.services()}
    for name, (kind, path) in ENDPOINTS.items():
        login = name.removesuffix("v3")
        user = identity.find_user(login) or identity.create_user(name=login, password=layout.password, domain_id="default")
        for role in ("admin", "service"):
            identity.assign_project_role_to_user(project, user, roles[role])
        service = services.get(name) or identity.create_service(name=name, type=kind)
        known = {endpoint.interface for endpoint in identity.endpoints(service_id=service.id)}
        for interface in {"public", "internal", "admin"} - known:
            url = layout.url(login, path)
            identity.create_endpoint(service_id=service.id, interface=interface, region_id=REGION, url=url)
    for login, role in ((PLATFORM_USER, "admin"), (MEMBER, "member")):
        own = identity.find_project(login) or identity.create_project(name=login, domain_id="default")
        user = identity.find_user(login) or identity.create_user(name=login, password=layout.password, domain_id="default")
        identity.assign_project_role_to_user(own, user, roles[role])


def seed_limited(layout: Layout) -> None:
    """Make the platform's user that is no administrator, and the role it has."""
    identity = administrator(layout).identity
    role = identity.find_role(LIMITED_ROLE) or identity.create_role(name=LIMITED_ROLE)
    user = identity.find_user(LIMITED) or identity.create_user(name=LIMITED, password=layout.password, domain_id="default")
    project = identity.find_project(PLATFORM_USER)
    for given in (role, identity.find_role("member")):
        identity.assign_project_role_to_user(project, user, given)


def seed_application_credential(layout: Layout) -> None:
    """Let the member make itself an application credential; its secret is told only once."""
    cloud = openstack.connect(
        auth_url=layout.url("keystone", "/v3"),
        username=MEMBER,
        password=layout.password,
        project_name=MEMBER,
        user_domain_name="Default",
        project_domain_name="Default",
        region_name=REGION,
    )
    identity, user_id = cloud.identity, cloud.current_user_id
    assert isinstance(identity, identity_v3.Proxy)
    assert user_id is not None
    made = identity.create_application_credential(user_id, name="allotment")
    write_whole(layout.directory / "application-credential", f"{made.id} {made.secret}", 0o600)
    cloud.close()
    write_clouds(layout)


#: A region's own limits of a project are made for a few machines; here the platform's are the ones that count.
QUOTAS: Mapping[str, Mapping[str, int]] = {
    "compute": {"cores": 2_000, "ram": 4_000_000, "instances": 1_000, "server_groups": 100},
    "block_storage": {"volumes": 2_000, "gigabytes": 100_000, "snapshots": 500},
    "network": {
        "networks": 500, "subnets": 500, "ports": 5_000, "routers": 100, "floating_ips": 100,
        "security_groups": 500, "security_group_rules": 5_000,
    },
}  # fmt: skip


def seed_quotas(layout: Layout) -> None:
    """Give the projects of the platform and of the member room for every test."""
    cloud = administrator(layout)
    for name in (PLATFORM_USER, MEMBER):
        project_id = cloud.identity.find_project(name).id
        cloud.compute.update_quota_set(project_id, **QUOTAS["compute"])
        cloud.block_storage.update_quota_set(project_id, **QUOTAS["block_storage"])
        cloud.network.update_quota(project_id, **QUOTAS["network"])


def seed_cloud(layout: Layout) -> None:
    """Make what every region has: a volume type and a network outside."""
    cloud = administrator(layout)
    if cloud.block_storage.find_type("standard") is None:
        cloud.block_storage.create_type(name="standard", extra_specs={"volume_backend_name": "standard"})
    if cloud.network.find_network("outside") is None:
        outside = cloud.network.create_network(
            name="outside", is_router_external=True, provider_network_type="flat", provider_physical_network="outside"
        )
        cloud.network.create_subnet(
            name="outside", network_id=outside.id, ip_version=4, cidr="203.0.113.0/24", is_dhcp_enabled=False
        )


def wait_ready(layout: Layout, timeout_s: float, since_s: float = 0.0, *, without: Collection[str] = ()) -> None:
    """Wait until every service has reported in after a moment (epoch s) and every hypervisor has its resource provider.

    Hypervisors in ``without`` are to be seen as down.

    Raises:
        RegionError: not in time.
    """
    cloud = administrator(layout)
    _until(lambda: _missing(cloud, layout, since_s, without), timeout_s)


def _missing(cloud: Any, layout: Layout, since_s: float, without: Collection[str]) -> list[str]:
    try:
        services = [*cloud.compute.services(), *cloud.block_storage.services()]
    except (SDKException, ClientException) as error:
        return [str(error)]
    alive = [s for s in services if s.state == "up" and moment_s(s.updated_at or "", 0.0) >= since_s]
    up = {s.host if s.binary == "nova-compute" else s.binary for s in alive}
    provided = {p.name for p in cloud.placement.resource_providers()}
    wanted = {"nova-scheduler", "nova-conductor", "cinder-scheduler", "cinder-volume"}
    still_up = [s.host for s in services if s.host in without and s.state == "up"]
    there = [name for name in layout.host_names() if name not in without]
    return sorted(wanted - up) + still_up + [name for name in there if name not in up or name not in provided]


def _until(missing: Callable[[], list[str]], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while left := missing():
        if time.monotonic() > end:
            raise RegionError(f"not up after {timeout_s:.0f} s: {', '.join(left)}")
        time.sleep(0.5)


def moment_s(text: str, unknown_s: float) -> float:
    """Return a moment as the services write it (ISO 8601, UTC, no zone) in epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() if text else unknown_s
