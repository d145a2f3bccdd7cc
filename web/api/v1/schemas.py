"""The shapes of requests and answers. The OpenAPI document is made from these and nothing else.

Requests are strict: no unknown field, no `1.0` or `"1"` where a whole number is meant.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from domain.life import CheckoutState, DisputeState, EscrowState, LinkState, OrderState, PaymentState, RefundState
from domain.link import MOST_DESCRIPTION, MOST_QUANTITY
from domain.money import EXPONENTS, MOST_MINOR
from domain.order import OrderAct, Reason
from domain.payment import Method
from domain.person import MOST_NAME, Language


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, str_max_length=4000)


class Shown(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


def _known(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError("unknown_currency")
    return currency


Currency = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(EXPONENTS)}, description="ISO 4217.")]
Stock = Annotated[int, Field(ge=0, le=1_000_000, description="How many there are; null means that it is not counted.")]
Cursor = Annotated[str, Field(pattern=r"^([0-9a-f]{1,15}|[1-7][0-9a-f]{15})$", description="`next_cursor` of the page before.")]


class Price(Request):
    amount_minor: int = Field(ge=1, le=MOST_MINOR, description="Whole minor units: 150000 is 1,500 shillings.")
    currency: Currency


class Amount(Shown):
    amount_minor: int = Field(description="Whole minor units: 150000 is 1,500 shillings.")
    currency: str


class Nothing(Request):
    """No fields: an empty body will do."""


class NewLinkBody(Request):
    name: str = Field(min_length=1, max_length=MOST_NAME)
    price: Price
    description: str = Field("", max_length=MOST_DESCRIPTION)
    stock: Stock | None = None
    customer_phone: str | None = Field(None, max_length=24, description="Only this person may buy it.")
    expires_at: AwareDatetime | None = None


class LinkChanges(Request):
    """What is left out stays as it is. `active` switches the link off and on."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: str = Field(min_length=1, max_length=MOST_NAME, default_factory=str)
    price: Price = Field(default_factory=lambda: Price(amount_minor=1, currency="KES"))
    description: str = Field(max_length=MOST_DESCRIPTION, default_factory=str)
    stock: Stock | None = Field(default_factory=lambda: None)
    expires_at: AwareDatetime | None = Field(default_factory=lambda: None)
    active: bool = Field(default_factory=bool)

    @model_validator(mode="after")
    def _something(self) -> LinkChanges:
        if not self.model_fields_set:
            raise ValueError("empty")
        return self


class PurchaseBody(Request):
    name: str = Field(min_length=1, max_length=MOST_NAME)
    phone: str | None = Field(
        None, min_length=6, max_length=24, description="The M-PESA number that is asked to pay; other methods need none."
    )
    quantity: int = Field(1, ge=1, le=MOST_QUANTITY)
    method: Method = Method.MPESA
    address: str = Field("", max_length=300)
    note: str = Field("", max_length=500)
    language: Language = Language.EN


class ProcessBody(Request):
    checkout: str = Field(max_length=100, description="`checkout_token` of a purchase, or the last part of its pay address.")
    method: Method = Method.MPESA
    phone: str | None = Field(None, min_length=6, max_length=24, description="Another number than before.")


class ShipBody(Request):
    courier: str = Field("", max_length=60)
    tracking: str = Field("", max_length=60)


class DeliveryCodeBody(Request):
    code: str = Field(min_length=1, max_length=20, description="The six digits that the buyer tells on delivery.")


class DisputeBody(Request):
    reason: Reason
    words: str = Field("", max_length=2000)


class Page(Request):
    cursor: Cursor | None = None
    limit: int = Field(20, ge=1, le=100)


class LinkPage(Page):
    pass


class OrderPage(Page):
    state: OrderState | None = None


class EscrowPage(Page):
    status: EscrowState | None = None


class WalletPage(Request):
    limit: int = Field(20, ge=1, le=100)


class CallbackQuery(Request):
    token: str = Field(
        "", max_length=100, description="Daraja: of the attempt or refund. The others: of the organization whose own account it is."
    )
    kind: Literal["stk", "reversal", "reversal-late"] = "stk"


class Figures(Shown):
    visits: int
    checkouts: int
    paid: int
    revenue: Amount


class LinkShown(Shown):
    code: str
    url: str
    name: str
    description: str
    price: Amount
    state: LinkState
    stock: int | None
    customer_phone: str | None
    digital: bool
    expires_at: datetime | None
    created_at: datetime
    figures: Figures | None


class LinksShown(Shown):
    links: list[LinkShown]
    next_cursor: str | None


class MethodShown(Shown):
    method: Method
    why_not: str | None = Field(description="null when it can be used, else the reason's code.")


class PublicLink(Shown):
    code: str
    url: str
    name: str
    description: str
    price: Amount
    shop: str
    why_not: str | None = Field(description="null when it can be bought now, else the reason's code.")
    left: int | None = Field(description="null when it is not counted.")
    expires_at: datetime | None
    methods: list[MethodShown]


class NextStep(Shown):
    type: Literal["redirect", "prompt"] = Field(
        description="`redirect`: send the payer to `url`. `prompt`: the request comes to their phone."
    )
    url: str | None = None


class PurchaseShown(Shown):
    checkout: str = Field(description="For people: TEMP-...")
    checkout_token: str = Field(description="For `payments/process`. Keep it to yourself.")
    payment: str = Field(description="For `payments/{id}/status`. Keep it to yourself.")
    pay_url: str = Field(description="The page on which the buyer may watch, or pay another way.")
    status_url: str
    amount: Amount
    expires_at: datetime
    next: NextStep


class PaidOrder(Shown):
    number: str
    track_url: str
    track_token: str = Field(description="The buyer's bearer for this order. Keep it to yourself.")


class PaymentShown(Shown):
    id: str
    status: PaymentState
    method: Method
    amount: Amount
    checkout: str
    checkout_state: CheckoutState
    result: str | None = Field(description="Why the last try failed, as a code.")
    receipt: str | None
    refund: RefundState | None = Field(description="Of money that came late, twice or too little and goes back.")
    seller_decides_by: datetime | None = Field(description="The money came after the checkout ended: until then the seller may accept it.")
    order: PaidOrder | None


class Buyer(Shown):
    name: str
    phone: str | None
    address: str
    note: str


class DisputeShown(Shown):
    reason: Reason
    words: str
    state: DisputeState
    opened_at: datetime
    ended_at: datetime | None


class RefundShown(Shown):
    amount: Amount
    reason: str
    state: RefundState


class OrderShown(Shown):
    number: str
    state: OrderState
    escrow: EscrowState | None = Field(description="null when the money went straight to the seller's own account.")
    item: str
    quantity: int
    amount: Amount
    shop: str
    link: str
    buyer: Buyer
    courier: str
    tracking: str
    confirmed_by_gateway: bool = Field(description="Money leaves escrow only after the payment provider has confirmed it.")
    receipt: str | None
    paid_at: datetime
    accepted_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    ended_at: datetime | None
    acts: list[OrderAct] = Field(description="What you may do with it now.")
    dispute: DisputeShown | None
    dispute_ends: datetime | None
    refund: RefundShown | None
    delivery_code: str | None = Field(description="For the buyer only.")


class OrderRow(Shown):
    number: str
    state: OrderState
    escrow: EscrowState | None
    item: str
    quantity: int
    amount: Amount
    buyer_name: str
    paid_at: datetime


class OrdersShown(Shown):
    orders: list[OrderRow]
    next_cursor: str | None


class EscrowRow(Shown):
    order: str
    status: EscrowState
    order_state: OrderState
    amount: Amount
    paid_at: datetime
    next_step: str | None = Field(description="What the clock does next by itself, and when.")
    next_step_at: datetime | None


class EscrowsShown(Shown):
    escrow: list[EscrowRow]
    next_cursor: str | None


class Confirmation(Shown):
    result: Literal["released", "waiting", "already"] = Field(description="waiting: it is released once the provider confirms the payment.")
    order: OrderShown


class HistoryRow(Shown):
    kind: str
    order: str = Field(description="The number of the order it is about; empty where there is none.")
    at: datetime
    amount: Amount = Field(description="What came in is positive.")


class WalletShown(Shown):
    shop: str
    balance: list[Amount]
    held: list[Amount] = Field(description="In escrow.")
    owed: list[Amount] = Field(description="Taken back by a bank or a gateway after it was released: it comes out of the next releases.")
    history: list[HistoryRow]


class CallbackShown(Shown):
    ResultCode: int
    ResultDesc: str


class FieldProblem(Shown):
    field: str
    reason: str
    facts: dict[str, Any]


class Problem(Shown):
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    reason: str | None = None
    facts: dict[str, Any] | None = None
    errors: list[FieldProblem] | None = None
