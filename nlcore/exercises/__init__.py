"""Checks of the exercises, a module a chapter: each says which mechanism is wrong, in one sentence."""
