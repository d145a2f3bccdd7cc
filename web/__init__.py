"""DOOR 2: a request arrives. It is understood, handed to the hall, and answered; no rule lives here, no row and no provider's word."""
