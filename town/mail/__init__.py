"""An imitated mail provider: a true SMTP server on loopback that keeps every letter. `MailServer` is the whole of it."""

from town.mail.server import MailServer

__all__ = ["MailServer"]
