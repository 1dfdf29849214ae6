"""The recall task, and what it is for: memories that write recall, the same model without writing does not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.tasks.recall import IGNORE, Recall


def test_every_question_has_its_answer_earlier():
    task = Recall(pairs=6, symbols=16, gap=16)
    tokens, targets = task.batch(8, torch.Generator().manual_seed(0))
    assert tokens.shape == targets.shape == (8, 40) and tokens.max() == task.vocabulary - 1
    for sequence, asked in zip(tokens.tolist(), targets.tolist()):
        stored = dict(zip(sequence[0:12:2], sequence[1:12:2]))
        assert len(stored) == 6
        questions = [t for t, answer in enumerate(asked) if answer != IGNORE]
        assert questions == list(range(28, 40, 2))
        assert all(asked[t] == stored[sequence[t]] == sequence[t + 1] for t in questions)


class Net(nn.Module):
    def __init__(self, vocabulary: int, dim: int = 64) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(vocabulary, dim), nn.RMSNorm(dim)
        self.memory = SelfModifyingTitans(dim, heads=2, hidden=32)
        self.head = nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, vocabulary))

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.head(x + self.memory(self.norm(x))[0])


@pytest.mark.parametrize("eta_scale", [1.0, 0.0])
def test_six_pairs_are_recalled_across_chunks_only_if_memories_write(eta_scale):
    torch.manual_seed(0)
    task, generator = Recall(pairs=6, symbols=16, gap=16), torch.Generator().manual_seed(0)
    net = Net(task.vocabulary)
    net.memory.eta_scale = eta_scale
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    for _ in range(260):
        tokens, targets = task.batch(48, generator)
        loss = F.cross_entropy(net(tokens).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        tokens, targets = task.batch(256, generator)
        accuracy = task.accuracy(net(tokens), targets)
    print(f"recall of 6 pairs, eta_scale {eta_scale}: {accuracy:.3f} (chance {1 / task.symbols:.3f})")
    assert accuracy > 0.6 if eta_scale else accuracy < 0.12
