"""Mouths turn what arrives into an Answer and a Screen into what a channel can show."""
