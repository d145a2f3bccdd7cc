"""The person at the desk: reads the alerts, looks into Daraja's portal, and says what became of a refund whose answer was lost.

Daraja tells the result of a reversal once, and a receipt only in the callback of its payment. When the house was dead at that instant nobody
will say it again, and nothing may be sent twice on a guess: it is a person's turn, and the house has to have asked for one.
"""

from __future__ import annotations

from tests.crash.given import ADMIN
from tests.crash.street import Street


def texts(street: Street, user: int) -> list[str]:
    """Everything the bot ever sent to somebody, as it was when it was sent."""
    return [str(event["text"]) for event in street.journal("telegram.message") if event["from"] == "bot" and user in event["users"]]


def alerted(street: Street, what: str) -> bool:
    return any(what in text for text in texts(street, ADMIN))


async def look_into_the_portal(street: Street) -> None:
    """Every refund that waits for a person, once the person was told: what was reversed is confirmed, what was not is done."""
    waiting = street.rows(
        "SELECT r.id, r.state, a.receipt, a.phone, r.act_at IS NULL FROM refunds r JOIN attempts a ON a.id = r.attempt_id WHERE r.state <> 'DONE'"
    )
    house = await street.revive()
    for refund_id, state, receipt, phone, rests in waiting:
        books = street.town.daraja.books()
        mine = [entry for entry in books if entry["msisdn"] == str(phone).lstrip("+")]
        if state == "PENDING" and rests and alerted(street, "refund_without_answer"):
            reversed_already = any(entry["kind"] == "reversal" for entry in mine)
            await house.settle(f"desk {'confirm' if reversed_already else 'retry'} {refund_id}".encode())
        elif state == "ASKED" and receipt is None and alerted(street, "refund_without_receipt"):
            if not any(entry["kind"] == "reversal" for entry in mine):
                street.reverse_by_hand(next(entry["receipt"] for entry in mine if entry["kind"] == "stk"))
            await house.settle(f"desk confirm {refund_id}".encode())
