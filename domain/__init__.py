"""The heart: frozen values and decisions. No await, no clock, no randomness, no input or output."""
