"""How facts are said by email: a letter for each, whose button leads to the order's page or into the chat."""

from __future__ import annotations

from dataclasses import replace

from domain.facts import Urgency
from domain.ports import Delivery, Post, Sent
from domain.records import OutboxMessage
from templates.letters import Letter, code_letter, letter
from templates.words import words
from usecases.hall import Hall
from usecases.mail import CODE_LETTER, CODE_LIVES
from usecases.mail_delivery import Outgoing, begin_letter, is_due


class MailTeller:
    def __init__(self, hall: Hall, post: Post) -> None:
        self._hall = hall
        self._post = post

    async def tell(self, message: OutboxMessage) -> Sent:
        """Say it once. The worker writes down what became of it."""
        going = await self._hall.store.write(begin_letter, message)
        if going is None:
            return Sent(Delivery.GONE)
        written = self._written(going, message) if is_due(message, going.person, self._hall.clock.now()) else None
        if written is None:
            return Sent(Delivery.SENT)
        return await self._post.send(going.address, written, going.mark)

    def _written(self, going: Outgoing, message: OutboxMessage) -> Letter | None:
        """None where this side is told nothing by itself, or did it."""
        t = words(going.language)
        if message.fact == CODE_LETTER:
            return code_letter(t, going.code, int(CODE_LIVES.total_seconds()) // 60)
        view = going.view
        if view is not None and message.payload.get("actor") == going.person.id:
            return None
        side = "staff" if message.fact == "alert" else going.side
        written = letter(
            t, message.fact, side=side, page=self._page(going), shop=view.shop if view else "", order=view.order if view else None,
            payload=message.payload, receipt=view.receipt if view else None, method=view.method if view else None, when=view.dispute_ends if view else None,
            unsubscribe=self._url(f"/mail/stop/{going.stop}"), again=message.error == "unknown",
        )  # fmt: skip
        if written is None or message.urgency >= Urgency.NEWS:
            return written
        return replace(written, unsubscribe="")  # no mail program offers to unsubscribe from what happens to one's own money

    def _page(self, going: Outgoing) -> str:
        """Where the button leads: a buyer's order has a page, a seller works in the chat."""
        if going.view is not None and going.side == "buyer":
            return self._url(f"/track/{going.view.track_token}")
        if going.pay:
            return self._url(f"/pay/{going.pay}")
        return f"https://t.me/{self._hall.house.bot_username}"

    def _url(self, path: str) -> str:
        return self._hall.house.base_url.rstrip("/") + path
