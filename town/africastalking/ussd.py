"""USSD: sessions between a phone and the product, turn by turn, and the notification when one ends.

Faults: `slow_operator` (seconds), `drop_before`, `drop_during` (seconds), `drop_after`, `turn_twice` (at_once), `no_network_code`,
`no_event`, `event_early` (status), `event_late` (seconds), `event_twice`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from town.africastalking.networks import SESSION_S, network_of
from town.africastalking.office import Office
from town.africastalking.postman import Reply
from town.africastalking.sessions import (
    FAILED,
    INCOMPLETE,
    SUCCESS,
    TIMED_OUT,
    UNAVAILABLE,
    UNKNOWN_CODE,
    Session,
    refused_by_operator,
    take_reply,
)
from town.mishaps import seconds_of
from town.phones import LineBusy, NoSuchThing, Phone, Ussd

KEPT = 200
Screen = dict[str, Any]


class UssdDesk:
    """Holds at most one session for each phone, and remembers the last ones that ended."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._open: dict[str, Session] = {}
        self._ended: deque[Session] = deque(maxlen=KEPT)
        office.phones.on_power_off.append(self._powered_off)

    def state(self) -> list[dict[str, Any]]:
        return [session.shown() for session in (*self._ended, *self._open.values())]

    def routes(self) -> list[web.AbstractRouteDef]:
        one, act = "/town/api/phone/{msisdn}", self._office.phones.act
        return [
            web.post(one + "/dial", act(self._post_dial)),
            web.post(one + "/answer", act(self._post_answer)),
            web.post(one + "/hangup", act(self._post_hangup)),
        ]

    async def _post_dial(self, phone: Phone, body: Mapping[str, Any]) -> Screen:
        code = body.get("code")
        if not isinstance(code, str) or not code:
            raise NoSuchThing("`code` is what is dialled, such as *384*77#.")
        return await self.dial(phone, code)

    async def _post_answer(self, phone: Phone, body: Mapping[str, Any]) -> Screen:
        text = body.get("text")
        if not isinstance(text, str):
            raise NoSuchThing("`text` is what is typed.")
        return await self.answer(phone, text)

    async def _post_hangup(self, phone: Phone, body: Mapping[str, Any]) -> Screen:
        return self.hang_up(phone)

    # -- what a person does

    async def dial(self, phone: Phone, code: str) -> Screen:
        """Begin a session. A longer code than the service's own brings its rest as the first text: `*384*77*12345#`."""
        if not phone.on:
            raise LineBusy("The phone is switched off.")
        self._look_at_the_time(phone)
        if phone.busy:
            raise LineBusy("A session is open on this phone: answer it, or hang up.")
        code = code.replace(" ", "")
        known = self._office.subscription
        service = known.service_code if known else ""
        if known is None or not (code == service or (code.startswith(f"{service[:-1]}*") and code.endswith("#"))):
            phone.ussd = Ussd(code, open=False, screen=UNKNOWN_CODE)
            self._note("ussd.unknown", phone.msisdn, text=code)
            return _shown(phone)
        deep = code[len(service) : -1] if code != service else ""
        now = self._office.core.clock.now()
        session = Session(self._office.new_id("ATUid_"), phone.msisdn, service, now, network_of(phone.msisdn))
        if deep:
            session.inputs.append(deep)
        self._open[phone.msisdn] = session
        phone.ussd = Ussd(code, waiting=True)
        self._note("ussd.dialled", phone.msisdn, session=session.id, text=code)
        self._wake_at(session, now + timedelta(seconds=SESSION_S))
        return await self._turn(phone, session)

    async def answer(self, phone: Phone, text: str) -> Screen:
        """Send what was typed; raises NoSuchThing when no session waits for it."""
        self._look_at_the_time(phone)
        session = self._open.get(phone.msisdn)
        if session is None or phone.ussd is None:
            raise NoSuchThing("No USSD session is open on this phone.")
        if phone.ussd.waiting:
            raise LineBusy("The service has not answered yet.")
        if len(text) > session.network.input_limit:
            raise NoSuchThing(f"{session.network.name} takes at most {session.network.input_limit} characters.")
        session.inputs.append(text)
        session.idle_until = None
        phone.ussd.waiting = True
        self._note("ussd.answered", phone.msisdn, session=session.id, text=text)
        return await self._turn(phone, session)

    def hang_up(self, phone: Phone) -> Screen:
        """Leave the session, or clear what the last one left on the screen."""
        session = self._open.get(phone.msisdn)
        if session is not None:
            self._end(session, INCOMPLETE)
        phone.ussd = None
        return _shown(phone)

    # -- one turn

    async def _turn(self, phone: Phone, session: Session) -> Screen:
        if fault := self._office.fault("slow_operator"):
            await asyncio.sleep(seconds_of(fault, 3.0))
        if session.over():
            return _shown(phone)
        if self._office.fault("drop_before"):
            return self._drop(phone, session)
        reply = await self._deliver(session)
        if session.over():
            return _shown(phone)
        if reply is None:
            return self._drop(phone, session)
        session.problem = take_reply(session, reply)
        if not session.problem and (why := refused_by_operator(session)):
            session.problem = f"The operator refused the screen: {why}"
            self._note("ussd.refused", phone.msisdn, session=session.id, text=session.problem, screen=session.last_reply)
        unseen = self._office.fault("drop_after") is not None
        if session.problem:
            self._show(phone, UNAVAILABLE, still=False)
            self._end(session, FAILED)
        elif session.last_reply.startswith("END "):
            self._show(phone, session.last_reply[4:], still=False)
            self._end(session, SUCCESS)
        elif not unseen:
            self._show(phone, session.last_reply[4:], still=True)
            now = self._office.core.clock.now()
            session.idle_until = now + timedelta(seconds=session.network.idle_s)
            self._wake_at(session, session.idle_until)
        if unseen:
            return self._drop(phone, session)
        return _shown(phone)

    async def _deliver(self, session: Session) -> Reply | None:
        """The turn to the product, with the faults of the way there; None when the line is lost meanwhile."""
        office, form = self._office, session.turn()
        url = office.subscription.ussd_url if office.subscription else ""
        if early := office.fault("event_early"):
            session.told = True
            await self._tell(session.event(office.core.clock.now(), str(early.detail.get("status", SUCCESS))))
        if office.fault("no_network_code"):
            del form["networkCode"]
        headers = {"at-ussd-hop-metadata": session.labels[-1]} if session.labels else None
        if lost := office.fault("drop_during"):
            within_s = seconds_of(lost, 0.05)
            self._noted_turn(session, form, await office.postman.post(url, form, headers, within_s))
            return None
        again = office.fault("turn_twice")
        if again is not None and again.detail.get("at_once"):
            replies = await asyncio.gather(*(office.postman.post(url, form, headers) for _ in range(2)))
        else:
            replies = [await office.postman.post(url, form, headers) for _ in range(2 if again else 1)]
        for reply in replies:
            self._noted_turn(session, form, reply)
        return replies[-1]

    def _noted_turn(self, session: Session, form: Mapping[str, str], reply: Reply) -> None:
        said = reply.body.decode(errors="replace")
        self._note("ussd.turn", session.msisdn, session=session.id, input=form["text"], text=said or reply.problem, status=reply.status,
                   took_ms=reply.took_ms)  # fmt: skip

    def _show(self, phone: Phone, text: str, *, still: bool) -> None:
        if phone.ussd is not None:
            phone.ussd.screen, phone.ussd.open, phone.ussd.waiting = text, still, False

    # -- how a session ends

    def _drop(self, phone: Phone, session: Session) -> Screen:
        """The network lost the line: what the product said last is not seen on the phone."""
        self._note("ussd.dropped", phone.msisdn, session=session.id)
        self._end(session, INCOMPLETE)
        self._show(phone, UNKNOWN_CODE, still=False)
        return _shown(phone)

    def _end(self, session: Session, status: str) -> None:
        if session.over():
            return
        session.status = status
        self._open.pop(session.msisdn, None)
        self._ended.append(session)
        office, at = self._office, self._office.core.clock.now()
        self._note("ussd.ended", session.msisdn, session=session.id, text=session.problem, status=status)
        if session.told or office.fault("no_event"):
            return
        late, again = office.fault("event_late"), office.fault("event_twice")
        form = session.event(at, status)

        async def tell() -> None:
            for _ in range(2 if again else 1):
                await self._tell(form)

        office.alarms.after(seconds_of(late, 300.0) if late else office.delay_s, tell)

    async def _tell(self, form: Mapping[str, str]) -> None:
        office = self._office
        if office.subscription is None or not office.subscription.ussd_events_url:
            return
        reply = await office.postman.post(office.subscription.ussd_events_url, form)
        self._note("ussd.event", form["phoneNumber"].removeprefix("+"), session=form["sessionId"], form=dict(form), status=reply.status,
                   problem=reply.problem)  # fmt: skip

    # -- time

    def _wake_at(self, session: Session, due: datetime) -> None:
        async def look() -> None:
            self._look_at_the_time(self._office.phones.phone(session.msisdn))

        self._office.alarms.at(due, look)

    def _look_at_the_time(self, phone: Phone) -> None:
        """End the phone's session when its time, or the customer's, is over."""
        session, now = self._open.get(phone.msisdn), self._office.core.clock.now()
        if session is None:
            return
        idle = session.idle_until is not None and now >= session.idle_until
        if idle or now >= session.began + timedelta(seconds=SESSION_S):
            self._note("ussd.timed_out", phone.msisdn, session=session.id, text="nobody typed" if idle else "the session's time is over")
            self._end(session, INCOMPLETE)
            self._show(phone, TIMED_OUT, still=False)

    def _powered_off(self, phone: Phone) -> None:
        if phone.msisdn in self._open:
            self._drop(phone, self._open[phone.msisdn])
        phone.ussd = None

    def _note(self, kind: str, msisdn: str, **what: Any) -> None:
        self._office.core.journal.add(kind, msisdn=msisdn, at=self._office.core.clock.now().isoformat(), **what)


def _shown(phone: Phone) -> Screen:
    ussd = phone.ussd
    return {"open": ussd is not None and ussd.open, "screen": ussd.screen if ussd else ""}
