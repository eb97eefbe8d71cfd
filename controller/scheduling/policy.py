"""Placement policies: named integer weights, read from ``etc/placement.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from inventory.domain.errors import Invalid

#: Every weight a policy may name; what each does stands in ``weighers.py``.
WEIGHT_NAMES = ("pack", "spread_load", "balance", "soft_spread", "storage", "keep_accelerators")
WEIGHT_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How hosts that fit are ranked. Weights that are not named are zero."""

    name: str
    version: int
    weights: Mapping[str, int]

    @property
    def label(self) -> str:
        """Return the form that explanations store, for example ``balanced@1``."""
        return f"{self.name}@{self.version}"


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
        return found


#: Used where no file is given; ``etc/placement.yaml`` says the same.
DEFAULT_POLICY = Policy(
    name="balanced",
    version=1,
    weights={"pack": 4, "balance": 3, "soft_spread": 20, "storage": 1, "keep_accelerators": 10},
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
    policies = {str(name): _policy(str(name), data["version"], weights) for name, weights in data["policies"].items()}
    table = PolicyTable(default=str(data.get("default", "")), policies=policies)
    table.policy()
    return table


def _policy(name: str, version: int, weights: Any) -> Policy:
    if not isinstance(weights, dict):
        raise Invalid("placement.policy_malformed", detail=name)
    for weight, value in weights.items():
        if weight not in WEIGHT_NAMES:
            raise Invalid("placement.weight_unknown", policy=name, weight=str(weight), known=", ".join(WEIGHT_NAMES))
        if type(value) is not int or not 0 <= value <= WEIGHT_MAX:
            raise Invalid("placement.weight_out_of_range", policy=name, weight=weight, value=str(value), highest=WEIGHT_MAX)
    return Policy(name=name, version=version, weights=dict(weights))
