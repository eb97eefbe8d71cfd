"""Settings of the controller: read once at start, frozen after. Every key stands in ``etc/controller.toml`` with its unit."""

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from inventory.domain.drift import DriftAnswer
from inventory.domain.errors import Invalid, Problem
from inventory.domain.organisation import Billing

#: Named by this variable, else the system's file if it is there.
CONFIG_VARIABLE = "ALLOT_CONFIG"
SYSTEM_CONFIG = Path("/etc/allotment/controller.toml")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(_Section):
    """Where the state is kept."""

    directory: Path = Field(default=Path("/var/lib/allotment"), description="Directory of the embedded state, images and logs.")
    url: str = Field(default="", description="postgresql://… for several controllers; empty: SQLite in the directory.")
    pool_size: int = Field(default=8, ge=1, le=64, description="Database connections kept open (count).")


class Server(_Section):
    """The HTTP service."""

    host: str = Field(default="127.0.0.1", description="Address to listen on; any other than loopback needs TLS.")
    port: int = Field(default=8470, ge=1, le=65535, description="TCP port.")
    tls_certificate: Path | None = Field(default=None, description="PEM file of the certificate chain.")
    tls_key: Path | None = Field(default=None, description="PEM file of the private key.")
    metrics_without_token: bool = Field(default=True, description="Serve /metrics without a token to loopback addresses.")


class Time(_Section):
    """Time as people see it; inside everything is UTC epoch seconds."""

    zone: str = Field(default="Asia/Shanghai", description="IANA time zone of leases, months and printed times.")


class Reconcile(_Section):
    """The loop that makes wishes true."""

    is_paused: bool = Field(default=False, description="Start with the loop off: nothing is changed at any back end.")
    hold_s: int = Field(default=60, ge=5, description="How long a worker may act on a resource before another may take it (s).")
    batch_count: int = Field(
        default=256, ge=1, le=1024, description="Resources taken, and outcomes written, per transaction (count)."
    )
    call_deadline_s: int = Field(default=120, ge=1, description="Longest a call to a back end may take (s).")
    observe_interval_s: int = Field(default=30, ge=1, description="How often each host is looked at (s).")
    refresh_interval_s: int = Field(
        default=1800, ge=0, description="How often what a host is (its size, zone and the like) is read again (s); 0: never."
    )
    graceful_stop_s: int = Field(default=60, ge=0, description="How long a guest is asked politely to stop (s).")
    audit_interval_s: int = Field(default=300, ge=1, description="How often the invariants are checked (s).")
    drift_stopped: DriftAnswer = Field(
        default=DriftAnswer.REPAIR, description="A machine stopped behind the platform's back: repair or report."
    )
    drift_started: DriftAnswer = Field(
        default=DriftAnswer.REPAIR, description="A machine started behind the platform's back: repair or report."
    )
    drift_missing: DriftAnswer = Field(
        default=DriftAnswer.REPAIR, description="A machine's definition or a network that is gone: repair or report."
    )
    drift_edited: DriftAnswer = Field(
        default=DriftAnswer.REPAIR, description="A machine edited behind the platform's back: repair or report."
    )


class Placement(_Section):
    """Where machines go."""

    policy_file: Path | None = Field(default=None, description="Table of policies; none: the one that ships.")
    policy: str = Field(default="", description="Name of the policy; empty: the table's default.")


class ApprovalRules(_Section):
    """When a second person must agree, besides data loss in production."""

    month_price_over_yuan: str = Field(
        default="", description="Tickets adding more to the month's price (yuan); empty: no such rule."
    )
    machines_over: int | None = Field(default=None, ge=0, description="Tickets making more machines (count); none: no such rule.")


class Network(_Section):
    """The address plan."""

    quarantine_s: int = Field(default=3600, ge=0, description="How long a released address rests (s).")


class Images(_Section):
    """Intake of images."""

    max_size_gib: int = Field(default=64, ge=1, description="Largest file taken in (GiB).")
    allowed_hosts: tuple[str, ...] = Field(default=(), description="Host names an image may be fetched from; empty: none.")
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(), description="Networks that are not public and may be fetched from all the same, for a mirror of your own."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority of a mirror of your own; none: the system's."
    )


class Retention(_Section):
    """How long what may be forgotten is kept. Journal and audit chain are kept without end."""

    explanations_days: int = Field(default=400, ge=1, description="Explanations of placements and refusals (days).")
    events_days: int = Field(default=400, ge=1, description="Stories of tickets that are over, findings that are closed (days).")
    use_days: int = Field(default=62, ge=31, description="What machines used, day by day; after that month by month (days).")
    use_months_days: int = Field(default=1100, ge=31, description="What machines used, month by month (days).")


class Metrics(_Section):
    """What Prometheus scrapes."""

    snapshot_interval_s: int = Field(default=15, ge=1, description="How often the figures are collected (s).")
    instance_series_max: int = Field(
        default=0, ge=0, description="Most series of machines told on /metrics/instances (count); 0: none."
    )
    compatibility: bool = Field(default=False, description="Tell the names of other exporters on /metrics/compatibility.")


class Metering(_Section):
    """The ledger of usage."""

    ledger_interval_s: int = Field(default=3, ge=1, description="How often the ledger takes what is new in the journal (s).")
    closing_grace_h: int = Field(default=72, ge=0, description="How long after a month its review may begin (h).")
    fiscal_year_start_month: int = Field(
        default=1, ge=1, le=12, description="The month a budget's year begins in; a year is named by the one it begins in."
    )
    billing: Billing = Field(
        default=Billing.CHARGEBACK,
        description="How departments are billed that say nothing, nor any above: chargeback or showback.",
    )
    compare_interval_s: int = Field(
        default=86400, ge=60, description="How often the whole ledger is compared with the journal (s)."
    )
    reconcile_interval_s: int = Field(
        default=300, ge=10, description="How often what is metered is compared with claims and back ends (s)."
    )
    sample_interval_s: int = Field(
        default=300, ge=0, le=3600, description="How often hosts are asked what their machines use (s); 0: never."
    )
    network_bytes: bool = Field(
        default=False, description="Count bytes in and out as meters: every price book must then price them."
    )


class Reports(_Section):
    """Reports of months, as files."""

    provider: str = Field(
        default="Allotment", min_length=1, max_length=100, description="Who provides the platform and issues its statements."
    )
    keep_h: int = Field(default=24, ge=1, description="How long a finished file is kept to be fetched (h).")


class Log(_Section):
    """Log lines go to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severity written.")
    format: Literal["json", "text"] = Field(default="json", description="json for machines, text for people.")


class Moves(_Section):
    """Bounds of plans that move machines."""

    per_hour: int = Field(default=120, ge=0, description="Most moves begun in an hour (count); 0 begins none: the off switch.")
    cool_down_s: int = Field(
        default=86_400, ge=0, description="Rest of a moved machine before it may move for evenness or energy (s)."
    )
    dwell_s: int = Field(default=3600, ge=0, description="Age of a machine before it may move for evenness or energy (s).")


class Fencing(_Section):
    """Cutting the power of hosts that do not answer, for pools that give them up by themselves."""

    directory: Path | None = Field(
        default=None, description="Where each pool has a program of its code that cuts the power of a host; none: no fencing."
    )
    timeout_s: int = Field(default=120, ge=1, le=3600, description="How long such a program may take (s).")


class Settings(BaseSettings):
    """All settings. Environment variables ``ALLOT_SECTION__KEY`` go before the file."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="ALLOT_", env_nested_delimiter="__")

    state: State = State()
    server: Server = Server()
    time: Time = Time()
    reconcile: Reconcile = Reconcile()
    placement: Placement = Placement()
    approval: ApprovalRules = ApprovalRules()
    network: Network = Network()
    images: Images = Images()
    retention: Retention = Retention()
    moves: Moves = Moves()
    fencing: Fencing = Fencing()
    metrics: Metrics = Metrics()
    metering: Metering = Metering()
    reports: Reports = Reports()
    log: Log = Log()

    @property
    def database_url(self) -> str:
        """Return the URL of the state."""
        return self.state.url or f"sqlite:///{self.state.directory / 'state.sqlite'}"

    @property
    def images_dir(self) -> Path:
        """Return where the controller keeps its own copies of images."""
        return self.state.directory / "images"

    @property
    def reports_dir(self) -> Path:
        """Return where reports are made and kept for a while."""
        return self.state.directory / "reports"

    @property
    def is_loopback(self) -> bool:
        """Tell whether the service is reachable from this machine only."""
        return self.server.host in {"127.0.0.1", "::1", "localhost"}


def load_settings(path: Path | None = None) -> Settings:
    """Read settings from the environment and a TOML file.

    Raises:
        Invalid: ``settings.*`` with every problem.
    """
    chosen = path or (Path(os.environ[CONFIG_VARIABLE]) if CONFIG_VARIABLE in os.environ else None)
    if chosen is not None and not chosen.is_file():
        raise Invalid("settings.file_missing", path=str(chosen))
    file = chosen or (SYSTEM_CONFIG if SYSTEM_CONFIG.is_file() else None)

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  signature of the base
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  signature of the base
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = (TomlConfigSettingsSource(settings_cls, file),) if file else ()
            return (init_settings, env_settings, *toml)

    try:
        settings = FromFile()
    except ValidationError as error:
        problems = [_problem(e) for e in error.errors()]
        raise Invalid("settings.invalid", problems=problems, **problems[0].params) from error
    except ValueError as error:
        raise Invalid("settings.unreadable", path=str(file), reason=str(error)) from error
    if not settings.is_loopback and not (settings.server.tls_certificate and settings.server.tls_key):
        raise Invalid("settings.tls_required", host=settings.server.host)
    return settings


def _problem(error: Any) -> Problem:
    key = ".".join(str(part) for part in error["loc"])
    return Problem("settings.invalid", {"key": key, "reason": error["msg"]})
