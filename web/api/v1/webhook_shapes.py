"""The shapes of webhooks in requests and answers, as web/api/v1/schemas.py has those of everything else."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from domain.webhook import MOST_URL, TYPES, DeliveryState, EndpointState
from web.api.v1.schemas import Page, Request, Shown

_TYPES = sorted(TYPES.values())


def _known(kind: str) -> str:
    if kind not in _TYPES:
        raise ValueError("unknown_type")
    return kind


EventType = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": _TYPES})]


class NewWebhookBody(Request):
    url: str = Field(min_length=1, max_length=MOST_URL, description="Where to post: https, and an address that is open to the internet.")
    types: list[EventType] = Field(default_factory=list, max_length=50, description="An empty list means all, those of later versions too.")


class WebhookChanges(Request):
    """What is left out stays as it is. `enabled` switches it off and on."""

    url: str = Field(min_length=1, max_length=MOST_URL, default_factory=str)
    types: list[EventType] = Field(max_length=50, default_factory=list, description="An empty list means all, those of later versions too.")
    enabled: bool = Field(default_factory=bool)

    @model_validator(mode="after")
    def _something(self) -> WebhookChanges:
        if not self.model_fields_set:
            raise ValueError("empty")
        return self


class DeliveryPage(Page):
    pass


class ReplayBody(Request):
    """Which events are sent again: those from `since` on and before `until` (now, when left out) that failed."""

    since: AwareDatetime
    until: AwareDatetime | None = None


class WebhookShown(Shown):
    id: str
    url: str
    types: list[str] = Field(description="An empty list means all, those of later versions too.")
    state: EndpointState
    off_why: str = Field(
        description="Why it is DISABLED: owner, desk, gone (it answered 410) or failing (five days of nothing else); else empty."
    )
    failing_since: datetime | None = Field(description="null once something arrived.")
    old_secret_until: datetime | None = Field(description="After a rotation: until then the secret before signs as well.")
    created_at: datetime


class WebhooksShown(Shown):
    webhooks: list[WebhookShown]


class WebhookWithSecret(Shown):
    webhook: WebhookShown
    secret: str | None = Field(description="`whsec_...`. Shown here and never again; null in a repeated answer after a further rotation.")


class DeliveryShown(Shown):
    id: str
    event: str = Field(description="The `webhook-id` of the request: the same for every try and replay.")
    type: str
    state: DeliveryState
    tries: int = Field(description="Since it was made or replayed.")
    status: int | None = Field(description="HTTP status of the last answer; null when nobody answered.")
    error: str = Field(description="What was wrong with the last try, as a code; empty when it arrived.")
    answer: str = Field(description="The first 1,024 characters of the last answer.")
    took_ms: int | None
    created_at: datetime
    tried_at: datetime | None
    next_try_at: datetime | None = Field(description="null when it is not tried again by itself.")


class DeliveriesShown(Shown):
    deliveries: list[DeliveryShown]
    next_cursor: str | None


class ReplayedShown(Shown):
    replayed: int = Field(description="At most 1,000 at once, oldest first: ask again until it is 0.")
