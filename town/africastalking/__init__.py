"""Africa's Talking (USSD and SMS), imitated over HTTP: `AfricasTalking` is the whole of it, `Subscription` one customer's account."""

from town.africastalking.office import Subscription
from town.africastalking.server import AfricasTalking

__all__ = ["AfricasTalking", "Subscription"]
