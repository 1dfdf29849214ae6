"""Nested Learning, hands on: associative memories, levels, Hope, and training you can watch."""
