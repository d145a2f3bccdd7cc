"""Back room: the only SQL and the only rows. It decides nothing."""
