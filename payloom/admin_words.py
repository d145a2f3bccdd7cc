"""What the command line says of a refusal: one plain sentence per code, with the next step where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.errors import DomainError

_NOT_FOUND: Final[Mapping[str, str]] = {
    "person": "nobody with Telegram id {id} has written to the bot yet: let them open the bot and press Start, then try again",
    "organization": "there is no organization {id}: `payloom admin organization list` shows them all",
    "member": "{id} does not act for this organization: `payloom admin member list` shows who does",
    "owner": "that person is no owner of this organization: API keys are made for an owner",
    "api_key": "there is no API key {id}: `payloom admin api-key list` shows them",
    "refund": "there is no such refund: `payloom admin refund list` shows those that wait",
    "outbox": "there is no dead message with this id: `payloom admin outbox list` shows them",
    "inbox": "there is no such event: `payloom admin inbox list` shows those that wait",
    "order": "there is no order with this number",
    "late": "there is no late money with this number: `payloom admin late list` shows what waits",
    "dispute": "this order has no open dispute",
    "attempt": "the payment of this order is not there, or the gateway has not confirmed it yet",
    "webhook": "there is no such webhook: `payloom admin webhook list` shows them",
    "difference": "there is no such difference: `payloom admin reconcile list` shows them",
    "stray": "there is no such money: `payloom admin stray list` shows what waits",
    "suspense": "nothing of this payment waits for a person: `payloom admin suspense list` shows what does",
    "checkout": "there is no checkout or order with this number that this money can be for",
    "gateway_settings": "no gateway is set up here: `payloom admin gateway set daraja` does it",
}
_BAD_INPUT: Final[Mapping[tuple[str, str], str]] = {
    ("organization", "several"): "several organizations have this name: use the id, one of {options}",
    ("member", "last_owner"): "that would leave the organization without an owner: make somebody else an owner first",
    ("role", "unknown"): "a role is one of {options}",
    ("feature", "not_a_name"): "a feature's name is small letters and underscores",
    ("webhook", "switched_off"): "this webhook is switched off: its owner can switch it on again",
    ("event", "applied"): "this event was applied already: there is nothing to replay",
    ("refund", "whole_only"): "the gateway of this payment gives back whole payments only: release or refund",
    ("refund", "step"): "the gateway of this payment gives back whole units only, without cents: {limit} minor units at a time",
    ("refund", "not_a_part"): "the part that goes back must be more than nothing and less than the whole order ({limit} minor units)",
    ("phone", "not_a_phone"): "this is no phone number",
    ("gateway", "unknown"): "this gateway is not known: it is one of {options}",
    ("day", "backwards"): "these days end before they begin",
    ("day", "not_yet"): "this day has not come yet",
    ("day", "too_many"): "that is more than {limit} days: read them in parts",
    ("note", "empty"): "a note is needed: what it was, and what was done",
    ("note", "too_long"): "a note has at most {limit} characters",
    ("reference", "empty"): "a reference is needed by which it can be found again, such as an M-Pesa code",
    ("reference", "too_long"): "a reference has at most {limit} characters",
    ("difference", "no_attempt"): "no payment of ours is known for it, so nobody can be asked: look into the gateway's portal",
    ("stray", "under_way"): "it is on its way back already, nothing was sent now: look into the gateway's portal, then "
    "`payloom admin stray return ID --by-hand CODE` if it went, `payloom admin stray keep ID` if it did not",
    ("checkout", "other_currency"): "this checkout costs another currency than this money has",
    ("suspense", "denied"): "the gateway says that this money never came: if its portal agrees, `payloom admin suspense write-off ID`",
    ("suspense", "not_denied"): "the gateway never denied this money: `payloom admin suspense return ID` sends it back",
    ("suspense", "under_way"): "somebody else is just sending it back: nothing was sent now",
    ("currency", "unknown_currency"): "this currency is not known",
    ("amount", "not_a_number"): "this amount is no number",
    ("amount", "too_precise"): "this amount has more decimals than its currency",
    ("amount", "unclear"): "this amount can be read in two ways: write it without a thousands separator",
    ("lasts", "out_of_range"): "a key lasts from one day to {limit} days",
    ("shop", "empty"): "a shop needs a name",
    ("shop", "too_long"): "a shop's name has at most {limit} characters",
    ("name", "empty"): "a name is needed",
    ("name", "too_long"): "a name has at most {limit} characters",
}
_LIVES: Final[Mapping[str, str]] = {
    "stray": "this money is {source}: only what waits can be matched, or sent back",
    "difference": "this difference is {source}: only an open one can be settled",
    "late": "this late money is {source} already: only what waits can be decided about",
    "order": "this order is {source}: only a disputed one can be resolved",
    "refund": "this refund is {source}: only a failed or unanswered one can be sent again or confirmed",
}
_CODES: Final[Mapping[str, str]] = {
    "not_found": "there is no such thing here",
    "illegal_transition": "this {life} is {source} and cannot become {target}",
    "bad_input": "the {field} cannot be used ({reason})",
    "limit_reached": "too many of these for now: it works again at {retry_at}",
    "not_for_sale": "this is not for sale now ({reason})",
    "cannot_pay": "this cannot be paid so ({reason})",
    "not_proved_yet": "the gateway has not confirmed this payment yet: try again in a minute",
    "stale": "somebody else changed it at the same moment: try again",
    "broken": "refused: it would break promise {promise} of the books; run `payloom audit` and keep its output",
}


def sentence(error: DomainError) -> str:
    """One sentence. Facts that the sentence needs and the error lacks are left open."""
    facts = _Open({name: _plain(value) for name, value in error.facts.items()})
    text = ""
    if error.code == "not_found":
        what = str(error.facts.get("what") or error.facts.get("table") or "")
        text = _NOT_FOUND.get(what) or _NOT_FOUND.get(what.removesuffix("s"), "")
    elif error.code == "bad_input":
        text = _BAD_INPUT.get((str(error.facts.get("field")), str(error.facts.get("reason"))), "")
    elif error.code == "not_for_sale" and error.facts.get("reason") == "late_gone":
        text = (
            "its goods are not there any more, or the link is switched off: nothing moved; `payloom admin late refund NUMBER` gives it back"
        )
    elif error.code == "illegal_transition":
        text = _LIVES.get(str(error.facts.get("life")), "")
    return (text or _CODES.get(error.code, "this is refused ({code})")).format_map(_Open(facts, code=error.code))


class _Open(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def _plain(value: Any) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else str(value)
