"""The small datasets of FOCUS 1.4: billing period, invoices and commitments. Pure; every cell a text."""

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from metering.books import BookVersion, Commitment
from metering.charging import HOUR_S
from metering.lines import CHARGED, Kind, charged
from metering.meters import meter_of
from metering.rating import yuan
from metering.reports.columns import Dataset, Type, plain
from metering.reports.facets import CORRECTIONS, Extra
from metering.reports.focus import CURRENCY, Setting, commitment_id, invoice_detail_id, invoice_id
from metering.reports.lines import Neutral

Row = Mapping[str, Any]


def _table(name: str, texts: str, moments: str, decimals: Mapping[str, int]) -> Dataset:
    """Return a small dataset, its columns by name."""
    columns = [plain(n) for n in texts.split()]
    columns += [plain(n, Type.MOMENT) for n in moments.split()]
    columns += [plain(n, Type.DECIMAL, scale) for n, scale in decimals.items()]
    return Dataset(name=name, columns=tuple(sorted(columns, key=lambda c: c.name)))


BILLING_PERIOD = _table(
    "focus-billing-period",
    "BillingPeriodStatus InvoiceIssuerName",
    "BillingPeriodCreated BillingPeriodEnd BillingPeriodLastUpdated BillingPeriodStart",
    {},
)
INVOICE_DETAIL = _table(
    "focus-invoice-detail",
    """BillingAccountId BillingCurrency ChargeCategory InvoiceDetailDescription InvoiceDetailGrain InvoiceDetailId InvoiceId
    InvoiceIssueStatus InvoiceIssuerName PaymentTerms ReferenceInvoiceId""",
    """BillingPeriodEnd BillingPeriodStart InvoiceDetailCreated InvoiceDetailLastUpdated InvoiceIssueDate PaymentDueDate""",
    {"BilledCost": 6},
)
CONTRACT_COMMITMENT = _table(
    "focus-contract-commitment",
    """BillingCurrency ContractCommitmentApplicability ContractCommitmentBenefitCategory ContractCommitmentCategory
    ContractCommitmentDescription ContractCommitmentDurationType ContractCommitmentFulfillmentInterval ContractCommitmentId
    ContractCommitmentLifecycleStatus ContractCommitmentModel ContractCommitmentOfferCategory ContractCommitmentPaymentInterval
    ContractCommitmentPaymentModel ContractCommitmentType ContractCommitmentUnit ContractId InvoiceIssuerName
    ServiceProviderName""",
    """ContractCommitmentCreated ContractCommitmentLastUpdated ContractCommitmentPeriodEnd ContractCommitmentPeriodStart
    ContractPeriodEnd ContractPeriodStart""",
    {
        "ContractCommitmentCost": 6,
        "ContractCommitmentDiscountPercentage": 6,
        "ContractCommitmentPaymentUpfrontPercentage": 6,
        "ContractCommitmentQuantity": 7,
    },
)


def billing_period(setting: Setting, period: Row, as_of_s: int) -> Row:
    """Return the one row of the billing period."""
    is_closed = period["state"] == "closed"
    return {
        "BillingPeriodCreated": setting.start_s,
        "BillingPeriodEnd": setting.end_s,
        "BillingPeriodLastUpdated": _updated(period, as_of_s),
        "BillingPeriodStart": setting.start_s,
        "BillingPeriodStatus": "Closed" if is_closed else "Open",
        "InvoiceIssuerName": setting.provider,
    }


def _updated(period: Row, as_of_s: int) -> int:
    return int(period.get("closed_at_s") or period.get("reviewed_at_s") or as_of_s)


def invoice_rows(
    setting: Setting,
    period: Row,
    statement: Row,
    rows: Iterable[Row],
    references: Mapping[str, str],
    neutral: Neutral,
    as_of_s: int,
) -> Iterator[Row]:
    """Return a statement as an invoice: its rows to the micro-yuan, and what rounding them to fen gave or took.

    ``references`` tell which period a row of corrections is about, where it is one alone.
    """
    code = statement["department_code"]
    invoice = invoice_id(setting.period_id, code)
    is_issued = period["state"] == "closed"
    rounding = {"project_code": "", "budget_code": "", "meter": "-", "kind": Extra.ROUNDING, "billing": CHARGED}
    ends = [{**rounding, "micro_yuan": statement["rounding_micro_yuan"]}] if statement["rounding_micro_yuan"] else []
    for row in (*rows, *ends):
        key = (row["project_code"], row["meter"], row["kind"])
        detail = invoice_detail_id(invoice, *key, row["billing"])
        corrected = references.get(detail)
        grain = {
            "x_Project": row["project_code"],
            "x_BudgetCode": row["budget_code"],
            "x_Meter": row["meter"],
            "x_Kind": row["kind"],
            "x_Billing": row["billing"].capitalize(),
        }
        yield {
            "BilledCost": yuan(charged(row["micro_yuan"], row["billing"])),
            "BillingAccountId": neutral(code),
            "BillingCurrency": CURRENCY,
            "BillingPeriodEnd": setting.end_s,
            "BillingPeriodStart": setting.start_s,
            "ChargeCategory": _category(row["kind"]),
            "InvoiceDetailCreated": int(period.get("reviewed_at_s") or as_of_s),
            "InvoiceDetailDescription": neutral(" ".join(filter(None, key))),
            "InvoiceDetailGrain": json.dumps(grain, ensure_ascii=False),
            "InvoiceDetailId": neutral(detail),
            "InvoiceDetailLastUpdated": _updated(period, as_of_s),
            "InvoiceId": neutral(invoice),
            "InvoiceIssueDate": int(period["closed_at_s"]) if is_issued else None,
            "InvoiceIssueStatus": "Issued" if is_issued else "Open",
            "InvoiceIssuerName": setting.provider,
            "PaymentDueDate": None,
            "PaymentTerms": "Settled between departments",
            # An invoice that corrects none refers to itself: the column may not be empty.
            "ReferenceInvoiceId": neutral(invoice_id(corrected, code) if corrected else invoice),
        }


def _category(kind: str) -> str:
    if kind in (*CORRECTIONS, Extra.ROUNDING):
        return "Adjustment"
    return "Usage" if kind in (Kind.USAGE, Kind.ENTRY, Kind.COUNTED) else "Purchase"


def commitments(versions: Iterable[BookVersion], setting: Setting) -> Iterator[tuple[BookVersion, Commitment]]:
    """Return the commitments that hold at some moment of the period, each name of a version once."""
    for version in versions:
        for commitment in version.commitments:
            last = commitment.to_s if version.to_s is None else min(commitment.to_s, version.to_s)
            if max(commitment.from_s, setting.start_s) < min(last, setting.end_s):
                yield version, commitment


def commitment_row(
    setting: Setting, commitment: Commitment, created_s: int, department_code: str, neutral: Neutral, book: str
) -> Row:
    """Return a commitment; all of it is as it was agreed, whatever came to replace it."""
    meter = meter_of(commitment.meter)
    seconds = commitment.to_s - commitment.from_s
    over = HOUR_S * meter.base_per_unit
    quantity = (Decimal(commitment.amount * seconds) / over).quantize(Decimal("1e-7"))
    cost = (Decimal(commitment.amount * seconds * commitment.micro_yuan_per_unit_hour) / over / 1_000_000).quantize(
        Decimal("1e-6")
    )
    rule = {"Dimension": "BillingAccountId", "Operator": "In", "Values": [department_code]}
    unit = meter.unit if meter.unit[:1] in "vGM" else meter.unit.capitalize()
    return {
        "BillingCurrency": CURRENCY,
        "ContractCommitmentApplicability": json.dumps({"InclusionOperator": "And", "Inclusions": [rule]}, ensure_ascii=False),
        "ContractCommitmentBenefitCategory": "Discount",
        "ContractCommitmentCategory": "Usage",
        "ContractCommitmentCost": str(cost),
        "ContractCommitmentCreated": created_s,
        "ContractCommitmentDescription": neutral(
            f"{commitment.name}: {commitment.amount} {meter.base_unit} of {commitment.meter}"
        ),
        "ContractCommitmentDiscountPercentage": None,
        "ContractCommitmentDurationType": _duration(seconds),
        "ContractCommitmentFulfillmentInterval": "Monthly",
        "ContractCommitmentId": commitment_id(neutral(book), commitment.name),
        "ContractCommitmentLastUpdated": created_s,
        "ContractCommitmentLifecycleStatus": "Active" if commitment.to_s > setting.end_s else "Expired",
        "ContractCommitmentModel": "Continuous",
        "ContractCommitmentOfferCategory": "Negotiated",
        "ContractCommitmentPaymentInterval": "Monthly",
        "ContractCommitmentPaymentModel": "No Upfront",
        "ContractCommitmentPaymentUpfrontPercentage": "0",
        "ContractCommitmentPeriodEnd": commitment.to_s,
        "ContractCommitmentPeriodStart": commitment.from_s,
        "ContractCommitmentQuantity": str(quantity),
        "ContractCommitmentType": "Committed amount",
        "ContractCommitmentUnit": f"{unit}-Hours",
        "ContractId": neutral(book),
        "ContractPeriodEnd": commitment.to_s,
        "ContractPeriodStart": commitment.from_s,
        "InvoiceIssuerName": setting.provider,
        "ServiceProviderName": setting.provider,
    }


def _duration(seconds: int) -> str:
    days = -(-seconds // 86_400)
    return f"{days} Day" if days == 1 else f"{days} Days"
