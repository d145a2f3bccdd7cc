"""The objects as the API shows them, with every field that a reader may look for; what this town does not imitate is null or empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
VERSION = "2026-10-28.endive"


def nulls(*names: str) -> Json:
    return dict.fromkeys(names)


def session(**known: Any) -> Json:
    """A Checkout Session in mode payment."""
    return {
        **nulls(
            "after_expiration", "allow_promotion_codes", "billing_address_collection", "cancel_url", "client_reference_id",
            "client_secret", "collected_information", "consent", "consent_collection", "currency_conversion", "customer",
            "customer_account", "customer_details", "customer_email", "discounts", "integration_identifier", "invoice", "locale",
            "origin_context", "payment_intent", "payment_link", "payment_method_configuration_details", "permissions",
            "recovered_from", "saved_payment_method_options", "setup_intent", "shipping_address_collection", "shipping_cost",
            "submit_type", "subscription", "wallet_options",
        ),
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": True},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": nulls("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"),
        "customer_creation": "if_required",
        "invoice_creation": {"enabled": False, "invoice_data": {}},
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        **known,
    }  # fmt: skip


def line_item(**known: Any) -> Json:
    return {
        **nulls("invoice", "parent", "period", "subscription", "pretax_credit_amounts", "taxes", "quantity_decimal"),
        "object": "item",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "pricing": None,
        **known,
    }


def payment_intent(**known: Any) -> Json:
    return {
        **nulls(
            "application", "application_fee_amount", "automatic_payment_methods", "canceled_at", "cancellation_reason", "customer",
            "customer_account", "description", "excluded_payment_method_types", "last_payment_error", "latest_charge", "next_action",
            "on_behalf_of", "payment_method", "payment_method_configuration_details", "processing", "receipt_email", "review",
            "setup_future_usage", "shipping", "source", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
            "transfer_group",
        ),
        "object": "payment_intent",
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": None,
        "confirmation_method": "automatic",
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        **known,
    }  # fmt: skip


def charge(card: Json, **known: Any) -> Json:
    return {
        **nulls(
            "application", "application_fee", "application_fee_amount", "balance_transaction", "customer", "description",
            "failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of", "payment_method", "receipt_email",
            "receipt_number", "receipt_url", "review", "shipping", "source", "source_transfer", "statement_descriptor",
            "statement_descriptor_suffix", "transfer_data", "transfer_group",
        ),
        "object": "charge",
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": nulls("address", "email", "name", "phone", "tax_id"),
        "calculated_statement_descriptor": "TOWN",
        "captured": False,
        "disputed": False,
        "fraud_details": {},
        "metadata": {},
        "outcome": None,
        "paid": False,
        "payment_method_details": {"card": card, "type": "card"},
        "refunded": False,
        "refunds": None,
        "status": "failed",
        **known,
    }  # fmt: skip


def refund(**known: Any) -> Json:
    return {
        **nulls(
            "balance_transaction", "customer", "customer_account", "payment_method", "reason", "receipt_number",
            "source_transfer_reversal", "transfer_reversal",
        ),
        "object": "refund",
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": {},
        "status": "succeeded",
        **known,
    }  # fmt: skip


def dispute(due_by: int, brand: str, **known: Any) -> Json:
    details = {"due_by": due_by, "has_evidence": False, "past_due": False, "submission_count": 0, "enhanced_eligibility": {}}
    return {
        "object": "dispute",
        "balance_transactions": [],
        "enhanced_eligibility_types": [],
        "evidence": {"uncategorized_text": None, "enhanced_evidence": {}},
        "evidence_details": details,
        "is_charge_refundable": False,
        "metadata": {},
        "payment_method_details": {
            "card": {"brand": brand, "case_type": "chargeback", "network_reason_code": "10.4", "network": brand},
            "type": "card",
        },
        "status": "needs_response",
        **known,
    }


def balance_transaction(**known: Any) -> Json:
    return {
        "object": "balance_transaction",
        "balance_type": "payments",
        "description": None,
        "exchange_rate": None,
        "fee_details": [],
        "status": "available",
        **known,
    }


def event(**known: Any) -> Json:
    return {"object": "event", "api_version": VERSION, "pending_webhooks": 0, **known}


def balance(sums: dict[str, int], live: bool) -> Json:
    lines = [{"amount": amount, "currency": currency, "source_types": {"card": amount}} for currency, amount in sorted(sums.items())]
    return {"object": "balance", "available": lines, "connect_reserved": [], "livemode": live, "pending": []}


def a_list(url: str, data: Sequence[Json], has_more: bool) -> Json:
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url}
