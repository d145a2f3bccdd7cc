"""PayPal's issue codes and statuses: code -> (Outcome, words key); its currencies; its amounts, which are strings of decimals.

Sources: the 4xx schemas of PayPal's OpenAPI documents for Orders v2 and Payments v2; page "Currency codes". Descriptions beside a code may
change over time and are never read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from domain.errors import BadInput
from domain.money import EXPONENTS, Money
from domain.payment import Outcome, Unreadable

Meaning = tuple[Outcome, str]
UNKNOWN: Final[Meaning] = (Outcome.UNKNOWN, "unknown")
WAITING: Final[Meaning] = (Outcome.PENDING, "paypal_waiting")
REVIEW: Final[Meaning] = (Outcome.PENDING, "paypal_review")
EXPIRED: Final[Meaning] = (Outcome.DECLINED, "paypal_expired")
REFUSED: Final[Meaning] = (Outcome.DECLINED, "paypal_declined")

DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            "AUD", "BRL", "CAD", "CNY", "CZK", "DKK", "EUR", "HKD", "ILS", "MYR", "MXN", "NOK", "NZD", "PHP", "PLN", "GBP", "SGD", "SEK",
            "CHF", "THB", "USD",
        ),
        2,
    ),
    **dict.fromkeys(("HUF", "JPY", "TWD"), 0),
}  # fmt: skip
"""Decimals in which PayPal takes each of its currencies. HUF and TWD have two by ISO, none here. KES, SAR, AED, UGX, TZS, ETB: not taken."""

MOST_MINOR: Final = 10**12
_VALUE: Final = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?", re.ASCII)


def _meanings(outcome: Outcome, words: str, codes: str) -> dict[str, Meaning]:
    return dict.fromkeys(codes.split(), (outcome, words))


PAYMENT: Final[Mapping[str, Meaning]] = {
    # What the payer chose to pay with did not do: another card, another bank, another try.
    **_meanings(
        Outcome.DECLINED,
        "paypal_declined",
        """INSTRUMENT_DECLINED REDIRECT_PAYER_FOR_ALTERNATE_FUNDING CARD_EXPIRED REFERENCED_CARD_EXPIRED TRANSACTION_REFUSED
        MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED PAYMENT_SOURCE_DECLINED_BY_PROCESSOR PAYMENT_SOURCE_INFO_CANNOT_BE_VERIFIED
        PAYMENT_SOURCE_CANNOT_BE_USED ALIAS_DECLINED_BY_PROCESSOR DECLINED_DUE_TO_RELATED_TXN""",
    ),
    # The payer's account may not, whatever is chosen in it.
    **_meanings(
        Outcome.DECLINED,
        "paypal_cannot_pay",
        """PAYER_CANNOT_PAY PAYER_ACCOUNT_RESTRICTED PAYER_ACCOUNT_LOCKED_OR_CLOSED PAYEE_BLOCKED_TRANSACTION TRANSACTION_BLOCKED_BY_PAYEE
        COMPLIANCE_VIOLATION DOMESTIC_TRANSACTION_REQUIRED TRANSACTION_LIMIT_EXCEEDED PLATFORM_FEE_PAYEE_CANNOT_BE_SAME_AS_PAYER""",
    ),
    **_meanings(
        Outcome.DECLINED,
        "amount_refused",
        """AMOUNT_MISMATCH APPLE_PAY_AMOUNT_MISMATCH CANNOT_BE_NEGATIVE CANNOT_BE_ZERO_OR_NEGATIVE CURRENCY_NOT_SUPPORTED_FOR_BANK
        DECIMAL_PRECISION INVALID_CURRENCY_CODE ITEM_TOTAL_MISMATCH ITEM_TOTAL_REQUIRED MAX_VALUE_EXCEEDED MULTI_CURRENCY_ORDER
        PREFERRED_SHIPPING_OPTION_AMOUNT_MISMATCH TAX_TOTAL_MISMATCH TAX_TOTAL_REQUIRED""",
    ),
    # The seller's account, or a mistake of ours: nothing the payer could do about it.
    **_meanings(
        Outcome.DECLINED,
        "configuration",
        """AGREEMENT_ALREADY_CANCELLED AUTH_CAPTURE_NOT_ENABLED AUTHENTICATION_FAILURE BANK_NOT_SUPPORTED_FOR_VERIFICATION
        BILLING_ADDRESS_INVALID BILLING_AGREEMENT_ID_MISMATCH BILLING_AGREEMENT_NOT_FOUND BLIK_ONE_CLICK_MISSING_REQUIRED_PARAMETER
        CANCEL_URL_REQUIRED CARD_BRAND_NOT_SUPPORTED CARD_EXPIRY_REQUIRED CARD_NUMBER_REQUIRED CITY_REQUIRED CONSENT_NEEDED
        CRYPTOGRAM_REQUIRED DONATION_ITEMS_NOT_SUPPORTED DUPLICATE_INVOICE_ID DUPLICATE_REFERENCE_ID EMV_DATA_REQUIRED
        GOOGLE_PAY_GATEWAY_MERCHANT_ID_MISMATCH IBAN_COUNTRY_NOT_SUPPORTED IDENTIFIER_NOT_FOUND INCOMPATIBLE_PARAMETER_VALUE
        INVALID_ACCOUNT_STATUS INVALID_ARRAY_MAX_ITEMS INVALID_ARRAY_MIN_ITEMS INVALID_COUNTRY_CODE INVALID_EXPIRY_DATE INVALID_FX_RATE_ID
        INVALID_GOOGLE_PAY_TOKEN INVALID_IBAN INVALID_PARAMETER_SYNTAX INVALID_PARAMETER_VALUE INVALID_PAYEE_PRICING_TIER_ID
        INVALID_PAYER_ID INVALID_PICKUP_ADDRESS INVALID_PLATFORM_FEES_ACCOUNT INVALID_PLATFORM_FEES_AMOUNT
        INVALID_PREVIOUS_TRANSACTION_REFERENCE INVALID_SECURITY_CODE_LENGTH INVALID_STRING_LENGTH MALFORMED_REQUEST_JSON
        MERCHANT_INITIATED_WITH_AUTHENTICATION_RESULTS MERCHANT_INITIATED_WITH_MULTIPLE_PURCHASE_UNITS
        MERCHANT_INITIATED_WITH_SECURITY_CODE MISMATCHED_VAULT_ID_TO_PAYMENT_SOURCE MISSING_CRYPTOGRAM MISSING_PICKUP_ADDRESS
        MISSING_PREVIOUS_REFERENCE MISSING_REQUIRED_PARAMETER MULTIPLE_ITEM_CATEGORIES MULTIPLE_SHIPPING_ADDRESS_NOT_SUPPORTED
        MULTIPLE_SHIPPING_OPTION_SELECTED MULTIPLE_SHIPPING_TYPE_NOT_SUPPORTED NOT_AUTHORIZED
        NOT_ELIGIBLE_FOR_PAYPAL_TRANSACTION_ID_PROCESSING NOT_ELIGIBLE_FOR_PNREF_PROCESSING NOT_ELIGIBLE_FOR_TOKEN_PROCESSING
        NOT_ENABLED_FOR_APPLE_PAY NOT_ENABLED_FOR_BANK_PROCESSING NOT_ENABLED_FOR_CARD_PROCESSING NOT_ENABLED_FOR_GOOGLE_PAY
        NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE NOT_SUPPORTED ONE_OF_PARAMETERS_REQUIRED ONLY_ONE_BANK_SOURCE_ALLOWED
        ORDER_COMPLETE_ON_PAYMENT_APPROVAL PAYEE_ACCOUNT_INVALID PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED
        PAYEE_FX_RATE_ID_CURRENCY_MISMATCH PAYEE_FX_RATE_ID_EXPIRED PAYEE_NOT_ENABLED_FOR_BANK_PROCESSING
        PAYEE_NOT_ENABLED_FOR_CARD_PROCESSING PAYEE_PRICING_TIER_ID_NOT_ENABLED PAYMENT_SOURCE_MISMATCH PAYMENT_SOURCE_NOT_SUPPORTED
        PAYPAL_REQUEST_ID_REQUIRED PAYPAL_TRANSACTION_ID_EXPIRED PAYPAL_TRANSACTION_ID_NOT_FOUND PERMISSION_DENIED
        PERMISSION_DENIED_FOR_DONATION_ITEMS PLATFORM_FEES_NOT_SUPPORTED PNREF_EXPIRED PNREF_NOT_FOUND POSTAL_CODE_REQUIRED
        PREFERRED_PAYMENT_SOURCE_MISMATCH PREVIOUS_TRANSACTION_REFERENCE_HAS_CHARGEBACK PREVIOUS_TRANSACTION_REFERENCE_VOIDED
        REFERENCE_ID_REQUIRED REQUIRED_PARAMETER_FOR_CUSTOMER_INITIATED_PAYMENT RETURN_URL_REQUIRED SETUP_ERROR_FOR_BANK
        SHIPPING_ADDRESS_INVALID SHIPPING_OPTION_NOT_SELECTED SHIPPING_OPTIONS_NOT_SUPPORTED SHIPPING_TYPE_NOT_SUPPORTED_FOR_CLIENT
        TOKEN_ID_NOT_FOUND TRANSACTION_RECEIVING_LIMIT_EXCEEDED UNSUPPORTED_INTENT UNSUPPORTED_PAYMENT_INSTRUCTION
        UNSUPPORTED_PROCESSING_INSTRUCTION UNSUPPORTED_SHIPPING_TYPE VAULT_INSTRUCTION_DUPLICATED VAULT_INSTRUCTION_REQUIRED""",
    ),
    **_meanings(Outcome.DECLINED, "paypal_expired", "ORDER_EXPIRED TOKEN_EXPIRED"),
    **_meanings(Outcome.PENDING, "paypal_waiting", "ORDER_NOT_APPROVED PAYER_ACTION_REQUIRED ORDER_COMPLETION_IN_PROGRESS"),
    # The order is done with, or not to be seen: the order itself has to be looked at.
    **_meanings(Outcome.UNKNOWN, "unknown", "ORDER_ALREADY_CAPTURED ORDER_COMPLETED_OR_VOIDED RESOURCE_NOT_FOUND INVALID_RESOURCE_ID"),
    **_meanings(Outcome.UNKNOWN, "unknown", "INTERNAL_SERVER_ERROR"),
}
"""Why an order could not be made or captured."""

REFUND: Final[Mapping[str, Meaning]] = {
    **_meanings(
        Outcome.DECLINED,
        "paypal_not_refundable",
        """PARTIAL_REFUND_NOT_ALLOWED MAX_NUMBER_OF_REFUNDS_EXCEEDED REFUND_TIME_LIMIT_EXCEEDED REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK
        REFUND_NOT_ALLOWED REFUND_IS_RESTRICTED REFUND_AMOUNT_EXCEEDED REFUND_AMOUNT_TOO_LOW TRANSACTION_DISPUTED
        PAYER_ACCOUNT_LOCKED_OR_CLOSED PAYER_ACCOUNT_RESTRICTED CAPTURE_FULLY_REFUNDED RESOURCE_NOT_FOUND INVALID_RESOURCE_ID""",
    ),
    **_meanings(Outcome.DECLINED, "paypal_refund_unfunded", "REFUND_FAILED_INSUFFICIENT_FUNDS"),
    **_meanings(
        Outcome.DECLINED,
        "amount_refused",
        """CANNOT_BE_NEGATIVE CANNOT_BE_ZERO_OR_NEGATIVE CURRENCY_MISMATCH DECIMALS_NOT_SUPPORTED DECIMAL_PRECISION INVALID_CURRENCY_CODE
        REFUND_CAPTURE_CURRENCY_MISMATCH""",
    ),
    **_meanings(
        Outcome.DECLINED,
        "configuration",
        """AUTHENTICATION_FAILURE DUPLICATE_INVOICE_ID INVALID_ACCOUNT_STATUS INVALID_PARAMETER_SYNTAX INVALID_STRING_LENGTH
        MISSING_REQUIRED_PARAMETER NOT_AUTHORIZED PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED PERMISSION_DENIED
        PLATFORM_FEE_EXCEEDED PLATFORM_FEE_NOT_ENABLED""",
    ),
    **_meanings(Outcome.NOT_SENT, "try_later", "PENDING_CAPTURE"),
    **_meanings(Outcome.UNKNOWN, "unknown", "PREVIOUS_REQUEST_IN_PROGRESS"),
}
"""Why a capture could not be refunded. CAPTURE_FULLY_REFUNDED is looked into before: a whole refund that is done already is done."""

CAPTURE_STATUS: Final[Mapping[str, Meaning]] = {
    "COMPLETED": (Outcome.SUCCEEDED, "paid"),
    "PARTIALLY_REFUNDED": (Outcome.SUCCEEDED, "paid"),
    "REFUNDED": (Outcome.SUCCEEDED, "paid"),
    "PENDING": REVIEW,
    "DECLINED": REFUSED,
    "FAILED": REFUSED,
}
REFUND_STATUS: Final[Mapping[str, Meaning]] = {
    "COMPLETED": (Outcome.SUCCEEDED, "refunded"),
    "PENDING": (Outcome.PENDING, "paypal_refund_pending"),
    "FAILED": (Outcome.DECLINED, "paypal_not_refundable"),
    "CANCELLED": (Outcome.DECLINED, "paypal_not_refundable"),
}
DISPUTE_OUTCOME: Final[Mapping[str, Outcome]] = {
    **dict.fromkeys(("RESOLVED_BUYER_FAVOUR", "ACCEPTED"), Outcome.SUCCEEDED),
    **dict.fromkeys(("RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "DENIED"), Outcome.DECLINED),
}
"""Of a chargeback: SUCCEEDED, the buyer keeps the money; DECLINED, it came back (or PayPal itself paid the buyer)."""

WORDS: Final = frozenset(
    {words for _, words in (*PAYMENT.values(), *REFUND.values(), *CAPTURE_STATUS.values(), *REFUND_STATUS.values(), WAITING, EXPIRED)}
    | {"address_refused", "already_refunded"}
)
"""Every words key this gateway says."""


def payment_refusal(issues: tuple[str, ...]) -> Meaning:
    return next((PAYMENT[issue] for issue in issues if issue in PAYMENT), UNKNOWN)


def refund_refusal(issues: tuple[str, ...]) -> Meaning:
    return next((REFUND[issue] for issue in issues if issue in REFUND), UNKNOWN)


def written(money: Money) -> dict[str, str] | None:
    """PayPal's amount object, exact; None for money that it does not take: another currency, a fraction too many, nothing or less."""
    decimals = DECIMALS.get(money.currency)
    if decimals is None or not 0 < money.amount_minor <= MOST_MINOR:
        return None
    value, rest = divmod(money.amount_minor, 10 ** (money.exponent - decimals))
    if rest:
        return None
    digits = str(value).zfill(decimals + 1)
    text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return {"currency_code": money.currency, "value": text}


def read_amount(value: object) -> Money:
    """Money from an amount object: no sign, exponent or grouping. Raises Unreadable, also for a currency that is not ours."""
    if not isinstance(value, dict):
        raise Unreadable("amount")
    currency, text = value.get("currency_code"), value.get("value")
    found = _VALUE.fullmatch(text) if isinstance(text, str) else None
    if not isinstance(currency, str) or found is None:
        raise Unreadable("amount")
    whole, cents = found[1], found[2] or ""
    exponent = EXPONENTS.get(currency, 0)
    if len(cents) > exponent and cents[exponent:].strip("0"):
        raise Unreadable("amount")
    try:
        return Money(int(whole + cents[:exponent].ljust(exponent, "0")), currency)
    except BadInput:
        raise Unreadable("amount") from None


def payable_currencies() -> frozenset[str]:
    """Of PayPal's currencies those that we know."""
    return frozenset(DECIMALS) & frozenset(EXPONENTS)
