"""Placement policies: named integer weights, read from ``etc/placement.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from controller.scheduling.columns import AMOUNT_MAX
from inventory.domain.errors import Invalid

#: Every weight a policy may name; what each does stands in ``weighers.py``.
WEIGHT_NAMES = (
    "pack",
    "spread_load",
    "balance",
    "even_out",
    "keep_usable",
    "keep_large",
    "keep_empty",
    "soft_spread",
    "storage",
    "keep_accelerators",
)
WEIGHT_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeSize:
    """The large machine that ``keep_large`` keeps room for."""

    vcpu_count: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How hosts that fit are ranked. Weights that are not named are zero."""

    name: str
    version: int
    weights: Mapping[str, int]
    #: Named in the file once for all policies; without it ``keep_large`` says nothing.
    large: LargeSize | None = None
    #: The policies that pools of the site may name instead, by name.
    others: Mapping[str, "Policy"] = field(default_factory=dict, compare=False, repr=False)
    #: What ranks hosts, in a form that can be compared.
    key: tuple[object, ...] = field(init=False, compare=False, repr=False)

    def of_pool(self, name: str) -> "Policy":
        """Return the policy a pool names; this one where it names none, or one that is not there (any more)."""
        return self.others.get(name, self)

    @property
    def label(self) -> str:
        """Return the form that explanations store, for example ``balanced@1``."""
        return f"{self.name}@{self.version}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.large, *sorted(self.weights.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """All policies of a site and the one used where nothing else is said."""

    default: str
    policies: Mapping[str, Policy]

    def policy(self, name: str = "") -> Policy:
        """Return a policy by name, the default one for an empty name.

        Raises:
            Invalid: there is no such policy.
        """
        found = self.policies.get(name or self.default)
        if found is None:
            raise Invalid("placement.policy_unknown", name=name or self.default, known=", ".join(sorted(self.policies)))
        return replace(found, others=self.policies)


#: Used where no file is given; ``etc/placement.yaml`` says the same.
DEFAULT_POLICY = Policy(
    name="balanced",
    version=3,
    weights={"keep_usable": 100, "keep_large": 60, "even_out": 20, "soft_spread": 400, "storage": 10, "keep_accelerators": 200},
    large=LargeSize(vcpu_count=8, memory_mib=57344),
)


def read_policies(text: str) -> PolicyTable:
    """Return the table of a policy file.

    Raises:
        Invalid: it is not YAML of the expected form, or a weight is unknown or not a whole number from 0 to 1000.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid("placement.policy_malformed", detail=str(error).splitlines()[0]) from error
    if not isinstance(data, dict) or not isinstance(data.get("policies"), dict) or not isinstance(data.get("version"), int):
        raise Invalid("placement.policy_malformed", detail="version, default, policies")
    large = _large(data.get("large"))
    policies = {str(name): _policy(str(name), data["version"], weights, large) for name, weights in data["policies"].items()}
    table = PolicyTable(default=str(data.get("default", "")), policies=policies)
    table.policy()
    return table


def _large(written: Any) -> LargeSize | None:
    if written is None:
        return None
    amounts: list[Any] = [written.get(key) for key in ("vcpus", "memory_mib")] if isinstance(written, dict) else []
    if not amounts or len(written) > len(amounts) or any(type(n) is not int or not 0 < n <= AMOUNT_MAX for n in amounts):
        raise Invalid("placement.policy_malformed", detail="large: {vcpus, memory_mib}")
    return LargeSize(vcpu_count=amounts[0], memory_mib=amounts[1])


def _policy(name: str, version: int, weights: Any, large: LargeSize | None) -> Policy:
    if not isinstance(weights, dict):
        raise Invalid("placement.policy_malformed", detail=name)
    for weight, value in weights.items():
        if weight not in WEIGHT_NAMES:
            raise Invalid("placement.weight_unknown", policy=name, weight=str(weight), known=", ".join(WEIGHT_NAMES))
        if type(value) is not int or not 0 <= value <= WEIGHT_MAX:
            raise Invalid("placement.weight_out_of_range", policy=name, weight=weight, value=str(value), highest=WEIGHT_MAX)
    return Policy(name=name, version=version, weights=dict(weights), large=large)
