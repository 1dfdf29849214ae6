"""The decayed delta recurrence with momentum: the loop, its chunked form, reads inside a chunk, bounds of the rates."""

from nlcore.ops.delta_rule.budget import limit_each, share_budget, share_so_far
from nlcore.ops.delta_rule.chunked import Chunk, Decays, Opened, Tokenwise, delta_rule_chunked
from nlcore.ops.delta_rule.inside import Inside
from nlcore.ops.delta_rule.naive import delta_rule_naive, inside_naive

__all__ = [
    "Chunk",
    "Decays",
    "Inside",
    "Opened",
    "Tokenwise",
    "delta_rule_chunked",
    "delta_rule_naive",
    "inside_naive",
    "limit_each",
    "share_budget",
    "share_so_far",
]
