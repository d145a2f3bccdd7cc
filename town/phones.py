"""The phones of the town: their M-Pesa balance, the STK prompts that ring on them, and the SMS they received.

A phone exists from its first touch. Providers ring it and send it messages; people (tests, tours, the page at `/town`) act on it
through the routes below. Knows nothing of the provider that rings: a prompt carries the function to call with the answer.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from town.core import Core

ANSWERS = ("right", "wrong", "cancel", "broke", "ignore")
FIRST_BALANCE_MINOR = 100_000_00
FIRST_PIN = "1234"
SMS_KEPT = 200
MSISDN = re.compile(r"254[17]\d{8}")
"""A Kenyan mobile number as M-Pesa writes it: 12 digits, no plus."""


class NoSuchThing(Exception):
    """What was asked for is not there, or cannot be; the text is one sentence for the person who asked."""

    status = 400


class LineBusy(NoSuchThing):
    """The line is taken by something else."""

    status = 409


class NothingWaits(NoSuchThing):
    """There is no prompt to answer."""

    status = 404


def normal_msisdn(number: str) -> str:
    """`0712345678`, `712345678`, `+254712345678` -> `254712345678`; other countries' numbers keep their digits.

    Raises NoSuchThing when it is no telephone number.
    """
    digits = re.sub(r"[\s\-()]", "", number).removeprefix("+")
    if re.fullmatch(r"0[17]\d{8}", digits):
        return "254" + digits[1:]
    if re.fullmatch(r"[17]\d{8}", digits):
        return "254" + digits
    if re.fullmatch(r"[1-9]\d{7,14}", digits):
        return digits
    raise NoSuchThing(f"{number!r} is not a telephone number.")


@dataclass(slots=True)
class Prompt:
    """One STK prompt on a screen. `answered` is called once with one of ANSWERS (but never with `ignore`), or with `off`."""

    id: str
    msisdn: str
    amount_minor: int
    business: str
    short_code: str
    reference: str
    text: str
    at: datetime
    expires_at: datetime
    answered: Callable[[str], None]
    ignored: bool = False

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "amount": self.amount_minor // 100,
            "amount_minor": self.amount_minor,
            "currency": "KES",
            "business": self.business,
            "short_code": self.short_code,
            "reference": self.reference,
            "text": self.text,
            "at": self.at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "ignored": self.ignored,
        }


@dataclass(slots=True)
class Ussd:
    """What USSD shows on a screen. `open`: the session takes an answer; `waiting`: the service has not replied yet."""

    code: str
    open: bool = True
    waiting: bool = False
    screen: str = ""

    def shown(self) -> dict[str, Any]:
        return {"code": self.code, "open": self.open, "waiting": self.waiting, "screen": self.screen}


@dataclass(slots=True)
class Phone:
    """One phone and its M-Pesa account. `auto` is how it answers prompts by itself, if it does."""

    msisdn: str
    balance_minor: int = FIRST_BALANCE_MINOR
    pin: str = FIRST_PIN
    on: bool = True
    auto: str | None = None
    ussd: Ussd | None = None
    prompts: dict[str, Prompt] = field(default_factory=dict)
    sms: deque[dict[str, str]] = field(default_factory=lambda: deque(maxlen=SMS_KEPT))
    spent_day: str = ""
    spent_minor: int = 0

    @property
    def busy(self) -> bool:
        """A USSD session holds the line: no prompt can reach the phone."""
        return self.ussd is not None and self.ussd.open

    def shown(self) -> dict[str, Any]:
        return {
            "msisdn": self.msisdn,
            "ussd": None if self.ussd is None else self.ussd.shown(),
            "sms": list(self.sms),
            "prompts": [prompt.shown() for prompt in self.prompts.values()],
            "balance_minor": self.balance_minor,
            "on": self.on,
            "auto": self.auto,
        }


class Phones:
    """All phones. The least recently used, without a waiting prompt, is forgotten when there are more than `keep`."""

    def __init__(self, core: Core, keep: int = 50_000) -> None:
        self._core = core
        self._keep = keep
        self._phones: OrderedDict[str, Phone] = OrderedDict()
        self._numbers = itertools.count(1)
        self.on_power_off: list[Callable[[Phone], None]] = []
        """Told when a phone goes off: a network drops what it had open with it."""

    def all(self) -> list[Phone]:
        return list(self._phones.values())

    def put_back(self, phone: Phone) -> None:
        """From an earlier life of the town."""
        self._phones[phone.msisdn] = phone

    def phone(self, msisdn: str) -> Phone:
        """The phone with this number (any usual way to write it), made now if nobody touched it before."""
        found = self._phones.get(msisdn)
        if found is None:
            msisdn = normal_msisdn(msisdn)
            found = self._phones.setdefault(msisdn, Phone(msisdn))
            if len(self._phones) > self._keep:
                self._forget_one()
        self._phones.move_to_end(found.msisdn)
        return found

    def _forget_one(self) -> None:
        for msisdn, phone in itertools.islice(self._phones.items(), 100):
            if not phone.prompts and not phone.auto and not phone.busy:
                del self._phones[msisdn]
                return

    def receive_sms(self, msisdn: str, sender: str, text: str) -> None:
        """An SMS arrives (phones that are off get it all the same: networks keep it for them)."""
        phone = self.phone(msisdn)
        at = self._core.clock.now().isoformat()
        phone.sms.append({"from": sender, "text": text, "at": at})
        self._core.journal.add("phone.sms", msisdn=phone.msisdn, sender=sender, text=text, at=at)

    def new_prompt_id(self) -> str:
        return f"prompt-{next(self._numbers)}"

    def ring(self, prompt: Prompt) -> None:
        """Show the prompt on its phone."""
        self.phone(prompt.msisdn).prompts[prompt.id] = prompt

    def waiting(self, msisdn: str) -> list[Prompt]:
        """Prompts that can still be answered, oldest first."""
        now = self._core.clock.now()
        return [prompt for prompt in self.phone(msisdn).prompts.values() if prompt.expires_at > now]

    def dismiss(self, msisdn: str, prompt_id: str) -> None:
        """Take the prompt off the screen without an answer (its time is over)."""
        self.phone(msisdn).prompts.pop(prompt_id, None)

    def answer(self, msisdn: str, answer: str, prompt_id: str | None = None) -> Prompt:
        """Answer a waiting prompt (the oldest without `prompt_id`); raises NoSuchThing when none waits or the answer is unknown."""
        if answer not in ANSWERS:
            raise NoSuchThing(f"The answer is one of {', '.join(ANSWERS)}, not {answer!r}.")
        waiting = self.waiting(msisdn)
        chosen = waiting[:1] if prompt_id is None else [prompt for prompt in waiting if prompt.id == prompt_id]
        if not chosen:
            raise NothingWaits(f"No such prompt waits on {normal_msisdn(msisdn)}.")
        if answer == "ignore":
            chosen[0].ignored = True
        else:
            self._close(chosen[0], answer)
        return chosen[0]

    def type_pin(self, msisdn: str, pin: str, prompt_id: str | None = None) -> Prompt:
        """Answer with typed digits, right or wrong by the phone's own PIN."""
        return self.answer(msisdn, "right" if pin == self.phone(msisdn).pin else "wrong", prompt_id)

    def power(self, msisdn: str, on: bool) -> None:
        """Switch on or off. Switching off drops the prompts on the screen; new ones cannot reach it."""
        phone = self.phone(msisdn)
        phone.on = on
        if not on:
            for prompt in list(phone.prompts.values()):
                self._close(prompt, "off")
            for told in self.on_power_off:
                told(phone)

    def _close(self, prompt: Prompt, answer: str) -> None:
        self.phone(prompt.msisdn).prompts.pop(prompt.id, None)
        prompt.answered(answer)

    def state(self) -> dict[str, Any]:
        return {msisdn: phone.shown() for msisdn, phone in self._phones.items()}

    def routes(self) -> list[web.AbstractRouteDef]:
        one = "/town/api/phone/{msisdn}"
        return [
            web.get("/town/api/phones", self._get_all),
            web.get(one, self.act(self._get)),
            web.post(one + "/pin", self.act(self._post_pin)),
            web.post(one + "/newpin", self.act(self._post_new_pin)),
            web.post(one + "/balance", self.act(self._post_balance)),
            web.post(one + "/power", self.act(self._post_power)),
            web.post(one + "/auto", self.act(self._post_auto)),
        ]

    async def _get_all(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        return phone.shown()

    async def _post_pin(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        prompt_id = body.get("prompt")
        chosen = None if prompt_id is None else str(prompt_id)
        if "answer" not in body and isinstance(body.get("pin"), str):
            return self.type_pin(phone.msisdn, body["pin"], chosen).shown()
        return self.answer(phone.msisdn, str(body.get("answer")), chosen).shown()

    async def _post_new_pin(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        pin = body.get("pin")
        if not isinstance(pin, str) or not re.fullmatch(r"\d{4}", pin):
            raise NoSuchThing("`pin` is four digits.")
        phone.pin = pin
        return phone.shown()

    async def _post_balance(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        amount = body.get("amount_minor")
        if not isinstance(amount, int) or isinstance(amount, bool) or amount < 0:
            raise NoSuchThing("`amount_minor` is a whole number of cents, zero or more.")
        phone.balance_minor = amount
        return phone.shown()

    async def _post_power(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        on = body.get("on")
        if not isinstance(on, bool):
            raise NoSuchThing("`on` is true or false.")
        self.power(phone.msisdn, on)
        return phone.shown()

    async def _post_auto(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        answer = body.get("answer")
        if answer is not None and answer not in ANSWERS:
            raise NoSuchThing(f"`answer` is null or one of {', '.join(ANSWERS)}.")
        phone.auto = answer
        for prompt in self.waiting(phone.msisdn):
            if answer is not None:
                self.answer(phone.msisdn, answer, prompt.id)
        return phone.shown()

    def act(self, doing: Callable[[Phone, Mapping[str, Any]], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        """For other providers of the town (USSD, SMS): an act on `{msisdn}` as a route handler, with the same errors."""

        async def handler(request: web.Request) -> web.Response:
            try:
                phone = self.phone(request.match_info["msisdn"])
                return web.json_response(await doing(phone, await _body(request)))
            except NoSuchThing as problem:
                return web.json_response({"error": str(problem)}, status=problem.status)

        return handler


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NoSuchThing("The body is a JSON object.")
    return body
