"""Five memories: their changes are the distances between the states that the layer hands over, byte for byte."""

import pytest
import torch

from nlcore.viz.explorers.five_memories import LONGEST, MEMORIES, chart, compute, five_memories, reader


@torch.no_grad()
def test_a_change_is_the_distance_between_the_main_memories_before_and_after_the_byte():
    written = compute("to be", "first")
    states = [reader()(torch.tensor([list(b"to be"[:end])])).state[0].memory for end in range(1, 6)]
    held = [states[0].start, *(state.memory for state in states)]
    for t, (before, after) in enumerate(zip(held, held[1:])):
        squares = sum((new - old).square().flatten(3).sum(-1) for old, new in zip(before, after))
        assert squares.sqrt().mean().item() == pytest.approx(written.change[0, t], rel=1e-5)


def test_what_is_read_again_changes_the_main_memory_less_and_what_is_new_more():
    change = compute("a" * 23 + "b", "first").change[0]
    assert change[22] < 0.1 * change[0] and change[23] > 5 * change[22]


def test_a_letter_of_two_bytes_has_two_columns_with_names():
    written = compute("é!", "second")
    assert written.change.shape == (len(MEMORIES), 3) and written.letters == ("⟨C3⟩", "⟨A9⟩", "!")
    assert chart(written)[0].x_ticks == {0: "⟨C3⟩", 1: "⟨A9⟩", 2: "!"}


@pytest.mark.parametrize("sentence", ["", "x" * (LONGEST + 1)])
def test_a_sentence_of_no_byte_or_of_too_many_is_refused_with_its_number(sentence):
    with pytest.raises(ValueError, match=f"has {len(sentence)} bytes: type 1 to {LONGEST}"):
        compute(sentence, "first")


def test_the_view_reads_what_is_typed():
    explorer = five_memories()
    typed = explorer.answer(explorer.first | {"sentence": "my own"})
    assert typed[0]["xTicks"]["words"] == list("my own")
