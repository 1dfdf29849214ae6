"""Levels that learn in context: as a plain token loop does it, each sequence for itself, and carried from call to call."""

from dataclasses import replace
from itertools import chain

import pytest
import torch
import torch.nn.functional as F

from nlcore import probe
from nlcore.levels import Level
from nlcore.models import InnerLevel, frozen_memories, set_memory_rate, state_bytes, without
from nlcore.models.memories import leaves, rebuilt
from tests.models.reading import FORMS, KINDS, LENGTH, LEVELS, VOCABULARY, assert_is_the_loop, flat, loss_of, make, of_level, tokens


@pytest.mark.parametrize("kind, nested", FORMS)
def test_a_batch_is_the_plain_token_loop_one_by_one(kind, nested):
    model, x = make(kind, nested=nested), tokens()
    logits = assert_is_the_loop(model, x)
    assert (logits - model.model(x).logits).abs().max() > 0.1  # what is compared is no idle model


def test_a_nested_level_restarts_exactly_at_its_parents_period_and_its_start_moves_there_alone():
    """Periods 4, 8 and 16: a level learns when the token after its chunk is read, so one token is read at a time."""
    model, x, state, starts = make(nested=True), tokens(), None, {0: [], 1: []}
    for t in range(LENGTH):
        with torch.no_grad():
            state = model(x[:, t : t + 1], state).state
        for child, (own, parents) in enumerate(((4, 8), (8, 16))):
            way = flat(state.moved[child][: len(model.own[child])])
            assert bool(way.any()) == (t % parents >= own), (child, t)
            starts[child].append(flat(state.moved[child + 1][len(model.own[child + 1]) :]))
    for child, parents in ((0, 8), (1, 16)):
        changes = [t for t in range(1, LENGTH) if not torch.equal(starts[child][t], starts[child][t - 1])]
        assert changes == list(range(parents, LENGTH, parents)) and not starts[child][0].any()


@pytest.mark.parametrize("choices", [dict(order="slow first"), dict(continuum="head-wise"), dict(links="plain")])
def test_so_it_is_in_the_other_order_side_by_side_and_with_plain_links(choices):
    model, x = make(**choices), tokens(2)
    found = assert_is_the_loop(model, x)
    assert (found - make()(x).logits).abs().max() > 1e-2


@pytest.mark.parametrize("kind, nested", FORMS)
def test_a_model_that_is_frozen_learns_in_context_all_the_same(kind, nested):
    model, x = make(kind, nested=nested), tokens()
    found = model(x).logits
    model.requires_grad_(False)
    torch.testing.assert_close(model(x).logits, found, rtol=0, atol=1e-11)
    with torch.no_grad():
        torch.testing.assert_close(model(x).logits, found, rtol=0, atol=1e-11)
    with torch.inference_mode(), pytest.raises(ValueError, match="torch.inference_mode has none: use torch.no_grad"):
        model(x)


@pytest.mark.parametrize("kind, nested", FORMS)
def test_at_rate_zero_the_logits_are_those_of_the_model(kind, nested):
    model, x = make(kind, [replace(level, rate=0.0) for level in LEVELS], nested), tokens()
    torch.testing.assert_close(model(x).logits, model.model(x).logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("at", [0, 3, 4, 5, 8, 16, 21])
def test_causal(at, nested):
    """Also where a chunk ends: its loss needs the token after it, which its own logits must not know."""
    model, x = make(nested=nested), tokens(1)
    changed = x.clone()
    changed[:, at] = (changed[:, at] + 1) % VOCABULARY
    moved = (model(x).logits - model(changed).logits).abs().amax((0, 2))
    assert not moved[:at].any() and moved[at] > 0 and moved[at + 4 :].min() > 0


def test_a_chunk_is_read_with_the_weights_it_began_with():
    fast, x = make(levels=[InnerLevel("cms-3", 8, 5.0)]), tokens()
    apart = (fast(x).logits - fast.model(x).logits).abs().amax((0, 2))
    assert apart[:8].max() < 1e-12 and apart[8:].min() > 1e-3


@pytest.mark.parametrize("kind, nested", FORMS)
def test_two_calls_equal_one_wherever_the_cut_and_through_a_file(kind, nested, tmp_path):
    model, x = make(kind, nested=nested), tokens()
    with torch.no_grad():
        whole = model(x)
        for cut in range(1, LENGTH, 3):
            first = model(x[:, :cut])
            kept = model.detach(first.state)
            torch.save(leaves(kept), tmp_path / "state")
            loaded = rebuilt(kept, iter(torch.load(tmp_path / "state", weights_only=True)))
            second = model(x[:, cut:], model.attach(loaded))
            again = torch.cat([first.logits, second.logits], 1)
            torch.testing.assert_close(again, whole.logits, rtol=0, atol=1e-11)
            for one, other in zip(leaves(second.state), leaves(whole.state), strict=True):
                torch.testing.assert_close(one, other, rtol=0, atol=1e-10)  # sums over 39 tokens, as each machine takes them


def test_what_moved_goes_along_with_a_start_that_the_outer_step_moves():
    model, x = make(nested=True), tokens()
    kept = model.detach(model(x).state)
    assert not any(leaf.requires_grad for leaf in leaves(kept) if torch.is_tensor(leaf))
    before = model._weights(kept.moved)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.01)
    after = model._weights(model.attach(kept).moved)
    for old, new in zip(chain(*before), chain(*after), strict=True):
        torch.testing.assert_close(new, old + 0.01, rtol=0, atol=1e-12)


def test_levels_step_at_their_periods_and_the_report_says_so():
    model, x = make(), tokens()
    with probe.listen():
        report = model(x).reports["continuum"]
    assert model(x).reports == {}
    shapes, steps = {name: tuple(values.shape) for name, values in report.items()}, {"cms-3": 9, "cms-2": 4, "cms-1": 2}
    of_steps = {f"{what}/{name} in context": (n, 3) for name, n in steps.items() for what in ("update", "norm")}
    assert shapes == {"loss": (3, 9)} | of_steps
    weights = model._weights(model(x[:, :33]).state.moved)  # after the second step of cms-1
    norm = flat(w[0] for w in weights[2]).norm()
    torch.testing.assert_close(report["norm/cms-1 in context"][1, 0], norm, rtol=1e-10, atol=0)
    logits = model(x[:, :4]).logits
    first = F.cross_entropy(logits.mT, x[:, 1:5], reduction="none").mean(1)
    torch.testing.assert_close(report["loss"][:, 0], first, rtol=0, atol=1e-12)
    for level in LEVELS:  # no sequence steps further than its clip lets it, and here all are clipped or all are not
        assert report[f"update/{level.name} in context"].max() <= level.rate * level.clip


def test_reports_of_the_models_own_memories_are_those_of_one_call():
    """Where their chunks end with those of the levels, and the levels do not move."""
    model, x = make("hope", [replace(level, rate=0.0) for level in LEVELS]), tokens()
    with probe.listen():
        found, expected = model(x).reports, model.model(x).reports
    assert found.keys() == expected.keys() | {"continuum"}
    for block, report in expected.items():
        for name, values in report.items():
            torch.testing.assert_close(found[block][name], values, rtol=1e-5, atol=1e-6)


def test_one_sequences_clip_is_not_anothers():
    model, x = make(levels=[InnerLevel("cms-3", 8, 1.0, clip=0.05)]), tokens()
    with probe.listen():
        norms = model(x).reports["continuum"]["update/cms-3 in context"]
    torch.testing.assert_close(norms, torch.full_like(norms, 0.05), rtol=1e-3, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_it_reads(kind):
    """A text that says the same again: at rate zero a model that was never trained reads it as badly the last time."""
    x, ends = tokens(3, 8, seed=5).repeat(1, 24), {}
    for rate in (0.0, 1.0):
        levels = [InnerLevel("cms-3", 8, rate), InnerLevel("cms-2", 16, rate)]
        with probe.listen(), torch.no_grad():
            losses = make(kind, levels)(x).reports["continuum"]["loss"]
        ends[rate] = losses[:, -3:].mean(1)
    assert (ends[1.0] < ends[0.0] - 0.3).all()  # in nats, of 2.6 at the start


def test_rates_are_warmed_up_over_outer_steps():
    levels = [replace(LEVELS[0], warm_up=9, clip=float("inf"))]
    model, x = make(levels=levels), tokens(length=6)
    whole = flat(model(x).state.moved[0])
    for step, share in ((1, 0.1), (4, 0.4), (10, 1.0), (1000, 1.0), (None, 1.0)):
        model.at_step(step)
        torch.testing.assert_close(flat(model(x).state.moved[0]), share * whole, rtol=1e-10, atol=0)


def test_rates_are_steered_as_those_of_other_memories():
    model, x = make("hope"), tokens()
    whole = model(x).logits
    with frozen_memories(model), frozen_memories(model.model):
        still = model(x).logits
        torch.testing.assert_close(still, model.model(x).logits, rtol=0, atol=1e-12)
    set_memory_rate(model, 0.5)
    assert not torch.allclose(model(x).logits, whole)
    set_memory_rate(model, 1.0)
    with without(model, "cms-3 in context"):
        left = model(x)
        assert not any(way.any() for way in left.state.moved[0]) and any(way.any() for way in left.state.moved[1])
    assert torch.equal(model(x).logits, whole) and not torch.allclose(left.logits, whole)


def test_a_level_whose_answer_is_left_out_learns_nothing():
    model, x = make(), tokens()
    with without(model, "cms-3"):
        left = model(x)
    assert not any(way.any() for way in left.state.moved[0]) and any(way.any() for way in left.state.moved[1])


def test_levels_and_owners():
    model = make("hope", nested=True)
    tokens_of = [("cms-3 in context", 4), ("memory", 4), ("cms-2 in context", 8), ("projections", 8)]
    tokens_of += [("cms-1 in context", 16)]
    steps_of = [("weights", 1), ("cms-3", 1), ("cms-2", 4), ("cms-1", 16)]
    expected = [Level(n, p, "tokens") for n, p in tokens_of] + [Level(n, p, "steps") for n, p in steps_of]
    assert list(model.levels()) == expected
    assert {model.level_of(name) for name, _ in model.named_parameters()} == {"weights", "cms-3", "cms-2", "cms-1"}


def test_greedy_generation_is_the_argmax_of_the_whole_text():
    model, x = make(), tokens(2, 5)
    made = model.generate(x, 14, temperature=0)
    assert torch.equal(made[:, :5], x) and torch.equal(made[:, 5:], model(made).logits[:, 4:-1].argmax(-1))


@pytest.mark.parametrize("nested", [False, True])
def test_bytes_of_a_sequence(nested):
    """Float64: way and gradients of each level's weights, and of the starts that it holds; beside them the model's."""
    model = make(nested=nested)
    size = 8 * sum(p.numel() for p in of_level(model.model, "cms-3"))
    lines, held = model.summary().splitlines(), (1, 2, 2) if nested else (1, 1, 1)
    assert lines[0].startswith("cms-3   learns every 4 tokens, rate 0.9, clip 1: ")
    assert [line.rpartition(": ")[2] for line in lines] == [f"{2 * size * n:,} bytes a sequence" for n in held]
    state = model(tokens(length=17)).state  # one token into a chunk: 16 and 17 tokens of keys and values in each block
    assert state_bytes(model, state) == 2 * size * sum(held) + 2 * 2 * (16 + 17) * 16 * 8 + 8


def test_bfloat16_under_autocast_trains():
    model, x = make("hope", [replace(level, rate=0.05) for level in LEVELS]).float(), tokens()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(x)
    loss_of(output.logits.float(), x).backward()
    assert all(way.dtype == torch.float32 and way.isfinite().all() for level in output.state.moved for way in level)
    assert all(p.grad.isfinite().all() for p in model.parameters())
    exact = model(x).logits
    assert (output.logits - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize(
    "levels, sentence",
    [
        ([], "no level was given: name at least one"),
        ([LEVELS[0], LEVELS[0]], "the levels are cms-3, cms-3: name each once"),
        ([InnerLevel("cms-9", 4, 0.1)], "there is no level 'cms-9' that could learn in context: see model.levels"),
        ([LEVELS[0], InnerLevel("cms-2", 10, 0.1)], "cms-2 learns every 10 tokens and cms-3 every 4: let each period"),
    ],
)
def test_levels_that_cannot_be_are_one_sentence(levels, sentence):
    with pytest.raises(ValueError, match=sentence):
        make(levels=levels)


@pytest.mark.parametrize(
    "choice, sentence",
    [
        (dict(period=0), "the period of cms-3 is 0: give a whole number of tokens"),
        (dict(period=2.5), "the period of cms-3 is 2.5"),
        (dict(rate=-1.0), "the rate of cms-3 is -1.0: give a number, 0 or more"),
        (dict(rate=float("nan")), "the rate of cms-3 is nan"),
        (dict(clip=0.0), "the clip of cms-3 is 0.0: give a number above 0"),
        (dict(warm_up=-1), "the warm-up of cms-3 is -1: give a number of outer steps"),
    ],
)
def test_numbers_that_cannot_be_are_one_sentence(choice, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(LEVELS[0], **choice)


def test_a_model_without_a_continuum_and_bad_tokens_get_one_sentence():
    with pytest.raises(ValueError, match="no level 'cms-3' that could learn in context"):
        make("transformer")
    model = make()
    for bad, sentence in ((tokens()[0], "at least one token"), (tokens().double(), "give whole numbers"),
                          (tokens() + VOCABULARY, "the model knows 0 to 12"), (tokens(length=0), "at least one token")):
        with pytest.raises(ValueError, match=sentence):
            model(bad)
    with pytest.raises(ValueError, match="the state is that of 3 sequences, and 2 came"):
        model(tokens(2), model(tokens()).state)
