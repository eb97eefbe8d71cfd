"""The configuration files of the services, as values: written anew at every start."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.openstack.region.layout import REGION, REPO, Layout, write_whole

HERE = Path(__file__).parent
#: What an operator is told to give to the role of our credential, rule by rule.
POLICIES = REPO / "etc" / "openstack"
Sections = Mapping[str, Mapping[str, object]]

#: What a fake hypervisor has.
HOST_VCPUS, HOST_MEMORY_MIB, HOST_DISK_GIB = 64, 131_072, 2_000
KEY = "0" * 64


def ini(sections: Sections) -> str:
    """Return the text of a configuration file."""
    return "\n".join(f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in options.items()) for name, options in sections.items())


def database_url(layout: Layout, name: str) -> str:
    """Return the address of a service's database."""
    return f"mysql+pymysql://region:{layout.password}@127.0.0.1:{layout.port('database')}/{name}?charset=utf8"


def _credentials(layout: Layout, user: str) -> dict[str, object]:
    return {
        "auth_url": layout.url("keystone", "/v3"),
        "auth_type": "password",
        "project_domain_name": "Default",
        "user_domain_name": "Default",
        "project_name": "service",
        "username": user,
        "password": layout.password,
        "region_name": REGION,
    }


def _cache(layout: Layout) -> str:
    return f"127.0.0.1:{layout.port('memcached')}"


def _common(layout: Layout, user: str) -> dict[str, dict[str, object]]:
    """Return what every service says about tokens, messages and locks."""
    return {
        "keystone_authtoken": {
            "www_authenticate_uri": layout.url("keystone"),
            "memcached_servers": _cache(layout),
            "service_token_roles": "service",
            "service_token_roles_required": "true",
            **_credentials(layout, user),
        },
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_messaging_rabbit": {"heartbeat_in_pthread": "false"},
        "oslo_concurrency": {"lock_path": layout.sub("lock")},
    }


def _policy(service: str) -> dict[str, object]:
    return {"policy_file": POLICIES / f"{service}.yaml"}


def _transport(layout: Layout) -> str:
    return f"rabbit://region:{layout.password}@127.0.0.1:{layout.port('broker')}/"


def _database(layout: Layout, name: str, connections: int = 10) -> dict[str, object]:
    return {"connection": database_url(layout, name), "max_pool_size": connections, "max_overflow": 60}


def keystone(layout: Layout) -> Sections:
    """Identity."""
    return {
        "DEFAULT": {},
        "database": {"connection": database_url(layout, "keystone")},
        "token": {"provider": "fernet", "expiration": 14_400},
        "fernet_tokens": {"key_repository": layout.sub("fernet")},
        "credential": {"key_repository": layout.sub("credential")},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memcached", "memcache_servers": _cache(layout)},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def placement(layout: Layout) -> Sections:
    """Inventories and allocations."""
    return {
        "api": {"auth_strategy": "keystone"},
        "placement_database": _database(layout, "placement", 5),
        "placement": {"randomize_allocation_candidates": "true"},
        "oslo_policy": _policy("placement"),
        **_common(layout, "placement"),
    }


def glance(layout: Layout) -> Sections:
    """Images, in files."""
    images = layout.sub("images")
    return {
        "DEFAULT": {
            "transport_url": _transport(layout),
            "bind_host": "127.0.0.1",
            "bind_port": layout.port("glance"),
            "workers": 1,
            "enabled_backends": "file:file",
        },
        "database": {"connection": database_url(layout, "glance")},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": images},
        "os_glance_tasks_store": {"filesystem_store_datadir": images / "tasks"},
        "os_glance_staging_store": {"filesystem_store_datadir": images / "staging"},
        "paste_deploy": {"flavor": "keystone", "config_file": HERE / "paste" / "glance.ini"},
        **_common(layout, "glance"),
    }


def nova(layout: Layout) -> Sections:
    """Machines."""
    return {
        "DEFAULT": {
            "transport_url": _transport(layout),
            "my_ip": "127.0.0.1",
            "host": "region",
            "state_path": layout.directory,
            "instances_path": layout.sub("instances"),
            "enabled_apis": "osapi_compute",
            "osapi_compute_listen": "127.0.0.1",
            "osapi_compute_listen_port": layout.port("nova"),
            "osapi_compute_workers": 2,
            "compute_driver": "fake.RegionDriver",
            "vif_plugging_is_fatal": "false",
            "vif_plugging_timeout": 0,
            "sync_power_state_interval": -1,
            "shelved_poll_interval": -1,
            "heal_instance_info_cache_interval": -1,
            "update_resources_interval": 60,
            "block_device_allocate_retries_interval": 1,
            "max_concurrent_builds": 10,
            "allow_resize_to_same_host": "true",
            "report_interval": 5,
            "service_down_time": 30,
        },
        "api": {"auth_strategy": "keystone"},
        "api_database": _database(layout, "nova_api"),
        "database": _database(layout, "nova"),
        "wsgi": {"default_pool_size": 60, "api_paste_config": HERE / "paste" / "nova.ini"},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 15},
        "filter_scheduler": {"track_instance_changes": "false", "shuffle_best_same_weighed_hosts": "true"},
        "conductor": {"workers": 1},
        "vnc": {"enabled": "true", "novncproxy_base_url": "http://127.0.0.1:6080/vnc_auto.html"},
        "placement": _credentials(layout, "placement"),
        "neutron": _credentials(layout, "neutron"),
        "glance": {"api_servers": layout.url("glance")},
        "cinder": {
            **_credentials(layout, "cinder"),
            "catalog_info": "volumev3:cinderv3:publicURL",
            "os_region_name": REGION,
        },
        "service_user": {"send_service_user_token": "true", **_credentials(layout, "nova")},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memcached", "memcache_servers": _cache(layout)},
        "key_manager": {"backend": "nova.keymgr.conf_key_mgr.ConfKeyManager", "fixed_key": KEY},
        "oslo_policy": _policy("nova"),
        **_common(layout, "nova"),
        # Only Nova tells what it does.
        "notifications": {"notification_format": "unversioned"},
        "oslo_messaging_notifications": {"driver": "messagingv2"},
    }


def neutron(layout: Layout) -> Sections:
    """Networks, without agents."""
    return {
        "DEFAULT": {
            "transport_url": _transport(layout),
            "bind_host": "127.0.0.1",
            "bind_port": layout.port("neutron"),
            "state_path": layout.directory,
            "core_plugin": "ml2",
            "service_plugins": "router,qos",
            "api_workers": 2,
            "rpc_workers": 1,
            "rpc_state_report_workers": 0,
            "dhcp_agent_notification": "false",
            "wsgi_default_pool_size": 50,
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "api_paste_config": HERE / "paste" / "neutron.ini",
        },
        # Larger than the green threads of a worker, or busy moments end as 500.
        "database": {"connection": database_url(layout, "neutron"), "max_pool_size": 20, "max_overflow": 100},
        "nova": _credentials(layout, "nova"),
        "placement": _credentials(layout, "placement"),
        "agent": {"root_helper": ""},
        "ml2": {
            "type_drivers": "flat,vxlan,local",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "region",
            "extension_drivers": "port_security,qos",
        },
        "ml2_type_flat": {"flat_networks": "outside"},
        "ml2_type_vxlan": {"vni_ranges": "1:10000"},
        "securitygroup": {"enable_security_group": "true"},
        **_common(layout, "neutron"),
    }


def cinder(layout: Layout) -> Sections:
    """Volumes. Their notifications stay off: with them this release answers 500."""
    return {
        "DEFAULT": {
            "transport_url": _transport(layout),
            "my_ip": "127.0.0.1",
            "host": "region",
            "auth_strategy": "keystone",
            "state_path": layout.directory,
            "osapi_volume_listen": "127.0.0.1",
            "osapi_volume_listen_port": layout.port("cinder"),
            "osapi_volume_workers": 1,
            "api_paste_config": HERE / "paste" / "cinder.ini",
            "resource_query_filters_file": HERE / "paste" / "cinder-filters.json",
            "enabled_backends": "standard",
            "default_volume_type": "standard",
            "glance_api_servers": layout.url("glance"),
            "periodic_interval": 10,
        },
        "standard": {
            "volume_driver": "region_cinder.RegionVolumeDriver",
            "volume_backend_name": "standard",
            "volume_clear": "none",
        },
        "database": _database(layout, "cinder"),
        "nova": _credentials(layout, "nova"),
        "service_user": {"send_service_user_token": "true", **_credentials(layout, "cinder")},
        "key_manager": {"backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager", "fixed_key": KEY},
        "coordination": {"backend_url": f"file://{layout.sub('lock')}"},
        "oslo_policy": _policy("cinder"),
        **_common(layout, "cinder"),
    }


def barbican(layout: Layout) -> Sections:
    """Certificates, encrypted with a key of this region; each call is answered at once, without a worker."""
    return {
        "DEFAULT": {
            # Addresses it gives begin as the one it was asked at.
            "host_href": "",
            "sql_connection": database_url(layout, "barbican"),
            "db_auto_create": "false",
            "transport_url": _transport(layout),
        },
        "secretstore": {"enabled_secretstore_plugins": "store_crypto"},
        "crypto": {"enabled_crypto_plugins": "simple_crypto"},
        "simple_crypto_plugin": {"kek": layout.encryption_key},
        "queue": {"enable": "false"},
        "oslo_policy": _policy("barbican"),
        **_common(layout, "barbican"),
    }


def octavia(layout: Layout) -> Sections:
    """Load balancers, whose amphorae are nothing; certificates are read from Barbican as by any Octavia."""
    etc = layout.sub("etc")
    certificate, key = etc / "octavia-ca.crt", etc / "octavia-ca.key"
    return {
        "DEFAULT": {"transport_url": _transport(layout), "host": "region"},
        "api_settings": {
            "bind_host": "127.0.0.1",
            "bind_port": layout.port("octavia"),
            "auth_strategy": "keystone",
            "enabled_provider_drivers": "amphora:amphorae that are nothing",
            "default_provider_driver": "amphora",
            "allow_tls_terminated_listeners": "true",
        },
        "database": _database(layout, "octavia"),
        "oslo_messaging": {"topic": "octavia_prov"},
        "controller_worker": {
            "workers": 1,
            "amphora_driver": "amphora_noop_driver",
            "compute_driver": "compute_noop_driver",
            "network_driver": "region_network_driver",
            "image_driver": "image_noop_driver",
            "volume_driver": "volume_noop_driver",
            "distributor_driver": "distributor_noop_driver",
            "statistics_drivers": "stats_logger",
            "amp_flavor_id": 1,
            "amp_image_tag": "amphora",
            "amp_boot_network_list": "00000000-0000-0000-0000-000000000001",
            "amp_active_retries": 10,
            "amp_active_wait_sec": 1,
            "loadbalancer_topology": "SINGLE",
            "client_ca": certificate,
        },
        "certificates": {
            "cert_manager": "barbican_cert_manager",
            "barbican_auth": "barbican_acl_auth",
            "region_name": REGION,
            "cert_generator": "local_cert_generator",
            "ca_certificate": certificate,
            "ca_private_key": key,
            "ca_private_key_passphrase": layout.password,
            "server_certs_key_passphrase": layout.password,
        },
        "haproxy_amphora": {"client_cert": certificate, "server_ca": certificate},
        "health_manager": {"bind_ip": "127.0.0.1", "heartbeat_key": layout.password},
        "networking": {"port_detach_timeout": 1},
        "neutron": {"service_name": "neutron", "region_name": REGION},
        "service_auth": {"memcached_servers": _cache(layout), **_credentials(layout, "octavia")},
        "oslo_policy": {"policy_file": HERE / "paste" / "octavia-policy.yaml"},
        **_common(layout, "octavia"),
    }


FILES: Mapping[str, Callable[[Layout], Sections]] = {
    "keystone": keystone,
    "placement": placement,
    "glance": glance,
    "nova": nova,
    "neutron": neutron,
    "cinder": cinder,
    "barbican": barbican,
    "octavia": octavia,
}
#: Services under uWSGI: callable, environment that names the configuration, processes.
WSGI: Mapping[str, tuple[str, str, int]] = {
    "keystone": ("from keystone.server.wsgi import initialize_public_application as make\n", "OS_KEYSTONE_CONFIG_DIR", 2),
    "placement": ("from placement.wsgi import init_application as make\n", "OS_PLACEMENT_CONFIG_DIR", 2),
    "barbican": (
        "from paste import deploy\nmake = lambda: deploy.loadapp('config:{paste}/barbican.ini')\n",
        "",
        1,
    ),
    "octavia": (
        "from octavia.api.app import setup_app\nmake = lambda: setup_app(argv=['api', '--config-file', '{file}'])\n",
        "",
        1,
    ),
}


def config_file(layout: Layout, service: str) -> Path:
    """Return where the configuration of a service stands."""
    folder = layout.sub(f"etc/{service}")
    if service == "barbican":
        # It takes no path: it looks into the folder of this name in its home, which is the region's directory.
        folder = layout.sub(".barbican")
    return folder / {"glance": "glance-api.conf"}.get(service, f"{service}.conf")


def write_all(layout: Layout) -> None:
    """Write every file."""
    for service, sections in FILES.items():
        write_whole(config_file(layout, service), ini(sections(layout)))
    for service in WSGI:
        _write_wsgi(layout, service)
    _write_plugins(layout)
    broker = (
        f"listeners.tcp.1 = 127.0.0.1:{layout.port('broker')}\n"
        f"listeners.ssl.1 = 127.0.0.1:{layout.port('broker_tls')}\n"
        f"ssl_options.certfile = {layout.broker_certificate}\n"
        f"ssl_options.keyfile = {layout.broker_certificate.with_suffix('.key')}\n"
        f"default_user = region\ndefault_pass = {layout.password}\n"
        "log.console = true\nlog.console.level = warning\nlog.file = false\n"
    )
    write_whole(layout.sub("etc/rabbitmq") / "rabbitmq.conf", broker)
    write_whole(layout.sub("etc/rabbitmq") / "enabled_plugins", "[].")


def _write_wsgi(layout: Layout, service: str) -> None:
    source, variable, processes = WSGI[service]
    folder = layout.sub(f"etc/{service}")
    program = folder / "application.py"
    source = source.replace("{file}", str(config_file(layout, service))).replace("{paste}", str(HERE / "paste"))
    write_whole(program, source + "application = make()\n")
    options = {
        "plugins": "python3",
        "http-socket": f"127.0.0.1:{layout.port(service)}",
        "processes": processes,
        "master": "true",
        "need-app": "true",
        "lazy-apps": "true",
        "enable-threads": "true",
        "die-on-term": "true",
        "no-orphans": "true",
        "thunder-lock": "true",
        "buffer-size": 65_535,
        "wsgi-manage-chunked-input": "true",
        "add-header": "Connection: close",
        "disable-logging": "true",
        "pythonpath": layout.sub("plugins"),
        "env": f"{variable or 'REGION'}={folder}",
        "wsgi-file": program,
    }
    write_whole(folder / "uwsgi.ini", ini({"uwsgi": options}))


def _write_plugins(layout: Layout) -> None:
    """Make our plugins findable: Neutron and Octavia look for theirs among the entry points of installed packages."""
    plugins = layout.sub("plugins")
    for source in (HERE / "services").glob("region_*.py"):
        write_whole(plugins / source.name, source.read_text())
    about = layout.sub("plugins/allotment_test_region-1.0.dist-info")
    write_whole(about / "METADATA", "Metadata-Version: 2.1\nName: allotment-test-region\nVersion: 1.0\n")
    points = (
        "[neutron.ml2.mechanism_drivers]\nregion = region_neutron:RegionMechanism\n"
        "[octavia.network.drivers]\nregion_network_driver = region_octavia:RegionNetworkDriver\n"
    )
    write_whole(about / "entry_points.txt", points)
