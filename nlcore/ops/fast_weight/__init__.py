"""The fast-weight recurrence of linear attention, the delta rule and their relatives, a chunk at a time."""

from nlcore.ops.fast_weight.chunked import Chunk, Decays, OjaChunk

__all__ = ["Chunk", "Decays", "OjaChunk"]
