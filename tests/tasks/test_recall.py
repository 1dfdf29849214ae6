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


@pytest.mark.parametrize(("pairs", "symbols", "gap"), [(1, 1, 0), (4, 64, 0), (64, 64, 0), (7, 9, 5)])
def test_a_lookup_that_reads_from_left_to_right_answers_everything(pairs, symbols, gap):
    """A dictionary of who came before whom: an answer needs what was read by then, and nothing else."""
    task = Recall(pairs, symbols, gap)
    tokens, targets = task.batch(16, torch.Generator().manual_seed(3))
    assert tokens.shape == (16, 4 * pairs + gap)
    logits = torch.zeros(*tokens.shape, task.vocabulary)
    for row, sequence in enumerate(tokens.tolist()):
        after: dict[int, int] = {}
        for t, token in enumerate(sequence):
            if token in after:
                logits[row, t, after[token]] = 1
            if t and sequence[t - 1] < symbols <= token < 2 * symbols:
                after[sequence[t - 1]] = token
    assert task.accuracy(logits, targets) == 1
    assert (targets != IGNORE).sum() == 16 * pairs
    assert all(len(set(sequence[: 2 * pairs])) == 2 * pairs for sequence in tokens.tolist())


def test_texts_are_those_of_their_seed_and_the_order_of_questions_is_not_that_of_the_pairs():
    task = Recall(pairs=16, symbols=16, gap=0)
    one, same, other = (task.batch(32, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(one, same) and not (one == other).all(1).any()
    stored, asked = one[:, 0:32:2], one[:, 32::2]
    places = (asked[:, :, None] == stored[:, None]).int().argmax(-1)
    share = (places == torch.arange(16)).float().mean()
    assert 0.03 < share < 0.1  # 1/16 by chance


@pytest.mark.parametrize(("sizes", "sentence"), [
    (dict(pairs=17, symbols=16), "17 pairs of 16 symbols: give at least 1, and no more"),
    (dict(pairs=0), "0 pairs of 16 symbols"),
    (dict(gap=-1), "the gap is -1 tokens: give 0 or more"),
])  # fmt: skip
def test_what_makes_no_text_gets_one_sentence(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recall(**sizes)


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
