"""FOCUS Cost and Usage: what rated lines are called in the FinOps world, versions 1.4 and 1.2. Pure.

The billing account is the department, because it is the one that gets an invoice; its projects are sub accounts. Costs are:
``BilledCost`` and ``EffectiveCost`` the micro-yuan of the line, ``ListCost`` and ``ContractedCost`` exactly unit price times
quantity, so that both can be computed again by anyone. What is only shown (showback) has all of
them but ``BilledCost``, which is 0. A commitment is billed as a fee; what was used and not used of it carries that fee as
effective cost. What rounding to fen gave or took is a row, so that rows of an invoice add up to it.
Source: FOCUS 1.4 and 1.2, https://focus.finops.org.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from metering.books import WHOLE_POINTS
from metering.lines import CHARGED, Kind
from metering.meters import is_timed
from metering.reports.columns import Column, Dataset, Type, shifted
from metering.reports.facets import CORRECTIONS, Extra, Owner, OwnerCells, PriceCells, Priced, PriceKey, Subjects
from metering.reports.lines import CHARGED_SQL, JOINED, LINE_ID, QUANTITY_SCALE, Neutral

CURRENCY = "CNY"
_COST, _PRICE = 17, 16
_BY_COMMITMENT = (Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED)
#: Head of a meter's name -> service category, subcategory and name.
_SERVICES: Mapping[str, tuple[str, str, str]] = {
    "vcpu": ("Compute", "Virtual Machines", "Virtual machines"),
    "memory_mib": ("Compute", "Virtual Machines", "Virtual machines"),
    "accelerator": ("Compute", "Virtual Machines", "Accelerators"),
    "disk_gib": ("Storage", "Block Storage", "Block storage"),
    "snapshot_gib": ("Storage", "Backup Storage", "Snapshots"),
    "backup_gib": ("Storage", "Backup Storage", "Backups"),
    "image_gib": ("Storage", "Other (Storage)", "Images"),
    "network_in_bytes": ("Networking", "Network Infrastructure", "Network traffic"),
    "network_out_bytes": ("Networking", "Network Infrastructure", "Network traffic"),
    "address": ("Networking", "Network Infrastructure", "Addresses"),
    "load_balancer_unit": ("Networking", "Application Networking", "Load balancers"),
    "service": ("Management and Governance", "Support", "Services"),
    "labour": ("Management and Governance", "Support", "Labour"),
}
_OTHER = ("Other", "Other (Other)", "Other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What holds for every row of a file."""

    period_id: str
    start_s: int
    end_s: int
    #: Who provides, hosts and issues invoices.
    provider: str


def invoice_id(period_id: str, department_code: str) -> str:
    """Return the number of a department's invoice."""
    return f"{period_id}-{department_code}"


def invoice_detail_id(invoice: str, project_code: str, meter: str, kind: str, billing: str) -> str:
    """Return the number of a row of an invoice."""
    return f"{invoice}/{project_code or '-'}{detail_tail(meter, kind, billing)}"


def detail_tail(meter: str, kind: str, billing: str) -> str:
    """Return the end of the number of a row of an invoice: what is only shown has rows of its own."""
    return f"/{meter}/{kind}" if billing == CHARGED else f"/{meter}/{kind}/{billing}"


def service_of(meter: str) -> tuple[str, str, str]:
    """Return service category, subcategory and name of a meter."""
    return _SERVICES.get(meter.partition(":")[0], _OTHER)


def latin(text: str) -> str:
    """Return a text in ASCII, which 1.2 asks for: other signs by their number."""
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()


def owner_cells(setting: Setting, neutral: Neutral) -> OwnerCells:
    """Return what makes the cells that tell whose a row is."""

    def cells(owner: Owner, subjects: Subjects) -> Mapping[str, str | None]:
        code, name = subjects.departments.get(owner.department_id, ("", ""))
        project, project_name, budget = subjects.projects.get(owner.project_id, ("", "", ""))
        invoice = invoice_id(setting.period_id, code)
        return {
            "account_id": neutral(code),
            "account_name": neutral(name),
            "account_latin": neutral(name if name.isascii() else latin(code)),
            "sub_latin": neutral(project_name if project_name.isascii() else latin(project)) or None,
            "sub_id": neutral(project) or None,
            "sub_name": neutral(project_name) or None,
            "sub_type": "Project" if project else None,
            "budget_code": neutral(budget) or None,
            "system_name": neutral(subjects.systems.get(owner.system_id, "")) or None,
            "invoice": neutral(invoice),
            "invoice_row": neutral(f"{invoice}/{project or '-'}"),
        }

    return cells


def _charge(key: PriceKey, counted: Priced) -> tuple[str, str | None, str]:
    """Return category, class and frequency of a charge."""
    correction = "Correction" if key.kind in CORRECTIONS else None
    if key.kind == Extra.COMMITMENT_FEE:
        return "Purchase", None, "Recurring"
    if key.kind == Kind.ENTRY and not is_timed(key.meter):
        return "Usage", None, "Recurring" if counted.is_timed else "One-Time"
    if key.kind in (Extra.ROUNDING, *CORRECTIONS):
        return "Adjustment", correction, "One-Time"
    return "Usage", None, "Usage-Based"


def commitment_id(contract: str, name: str) -> str:
    """Return the number of a commitment: each version of a price book agrees to its own."""
    return f"{contract}/{name}"


def _applied(contract: str, name: str, unit: str) -> tuple[str, str]:
    """Return what stands before and after the quantity of a row in ``ContractApplied``."""
    ids = {"ContractId": contract, "ContractCommitmentId": commitment_id(contract, name)}
    head = json.dumps({"Elements": [ids]}, ensure_ascii=False).removesuffix("}]}")
    return f'{head}, "ContractCommitmentAppliedQuantity": ', f', "ContractCommitmentAppliedUnit": {json.dumps(unit)}}}]}}'


def price_cells(neutral: Neutral, contracts: Mapping[str, str]) -> PriceCells:
    """Return what makes the cells of kind and price; ``contracts`` is what each version of the price book is called."""

    def cells(key: PriceKey, counted: Priced) -> Mapping[str, str | None]:
        category, subcategory, service = service_of(key.meter)
        charge, class_, frequency = _charge(key, counted)
        is_priced = counted.way != "none"
        by_commitment = key.kind in _BY_COMMITMENT or key.kind == Extra.COMMITMENT_FEE
        sku_price = neutral(f"{key.book_id}:{key.meter}:{key.state or key.name}")
        contract = neutral(contracts.get(key.book_id, key.book_id))
        head, tail = _applied(contract, key.name, counted.unit) if key.kind in _BY_COMMITMENT else (None, None)
        return {
            "kind": key.kind,
            "service_category": category,
            "service_subcategory": subcategory,
            "service_name": service,
            "charge": charge,
            "class": class_,
            "frequency": frequency,
            "description": neutral(" ".join(filter(None, (key.meter, key.state, key.kind.replace("_", " "))))),
            "meter": neutral(key.meter),
            "sku_price": sku_price if is_priced else None,
            "sku_price_latin": latin(sku_price) if is_priced else None,
            # What the price is of: the meter's state, where it has one.
            "sku_details": json.dumps({"x_State": key.state}) if is_priced and key.state else None,
            "pricing": ("Committed" if by_commitment else "Standard") if is_priced else None,
            "unit": counted.unit or None,
            "base_unit": (counted.base_unit or None) if charge == "Usage" and key.kind != Kind.COMMITMENT_UNUSED else None,
            "commitment": neutral(key.name) if by_commitment else None,
            "commitment_latin": latin(neutral(key.name)) if by_commitment else None,
            "commitment_id": commitment_id(contract, key.name) if by_commitment else None,
            "commitment_id_latin": latin(commitment_id(contract, key.name)) if by_commitment else None,
            "applied_head": head,
            "applied_tail": tail,
            "commitment_status": {Kind.COMMITMENT_USED: "Used", Kind.COMMITMENT_UNUSED: "Unused"}.get(key.kind),
            # What a commitment was used for is billed by its fee: it stands on no invoice.
            "statement_kind": None
            if key.kind in _BY_COMMITMENT
            else neutral(detail_tail(key.meter, key.statement_kind or key.kind, key.billing)),
            "state": key.state or None,
            "billing": key.billing,
            "billing_name": key.billing.capitalize(),
            "book_id": key.book_id or None,
            "service_code": neutral(counted.code) or None,
        }

    return cells


#: Unit prices × 10¹⁶ and costs × 10¹⁷. A price with steps has no price of its own: it is what a unit came to.
_LIST_16 = (
    f"CASE way WHEN 'flat' THEN micro::HUGEINT * {10**10} "
    f"WHEN 'steps' THEN coalesce((listed::HUGEINT * {10**17} + quantity // 2) // nullif(quantity, 0), 0) END"
)
_CONTRACTED_16 = (
    f"CASE way WHEN 'flat' THEN micro::HUGEINT * ({WHOLE_POINTS} - points) * {10**6} "
    f"WHEN 'steps' THEN coalesce((billed::HUGEINT * {10**17} + quantity // 2) // nullif(quantity, 0), 0) END"
)
_LIST_17 = f"CASE way WHEN 'flat' THEN quantity * micro::HUGEINT * {10**4} ELSE listed::HUGEINT * {10**11} END"
_CONTRACTED_17 = (
    f"CASE way WHEN 'flat' THEN quantity * micro::HUGEINT * ({WHOLE_POINTS} - points) ELSE billed::HUGEINT * {10**11} END"
)
_BILLED = f"CASE WHEN kind IN ('{Kind.COMMITMENT_USED}', '{Kind.COMMITMENT_UNUSED}') THEN 0 ELSE {CHARGED_SQL} END"
_EFFECTIVE = f"CASE WHEN kind = '{Extra.COMMITMENT_FEE}' THEN 0 ELSE billed END"
_QUANTITY = shifted("quantity", QUANTITY_SCALE, QUANTITY_SCALE)
_CONSUMED = "CASE WHEN base_unit IS NOT NULL THEN factor::HUGEINT * seconds END"
_COMMITTED = f"CASE WHEN commitment IS NOT NULL THEN {_QUANTITY} END"


def _fixed(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _shared(setting: Setting) -> dict[str, Column]:
    """Return the columns both versions have."""
    columns = (
        Column("BilledCost", shifted(_BILLED, 6, 6), Type.DECIMAL),
        Column("BillingAccountId", "account_id"),
        Column("BillingAccountName", "account_name"),
        Column("BillingCurrency", _fixed(CURRENCY)),
        Column("BillingPeriodEnd", str(setting.end_s), Type.MOMENT),
        Column("BillingPeriodStart", str(setting.start_s), Type.MOMENT),
        Column("ChargeCategory", "charge"),
        Column("ChargeClass", "class"),
        Column("ChargeDescription", "coalesce(note, description)"),
        Column("ChargeFrequency", "frequency"),
        Column("ChargePeriodEnd", "end_s", Type.MOMENT),
        Column("ChargePeriodStart", "start_s", Type.MOMENT),
        Column("CommitmentDiscountCategory", "CASE WHEN commitment IS NOT NULL THEN 'Usage' END"),
        Column("CommitmentDiscountId", "commitment_id"),
        Column("CommitmentDiscountName", "commitment"),
        Column("CommitmentDiscountQuantity", _COMMITTED, Type.DECIMAL, QUANTITY_SCALE),
        Column("CommitmentDiscountStatus", "commitment_status"),
        Column("CommitmentDiscountType", "CASE WHEN commitment IS NOT NULL THEN 'Committed amount' END"),
        Column("CommitmentDiscountUnit", "CASE WHEN commitment IS NOT NULL THEN unit END"),
        # With a place after the point: what reads the file must not take the column for whole numbers.
        Column("ConsumedQuantity", shifted(_CONSUMED, 1, 0), Type.DECIMAL, 1),
        Column("ConsumedUnit", "base_unit"),
        Column("ContractedCost", shifted(_CONTRACTED_17, _COST, _COST), Type.DECIMAL, _COST),
        Column("ContractedUnitPrice", shifted(_CONTRACTED_16, _PRICE, _PRICE), Type.DECIMAL, _PRICE),
        Column("EffectiveCost", shifted(_EFFECTIVE, 6, 6), Type.DECIMAL),
        Column("InvoiceId", "invoice"),
        Column("InvoiceIssuerName", _fixed(setting.provider)),
        Column("ListCost", shifted(_LIST_17, _COST, _COST), Type.DECIMAL, _COST),
        Column("ListUnitPrice", shifted(_LIST_16, _PRICE, _PRICE), Type.DECIMAL, _PRICE),
        Column("PricingCategory", "pricing"),
        Column("PricingQuantity", _QUANTITY, Type.DECIMAL, QUANTITY_SCALE),
        Column("PricingUnit", "unit"),
        Column("ResourceId", "CASE WHEN resource_kind <> '' THEN resource_id END"),
        Column("ResourceName", "nullif(resource_name, '')"),
        Column("ResourceType", "nullif(resource_kind, '')"),
        Column("ServiceCategory", "service_category"),
        Column("ServiceName", "service_name"),
        Column("ServiceSubcategory", "service_subcategory"),
        Column("SkuId", "CASE WHEN sku_price IS NOT NULL THEN meter END"),
        Column("SkuMeter", "CASE WHEN sku_price IS NOT NULL THEN meter END"),
        Column("SkuPriceId", "sku_price"),
        Column("SubAccountId", "sub_id"),
        Column("SubAccountName", "sub_name"),
        Column("SubAccountType", "sub_type"),
        Column("x_LineId", LINE_ID),
        Column("x_Kind", "kind"),
        Column("x_Billing", "billing_name"),
        Column("x_ServiceCode", "service_code"),
        Column("x_State", "state"),
        Column("x_BudgetCode", "budget_code"),
        Column("x_SystemName", "system_name"),
        Column("x_PriceBookId", "book_id"),
        Column("x_CorrectsLineId", "nullif(reference, '')"),
    )
    return {c.name: c for c in columns}


def cost_and_usage(setting: Setting) -> Dataset:
    """Return the dataset of FOCUS 1.4."""
    own = (
        Column("ContractApplied", f"applied_head || ({_QUANTITY})::VARCHAR || applied_tail"),
        Column("HostProviderName", _fixed(setting.provider)),
        Column("InvoiceDetailId", "invoice_row || statement_kind"),
        Column("ServiceProviderName", _fixed(setting.provider)),
        Column("SkuPriceDetails", "sku_details"),
    )
    return _dataset("focus-cost-and-usage", {**_shared(setting), **{c.name: c for c in own}})


#: Columns of 1.2 for what this platform has none of: present and empty.
_NONE_12 = (
    "AvailabilityZone", "CapacityReservationId", "CapacityReservationStatus", "RegionId", "RegionName", "SkuPriceDetails", "Tags",
)  # fmt: skip


def cost_and_usage_1_2(setting: Setting) -> Dataset:
    """Return the dataset of FOCUS 1.2."""
    setting = replace(setting, provider=latin(setting.provider))
    shared = _shared(setting)
    own = [
        Column("BillingAccountName", "account_latin"),
        Column("SubAccountName", "sub_latin"),
        Column("ChargeDescription", "description"),
        Column("CommitmentDiscountId", "commitment_id_latin"),
        Column("CommitmentDiscountName", "commitment_latin"),
        Column("SkuPriceId", "sku_price_latin"),
        Column("x_BillingAccountName", "account_name"),
        Column("x_SubAccountName", "sub_name"),
        Column("x_Note", "note"),
        Column("BillingAccountType", "'Department'"),
        Column("ProviderName", _fixed(setting.provider)),
        Column("PublisherName", _fixed(setting.provider)),
        Column("PricingCurrency", _fixed(CURRENCY)),
        Column("PricingCurrencyContractedUnitPrice", shared["ContractedUnitPrice"].sql, Type.DECIMAL, _PRICE),
        Column("PricingCurrencyEffectiveCost", shared["EffectiveCost"].sql, Type.DECIMAL),
        Column("PricingCurrencyListUnitPrice", shared["ListUnitPrice"].sql, Type.DECIMAL, _PRICE),
        *(Column(name, "NULL::VARCHAR") for name in _NONE_12),
    ]
    return _dataset("focus-1.2", {**shared, **{c.name: c for c in own}})


def _dataset(name: str, columns: Mapping[str, Column]) -> Dataset:
    ordered = sorted(columns.values(), key=lambda c: (c.name.startswith("x_"), c.name))
    return Dataset(name=name, source=JOINED, columns=tuple(ordered))
