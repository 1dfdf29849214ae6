"""What does a generated token cost after 16 tokens, and after 8,192? Medians, side by side in one run.

    python -m bench.generation       # under a minute; writes build/bench_generation.json too

Size tiny, one sequence, one thread. The text so far is read in one call (the prefill), and then one token a call, with the
state carried on. Hope's state has one size, so a token should cost the same at every position; a Transformer keeps all
tokens. Printed beside it: by how much the logits of the last tokens differ if they are read in one call instead.
"""

import argparse
import statistics
import time

import torch

from nlcore.models import LanguageModel, build, preset_of, state_bytes

from bench.speed import keep

POSITIONS, MODELS, TOKENS = (16, 1024, 8192), ("hope", "transformer"), 48


@torch.no_grad()
def steps(model: LanguageModel, text: torch.Tensor, position: int) -> tuple[float, float, float, int]:
    """Of a model that has read `position` tokens: seconds of the prefill and, in the median, of one token more; how far its
    logits are from those of one call; and the bytes of its state."""
    model(text[:, :16])  # warms up
    began = time.perf_counter()
    state, times, found = model(text[:, :position]).state, [], []
    prefill, size = time.perf_counter() - began, state_bytes(model, state)
    for at in range(position, position + TOKENS):
        began = time.perf_counter()
        output = model(text[:, at : at + 1], state)
        times.append(time.perf_counter() - began)
        state = output.state
        found.append(output.logits)
    whole = model(text[:, : position + TOKENS]).logits[:, position:]
    return prefill, statistics.median(times), (torch.cat(found, 1) - whole).abs().max().item(), size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    torch.set_num_threads(1)
    text = torch.randint(256, (1, max(POSITIONS) + TOKENS), generator=torch.Generator().manual_seed(0))
    results = {}
    print(f"  {'':24}{'ms a token':>12}{'prefill, ms':>13}{'state, kB':>11}{'one call differs by':>21}")
    for name in MODELS:
        torch.manual_seed(0)
        model = build(name, preset_of("tiny", name), 256)
        for position in POSITIONS:
            prefill, token, apart, size = results[f"{name}, after {position}"] = steps(model, text, position)
            print(f"  {f'{name}, after {position:,}':24}{token * 1e3:>12.2f}{prefill * 1e3:>13.0f}{size / 1e3:>11.0f}{apart:>21.1e}")
    keep("bench_generation", {"prefill, token (s), difference, bytes": results})


if __name__ == "__main__":
    main()
