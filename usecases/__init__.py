"""The hall: one verb, one function. Units of work are plain functions; what must talk to a gateway says unit, call, unit."""
