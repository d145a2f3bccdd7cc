"""What Telegram signs for a person: `initData` of Mini Apps and the fields of the Login Widget.

https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app and https://core.telegram.org/widgets/login.
`signature` (Ed25519, Telegram's own key) is left out: nobody but Telegram can make it.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from town.telegram.people import Person
from town.telegram.shapes import encode, user


def _check_string(fields: dict[str, str]) -> bytes:
    return "\n".join(f"{name}={value}" for name, value in sorted(fields.items())).encode()


def init_data(person: Person, bot_token: str, now: datetime, start_param: str = "", query_id: str = "") -> str:
    """The signed query string a Mini App gets."""
    who = {name: value for name, value in user(person).items() if name != "is_bot"}
    fields = {"user": encode({**who, "allows_write_to_pm": person.started}), "auth_date": str(int(now.timestamp()))}
    if query_id:
        fields["query_id"] = query_id
    if start_param:
        fields["start_param"] = start_param
    key = hmac.new(b"WebAppData", bot_token.encode(), hashlib.sha256).digest()
    fields["hash"] = hmac.new(key, _check_string(fields), hashlib.sha256).hexdigest()
    return urlencode(fields)


def web_app_address(url: str, data: str) -> str:
    """The address Telegram opens for a Mini App: everything about the launch is in the fragment."""
    fragment = f"tgWebAppData={quote(data, safe='')}&tgWebAppVersion=9.0&tgWebAppPlatform=web"
    return urlunsplit(urlsplit(url)._replace(fragment=fragment))


def login_address(url: str, person: Person, bot_token: str, now: datetime) -> str:
    """The address a login button opens, with the signed fields of the Login Widget added."""
    fields = {"id": str(person.id), "first_name": person.first_name, "auth_date": str(int(now.timestamp()))}
    if person.last_name:
        fields["last_name"] = person.last_name
    if person.username:
        fields["username"] = person.username
    key = hashlib.sha256(bot_token.encode()).digest()
    fields["hash"] = hmac.new(key, _check_string(fields), hashlib.sha256).hexdigest()
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(fields))))))
