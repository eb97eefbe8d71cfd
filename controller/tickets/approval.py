"""When a second person must agree: the minimal policy (DESIGN §9); the policy-driven chain comes later."""

from dataclasses import dataclass

#: The one stage there is.
SECOND_PERSON = "second-person"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """What needs a second person besides data loss in production."""

    #: Tickets that add more than this to the month's price, micro-yuan; None: no such rule.
    month_price_over_micro_yuan: int | None = None
    #: Tickets that make more machines than this; None: no such rule.
    machines_over: int | None = None

    def stages(
        self,
        *,
        impact: str,
        is_production: bool,
        month_price_micro_yuan: int,
        machine_count: int,
        is_over_budget: bool = False,
    ) -> tuple[str, ...]:
        """Return the stages a ticket must pass, in order."""
        price, machines = self.month_price_over_micro_yuan, self.machines_over
        asked = (
            (impact == "data_loss" and is_production)
            or (price is not None and month_price_micro_yuan > price)
            or (machines is not None and machine_count > machines)
            or is_over_budget
        )
        return (SECOND_PERSON,) if asked else ()
