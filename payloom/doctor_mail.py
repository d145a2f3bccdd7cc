"""What the doctor asks the mail server: does it answer, does it speak TLS with a name it may bear, does it let us in. No letter is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from payloom.doctor_checks import FINE, NOTE, PROBLEM, Finding, Ground

WITHIN_S: Final = 15.0
_WORDS: Final = {
    "bad_credentials": ("the mail server does not accept the user and password", "copy them again into PAYLOOM_SMTP_URL, percent-encoded"),
    "no_login": (
        "the mail server offers no way to log in that we know",
        "PLAIN, LOGIN or CRAM-MD5 over TLS; is the port the one for submission?",
    ),
    "no_tls": ("the mail server offers no TLS on this port", "587 with smtp://, or 465 with smtps://"),
    "bad_certificate": (
        "the certificate of the mail server is not for this name, or nobody known vouches for it",
        "is the host in PAYLOOM_SMTP_URL right?",
    ),
}
"""What comes back from `Mail.check`: a code of ours, else what the server said."""


async def mail(ground: Ground) -> AsyncIterator[Finding]:
    """Connect, log in, say goodbye."""
    settings = ground.settings
    url = settings.smtp_url.get_secret_value()
    if not url:
        yield Finding("mail", NOTE, "no mail server: nobody is told by letter", "set PAYLOOM_SMTP_URL and PAYLOOM_MAIL_FROM")
        return
    if ground.town:
        yield Finding("mail", FINE, "the town's own mail server, on a port of its choice")
        return
    from gateways.messages.email import Mail  # noqa: PLC0415 - loads aiosmtplib
    from payloom.wiring import SystemClock  # noqa: PLC0415 - loads the whole house

    try:
        post = Mail(url, settings.mail_from, SystemClock(), whole_s=WITHIN_S)
    except ValueError:
        return  # told among the settings
    wrong = await post.check()
    if not wrong:
        yield Finding("mail", FINE, f"the mail server lets us in; letters come from {settings.mail_from}")
    elif wrong in _WORDS:
        yield Finding("mail", PROBLEM, *_WORDS[wrong])
    else:
        told = f"the mail server cannot be used ({wrong})"
        yield Finding("mail", PROBLEM, told, "is PAYLOOM_SMTP_URL right, and may this machine speak to that port?")
    if not settings.mail_callback_secret.get_secret_value():
        told = "nobody hears of letters that come back: their readers stay without news"
        yield Finding("mail returns", NOTE, told, "set PAYLOOM_MAIL_CALLBACK_SECRET, and have them posted to /mail/SECRET/bounce")
