"""Explorers: one small demo a file, each a pure `compute`, controls, and a view."""
