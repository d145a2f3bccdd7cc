"""Keeping Africa's Talking in a file, so that a town that starts again is the town that was left.

USSD sessions do not outlive the town, nor do delivery reports that were still to be sent.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from town.africastalking.inbound import InboundDesk
from town.africastalking.messages import Incoming, Message
from town.africastalking.office import Account
from town.africastalking.sms import SmsDesk

Json = dict[str, Any]
VERSION = 1


def save(account: Account, sms: SmsDesk, inbound: InboundDesk, keep: Path) -> None:
    """Write `keep` whole or not at all."""
    kept: Json = {
        "version": VERSION,
        "balance": account.balance,
        "blacklist": sorted(account.blacklist),
        "messages": [message.shown() for message in sms.messages.values()],
        "incoming": [message.shown() for message in inbound.messages],
        "last_number": inbound.last_number,
    }
    beside = keep.with_suffix(".new")
    beside.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    beside.replace(keep)


def load(account: Account, sms: SmsDesk, inbound: InboundDesk, keep: Path) -> bool:
    """Take up what `keep` holds; False when there is nothing (of this version) to take up."""
    if not keep.is_file():
        return False
    kept: Json = json.loads(keep.read_text(encoding="utf-8"))
    if kept.get("version") != VERSION:
        return False
    account.balance, account.blacklist = kept["balance"], set(kept["blacklist"])
    for one in kept["messages"]:
        sms.keep(Message(**one))
    for one in kept["incoming"]:
        inbound.messages.append(Incoming(**{**one, "at": datetime.fromisoformat(one["at"])}))
    inbound.last_number = kept["last_number"]
    return True
