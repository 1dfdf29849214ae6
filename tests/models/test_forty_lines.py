"""Notebook 10's Hope in forty lines, taken from its cells, against the package: outputs and every gradient."""

import re
from dataclasses import replace

import pytest
import torch

from book import source
from nlcore.models import PRESETS, build

SMALL = replace(PRESETS["tiny"], dim=12, heads=2, hidden=5, narrow_rates=False)


@pytest.fixture(scope="module")
def hope(root):
    """The notebook's own function, of its three cells."""
    cells = [text for kind, text in source.cells(source.read(root / "notebooks" / "10_hope.py")) if kind == "code"]
    own = [text for text in cells if re.search(r"^def (unit|titans|hope)\(", text, re.MULTILINE)]
    lines = [line for text in own for line in text.splitlines() if line and not line.startswith("import")]
    assert len(own) == 3 and len(lines) == 40
    known = {"torch": torch}
    exec("\n".join(own), known)
    return known["hope"]


@pytest.mark.parametrize("chunks", [(4, 16), (8, 8), (1, 1)])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 33])
def test_the_forty_lines_are_hope(hope, chunks, length):
    torch.manual_seed(0)
    model = build("hope", replace(SMALL, chunks=chunks), 32).double()
    for p in model.parameters():
        p.data += 0.1 * torch.randn_like(p)
    tokens = torch.randint(32, (2, length))
    both = [hope(dict(model.named_parameters()), tokens, SMALL.heads, chunks), model(tokens).logits]
    torch.testing.assert_close(*both, rtol=0, atol=1e-10)
    gradients = [torch.autograd.grad(y.sin().sum(), model.parameters(), allow_unused=True, materialize_grads=True) for y in both]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)
