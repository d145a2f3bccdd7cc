"""Those who move money: one file per provider, each a `domain.payment.Gateway`."""
