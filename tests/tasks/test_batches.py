"""Windows: every token seen, nothing twice, and exactly the same after a resume."""

import itertools

import numpy as np
import pytest
import torch

from nlcore.tasks.batches import Batches, sequential
from nlcore.tasks.corpus import DataError

TOKENS = np.arange(1000, dtype=np.uint16)


def starts(batches: Batches, count: int) -> list[int]:
    return [int(start) for _ in range(count) for start in batches.next()[0][:, 0]]


@pytest.mark.parametrize("tokens", [TOKENS, torch.arange(1000), (TOKENS % 256).astype(np.uint8)])
def test_targets_are_the_inputs_moved_on_by_one(tokens):
    inputs, targets = Batches(tokens, batch=3, context=8, seed=1).next()
    assert inputs.shape == targets.shape == (3, 8)
    assert inputs.dtype == targets.dtype == torch.int64
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert torch.equal(targets, (inputs + 1) % (256 if tokens.dtype == np.uint8 else 1000))


def test_windows_of_an_epoch_do_not_overlap_and_cover_the_text():
    batches = Batches(TOKENS, batch=1, context=10, seed=3)
    for _ in range(3):
        epoch = sorted(starts(batches, len(batches.starts)))
        assert np.all(np.diff(epoch) == 10)
        assert epoch[0] < 10 and epoch[-1] + 10 > 1000 - 1 - 10


def test_each_epoch_has_its_own_order_and_offset():
    batches = Batches(TOKENS, batch=1, context=50, seed=0)
    epochs = [starts(batches, len(batches.starts)) for _ in range(8)]
    assert len({tuple(epoch) for epoch in epochs}) == 8
    assert len({min(epoch) for epoch in epochs}) > 3
    assert any(epoch != sorted(epoch) for epoch in epochs)


def test_the_seed_fixes_everything():
    assert starts(Batches(TOKENS, 4, 16, seed=5), 40) == starts(Batches(TOKENS, 4, 16, seed=5), 40)
    assert starts(Batches(TOKENS, 4, 16, seed=5), 40) != starts(Batches(TOKENS, 4, 16, seed=6), 40)


@pytest.mark.parametrize("done", [0, 1, 14, 15, 16, 31, 100])
def test_resume_is_exact_anywhere(done):
    batches = Batches(TOKENS, batch=4, context=16, seed=7)
    starts(batches, done)
    state = batches.state_dict()
    resumed = Batches(TOKENS, batch=4, context=16, seed=0)
    resumed.load_state_dict(state)
    assert starts(resumed, 40) == starts(batches, 40)
    assert all(type(value) is int for name, value in state.items() if name != "rows") and state["rows"] == {}


def test_without_carry_the_order_is_the_one_it_always_was():
    """Recorded before there was a carry: stored runs go on with it."""
    batches = Batches(TOKENS, batch=4, context=16, seed=7)
    recorded = {0: [863, 175, 831, 959], 4: [591, 975, 799, 463], 12: [479, 623, 783, 383], 16: [525, 285, 61, 589]}
    drawn = [batches.next()[0][:, 0].tolist() for _ in range(17)]
    assert {index: drawn[index] for index in recorded} == recorded
    assert batches.state_dict() == {"seed": 7, "epoch": 1, "position": 7, "taken": 17, "rows": {}}


@pytest.mark.parametrize("carry", [1, 3])
def test_each_row_of_a_lane_goes_through_its_span(carry):
    batches, spans, whole = Batches(TOKENS, batch=3, context=8, seed=1, carry=carry), {}, 0
    for _ in range(20 * (carry + 1)):
        lane, piece = batches.lane, batches.piece
        inputs, targets = batches.next()
        assert inputs.shape == (3, 8) and torch.equal(targets, inputs + 1)
        span = [] if piece == 0 else spans.pop(lane, [])
        assert not span or torch.equal(inputs[:, 0], span[-1][:, -1] + 1)
        spans[lane] = [*span, inputs]
        whole += len(spans[lane]) == carry + 1
    assert whole > 15 and spans.keys() == set(range(carry + 1))


@pytest.mark.parametrize("carry", [1, 3])
def test_lanes_take_turns_at_all_windows_of_their_spans(carry):
    """In every round one lane begins, once in a span, and batches that follow each other are of other spans."""
    batches, count = Batches(TOKENS, batch=1, context=8, seed=1, carry=carry), carry + 1
    rounds, begun = [], []
    for _ in range(3 * count):
        places = []
        for lane in range(count):
            assert batches.lane == lane
            places.append(batches.piece)
            begun.append(int(batches.next()[0][0, 0]) - 8 * places[-1])
        rounds.append(places)
    assert all(sorted(places) == list(range(count)) for places in rounds)
    assert all((b - a) % count == 1 for one, next_ in zip(rounds, rounds[1:]) for a, b in zip(one, next_))
    assert all(one != other for one, other in zip(begun, begun[1:]))


@pytest.mark.parametrize(("batch", "pieces"), [(64, [0, 1, 2, 3, 0]), (40, [0, 1, 2, 3, 0]), (32, [0, 2, 1, 3, 2]),
                                                (20, [0, 1, 2, 1, 2]), (16, [0, 1, 2, 3, 1])])  # fmt: skip
def test_there_are_no_more_lanes_than_it_takes(batch, pieces):
    """Each lane goes on through its spans, whatever their number."""
    batches, found, ends = Batches(TOKENS, batch=batch, context=8, seed=1, carry=3), [], {}
    for _ in range(24):
        lane, piece = batches.lane, batches.piece
        inputs, _ = batches.next()
        assert piece == 0 or lane not in ends or torch.equal(inputs[:, 0], ends[lane])
        found.append(piece)
        ends[lane] = inputs[:, -1] + 1
    assert found[:5] == pieces and batches.lanes == max(1, 64 // batch) == len(ends)


def test_with_carry_too_an_epoch_covers_the_text_and_nothing_twice():
    batches = Batches(TOKENS, batch=1, context=10, seed=3, carry=4)
    for epoch in range(5):
        spans = sorted(batches._start() for _ in range(len(batches.starts)))
        assert batches.epoch == epoch and np.all(np.diff(spans) == 50) and spans[0] < 50 and spans[-1] + 50 > 1000 - 1 - 50
    seen, count = np.zeros(1000, int), 4000
    for _ in range(count):
        seen[batches.next()[0]] += 1
    middle = seen[50:-51]  # both ends stand in a part of the epochs only
    assert middle.min() > 0.8 * middle.mean() and middle.max() < 1.2 * middle.mean()


@pytest.mark.parametrize("done", [1, 2, 3, 9, 11, 12, 13, 47, 48, 50])
def test_resume_is_exact_in_the_middle_of_spans_and_over_the_end_of_an_epoch(done):
    batches = Batches(TOKENS, batch=4, context=16, seed=7, carry=2)
    starts(batches, done)
    state = batches.state_dict()
    assert 1 <= len(state["rows"]) <= 3
    resumed = Batches(TOKENS, batch=4, context=16, carry=2)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert starts(resumed, 40) == starts(batches, 40)


@pytest.mark.parametrize("length", [9, 10, 15])
def test_a_text_of_hardly_a_window_fills_any_batch(length):
    batches = Batches(TOKENS[:length], batch=5, context=8, seed=0)
    for _, (inputs, targets) in zip(range(20), batches):
        assert inputs.shape == (5, 8) and int(targets.max()) < length


@pytest.mark.parametrize("length", [9, 10, 16, 17, 18, 24, 25, 100, 101])
@pytest.mark.parametrize("batch", [1, 3])
def test_in_order_every_token_but_the_first_is_a_target_once(length, batch):
    batches = list(sequential(TOKENS[:length], batch, context=8))
    assert torch.cat([targets.flatten() for _, targets in batches]).tolist() == list(range(1, length))
    assert torch.cat([inputs.flatten() for inputs, _ in batches]).tolist() == list(range(length - 1))
    assert all(inputs.shape[0] <= batch and inputs.shape[1] <= 8 for inputs, _ in batches)


def test_fewer_windows_are_whole_and_spread_over_the_text():
    rows = torch.cat([inputs for inputs, _ in sequential(TOKENS, batch=4, context=10, windows=9)])
    assert rows.shape == (9, 10)
    assert rows[0, 0] == 0 and rows[-1, 0] > 850
    assert set(np.diff(rows[:, 0])) == {110}


@pytest.mark.parametrize("windows", [12, 13, 1000])
def test_as_many_windows_as_there_are_is_everything(windows):
    tokens = TOKENS[:100]
    assert sum(targets.numel() for _, targets in sequential(tokens, 5, 8, windows=windows)) == 99


def test_memory_maps_are_not_read_whole(tmp_path):
    path = tmp_path / "tokens.bin"
    path.write_bytes(TOKENS.tobytes())
    mapped = np.memmap(path, np.uint16, mode="r")
    batches = Batches(mapped, batch=2, context=8, seed=0)
    assert np.shares_memory(batches.tokens, mapped)
    assert starts(batches, 5) == starts(Batches(TOKENS, 2, 8, seed=0), 5)


@pytest.mark.parametrize("length", [0, 1, 8])
def test_a_text_shorter_than_a_window_is_refused(length):
    sentence = f"text has {length} tokens, and one window needs 9: give more text" + (", or .* 7" if length == 8 else r"\.$")
    with pytest.raises(DataError, match=sentence):
        Batches(TOKENS[:length], batch=2, context=8)
    with pytest.raises(DataError, match=sentence):
        list(itertools.islice(sequential(TOKENS[:length], batch=2, context=8), 1))


@pytest.mark.parametrize(
    ("length", "advice"),
    [(24, "give more text, or a context of at most 7, or a smaller carry."), (8, "a context of at most 2."), (3, "text.")],
)
def test_a_text_shorter_than_a_span_is_refused(length, advice):
    with pytest.raises(DataError) as caught:
        Batches(TOKENS[:length], batch=2, context=8, carry=2)
    sentence = str(caught.value)
    assert sentence.startswith(f"The training text has {length} tokens, and 3 windows in a row need 25: give more text")
    assert sentence.endswith(advice)
    assert Batches(TOKENS[:25], batch=2, context=8, carry=2).next()[0].shape == (2, 8)
