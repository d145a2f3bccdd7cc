"""PayTabs (PT2), imitated over HTTP: `PayTabs` is the whole of it, `Profile` one merchant's profile in one region."""

from town.paytabs.books import Profile
from town.paytabs.server import PayTabs

__all__ = ["PayTabs", "Profile"]
