"""The decayed delta recurrence with momentum: the loop, its chunked form, and the write budget."""

from nlcore.ops.delta_rule.budget import share_budget
from nlcore.ops.delta_rule.chunked import Chunk, Decays, delta_rule_chunked
from nlcore.ops.delta_rule.naive import delta_rule_naive

__all__ = ["Chunk", "Decays", "delta_rule_chunked", "delta_rule_naive", "share_budget"]
