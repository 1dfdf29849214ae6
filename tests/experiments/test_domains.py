"""The stream of domains: arms differ in what they say, and figures are what they are called."""

import copy
import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import cosine_similarity

from nlcore import tasks
from nlcore.models import parameter_count
from nlcore.optim import LevelOptimizer
from nlcore.tasks import Corpus, Document
from nlcore.train import parts

from experiments import by_level, domains, domains_more, language, stream
from experiments.domains import EXPERIMENT, configuration, configure, in_numbers, learn, made, run
from experiments.experiment import introduction

ARMS = {arm.name: arm.settings for arm in (*EXPERIMENT.arms, *domains_more.EXPERIMENT.arms)}
SMALL = dict(dim=72, depth=1, heads=2, context=16, batch=2, steps=4 * 16, data="four-small-domains")
LETTERS = dict(zip(sorted(stream.ORDERS[0]), (b"abc", b"defg", b"hij", b"klmn")))
"""Each domain of a small corpus has letters of its own."""
MLP, PERIODS, ALIKE, FASTER, SLOWER = (arm.name for arm in EXPERIMENT.arms)


def text(letters, length, seed):
    drawn = torch.randint(len(letters), (length,), generator=torch.Generator().manual_seed(seed))
    return bytes(letters[i] for i in drawn.tolist())


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A corpus of four domains, whose hash nobody keeps; measures of it are made short."""
    language._hash.cache_clear()
    found = [tuple(Document(name, "one", text(letters, length, seed)) for name, letters in LETTERS.items())
             for seed, length in enumerate((2000, 200))]  # fmt: skip
    corpus = Corpus("small", *found, {name: {} for name in LETTERS})
    monkeypatch.setattr(tasks, "load", lambda spec: corpus)
    monkeypatch.setattr(domains, "WINDOWS", 8)
    monkeypatch.setattr(domains, "FEW", 4)
    yield
    language._hash.cache_clear()


def here(name, **choices):
    return ARMS[name] | SMALL | choices


def test_orders_are_balanced():
    """Each domain once at each place, once right after each other one."""
    assert all(set(order) == set(tasks.corpus.DOMAINS) for order in stream.ORDERS)
    assert all(len(set(place)) == 4 for place in zip(*stream.ORDERS))
    assert set(Counter(pair for order in stream.ORDERS for pair in pairwise(order)).values()) == {1}


def test_a_stream_shows_one_domain_after_the_other_and_holds_out_text_of_each():
    found = stream.of(configure(here(MLP), 1e-3, 1))
    assert tuple(found.domains) == stream.ORDERS[1] and found.steps == 16
    for domain, letters in LETTERS.items():
        batches = list(found.batches(domain))
        assert len(batches) == 16 and all(inputs.shape == (2, 16) for inputs, _ in batches)
        assert {letter for inputs, _ in batches for letter in inputs.flatten().tolist()} == set(letters)
        again = [inputs for inputs, _ in found.batches(domain)]
        assert all(torch.equal(one, other) for one, (other, _) in zip(again, batches))
        inputs, _ = next(found.held_out(domain).windows(4))
        assert set(inputs.flatten().tolist()) == set(letters)
        assert bytes(inputs[0].tolist()) not in text(letters, 2000, 0)


def test_arms_have_equal_matrices_and_the_same_text():
    """What is left are the gains of the norms that stand before each further link."""
    sizes = {}
    for name, settings in ARMS.items():
        config = configure(settings, 1e-3, 0)
        with torch.device("meta"):
            model = parts.built(config, 256)
        own = configuration(settings, 1e-3, 0)["config"]["preset"]
        sizes[name] = (sum(p.numel() for p in model.parameters() if p.dim() > 1), own["steps"], own["batch"], own["context"])
        assert parameter_count(model) - sizes[name][0] == 72 * (1 + 2 * (1 + len(config.preset.periods)))
        assert own["steps"] % (4 * math.lcm(*config.preset.periods)) == 0
    assert set(sizes.values()) == {(142848, 2560, 4, 256)}


def test_the_arms_are_told_apart_and_differ_in_what_they_name_alone():
    keys = {str(configuration(settings, *of)) for settings in ARMS.values() for of in ((1, 0), (1, 1), (2, 0), (2, 1))}
    assert len(keys) == 4 * len(ARMS)
    named = {"periods", "rate_power", "scales", "in_context"}
    rest = [{name: x for name, x in settings.items() if name not in named} for settings in ARMS.values()]
    assert all(each == rest[0] for each in rest)


def rates(name, monkeypatch):
    """The sum of the rates of a level's firings, and their number, over a stream."""
    sums, counts = Counter(), Counter()
    fire = LevelOptimizer._fire

    def counted(self, level, lr):
        sums[level] += lr
        counts[level] += 1
        fire(self, level, lr)

    monkeypatch.setattr(LevelOptimizer, "_fire", counted)
    figures = run(here(name), 1e-3, 0, None)
    monkeypatch.setattr(LevelOptimizer, "_fire", fire)
    assert figures["firings"] == counts and figures["slow_kilofirings"] == min(counts.values()) / 1000
    return sums, counts


def test_sums_of_rates_are_those_that_the_controls_promise(monkeypatch):
    """One control has the fast level's sum on all levels; the other, at period 1, those of the periods."""
    (slow, often), (one, _), (faster, fired), (slower, each) = (
        rates(name, monkeypatch) for name in (PERIODS, ALIKE, FASTER, SLOWER)
    )
    fast = slow["cms-3"]
    assert fast == pytest.approx(sum(min(1, step / domains.WARM_UP) for step in range(1, 65)) * 1e-3)
    assert dict(slow) == pytest.approx({"weights": fast, "cms-3": fast, "cms-2": fast / 4, "cms-1": fast / 16})
    assert all(dict(equal) == pytest.approx(dict.fromkeys(slow, fast)) for equal in (one, faster))
    assert dict(slower) == pytest.approx(dict(slow))
    assert often == fired == {"weights": 64, "cms-3": 64, "cms-2": 16, "cms-1": 4}
    assert set(each.values()) == {64}


def test_arms_of_three_levels_begin_alike():
    models = [made(here(name), configure(here(name), 1e-3, 2)).model for name in (PERIODS, ALIKE, FASTER, SLOWER)]
    first, *others = (model.state_dict() for model in models)
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)


def test_figures_of_a_matrix():
    found = in_numbers([[2, 5, 6, 7], [3, 1, 6, 6], [5, 2, 2, 6], [4, 4, 3, 1]])
    assert found == {"final_mean": 3, "learnt": 1.5, "forgotten": pytest.approx((2 + 3 + 1) / 3)}


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_runs_and_gives_what_the_table_asks_for(name):
    found = run(here(name), 1e-2, 0, None)
    assert EXPERIMENT.columns.keys() | {"final_mean", "matrix", "gained", "firings", "seconds"} <= found.keys()
    assert found["order"] == list(stream.ORDERS[0]) and found["steps"] == 64 and found["tokens"] == 64 * 2 * 16
    assert [len(row) for row in found["matrix"]] == [4] * 4 and found["final_mean"] > 0
    assert (found["cosine_learnt"] is None) == (found["cosine_added"] is None) == (name == MLP)
    assert found["gained"].keys() == found["firings"].keys()


def test_each_domain_is_learnt_while_it_lasts_and_what_was_gained_is_credited():
    """Before its turn a text of four letters costs more than twice what a coin of four sides does."""
    found = run(here(MLP, steps=4 * 40), 1e-2, 0, None)
    order, bits = found["order"], found["matrix"]
    for i in range(4):
        assert bits[i][i] < 1.3 * math.log2(len(LETTERS[order[i]]))
        assert all(bits[j][i] > 2 * bits[i][i] for j in range(i))
    assert sum(gains[3] for gains in found["gained"].values()) > 1


def test_a_run_is_decided_by_its_configuration_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    one, same, other = (run(here(PERIODS), 1e-3, seed, None) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert one["matrix"] == same["matrix"] != other["matrix"] and other["order"] == list(stream.ORDERS[1])


def test_a_run_that_diverges_has_no_score():
    found = run(here(PERIODS, scales={"weights": math.inf}), 1e-3, 0, None)
    assert found["final_mean"] is None and found["matrix"][-1] is None


@pytest.fixture
def taught():
    """A model in float64 with three levels, its parameters of before its last steps, and two texts."""
    settings = here(PERIODS, depth=2)
    config = configure(settings, 1e-2, 0)
    learner, text = made(settings, config), stream.of(config)
    learner.model.double()
    before = copy.deepcopy(learner.model.state_dict())
    learn(learner, text.batches("python"), 1e-2, 0)
    return learner.model, before, {name: next(text.held_out(name).windows(4)) for name in ("python", "english")}


@torch.no_grad()
def test_what_a_level_learnt_is_what_is_lost_when_it_is_put_back(taught):
    """Against a second model into which the old parameters are copied."""
    model, before, texts = taught
    found = by_level.learnt_since(model, before, texts)
    changed = {}
    for level in ("weights", "cms-3", "cms-2", "cms-1"):
        other = copy.deepcopy(model)
        for key, parameter in other.named_parameters():
            if (level in key) if level != "weights" else ("cms-" not in key):
                parameter.copy_(before[key])
        for index, (inputs, targets) in enumerate(texts.values()):
            now, then = model(inputs).logits.softmax(-1), other(inputs).logits.softmax(-1)
            asked = [probabilities.gather(-1, targets[..., None]).log2().mean().item() for probabilities in (now, then)]
            assert found["gained"][level][index] == pytest.approx(asked[0] - asked[1], abs=1e-12)
            changed[level, index] = (now - then).flatten()
    expected = [changed["cms-3", i] @ changed["cms-1", i] / (changed["cms-3", i].norm() * changed["cms-1", i].norm())
                for i in range(2)]  # fmt: skip
    assert found["cosine_learnt"] == pytest.approx(torch.stack(expected).mean().item(), abs=1e-12)
    assert all(torch.equal(model.state_dict()[key], own) for key, own in copy.deepcopy(model).state_dict().items())


@torch.no_grad()
def test_a_level_that_learnt_nothing_gained_nothing(taught):
    model, before, texts = taught
    still = {key: old if "cms-3" in key else model.state_dict()[key].clone() for key, old in before.items()}
    found = by_level.learnt_since(model, still, texts)["gained"]
    assert found["cms-1"] == found["cms-2"] == found["weights"] == [0, 0] != found["cms-3"]


@torch.no_grad()
def test_what_links_add_is_compared_token_by_token(taught):
    """Against the blocks, gone through by hand."""
    model, _, texts = taught
    cosines = []
    for inputs, _ in texts.values():
        x = model.embedding(inputs)
        for block in model.blocks:
            x = x + block.mixer(block.norm(x), None)[0]
            adds = {}
            for name in ("cms-3", "cms-2", "cms-1"):
                adds[name] = block.channel.levels[name](x) - x
                x = x + adds[name]
            cosines.append(cosine_similarity(adds["cms-3"], adds["cms-1"], dim=-1).mean())
    assert by_level.cosine_added(model, texts) == pytest.approx(torch.stack(cosines).mean().item(), abs=1e-12)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_level_in_context_learns_while_it_reads():
    """The reader's answers differ from the model's once a chunk is over, and the parameters are the optimizer's."""
    name = list(ARMS)[-1]
    settings = here(name, in_context=(("cms-3", 4, 1.0),))
    learner = made(settings, configure(settings, 1e-3, 0))
    tokens = torch.randint(97, 100, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain, reading = learner.model(tokens).logits, learner.reader(tokens).logits
    assert torch.allclose(plain[:, :4], reading[:, :4], atol=1e-6) and not torch.allclose(plain[:, 4:], reading[:, 4:])
    ours = {id(p) for level in learner.optimizer.optimizers for p in learner.optimizer.parameters(level)}
    assert ours == {id(p) for p in learner.reader.parameters()}


def test_a_tiny_copy_runs_from_its_tuning_to_its_table(go):
    arms = tuple(replace(arm, settings=arm.settings | SMALL | dict(steps=16)) for arm in EXPERIMENT.arms[:2])
    found = go(replace(EXPERIMENT, arms=arms, rates=(5e-3, 1e-2)))
    assert [row["arm"] for row in found.rows] == [MLP, PERIODS]
    assert all(len(row["scores"]) == 3 and row["low"] <= row["mean"] <= row["high"] for row in found.rows)
    assert "forgotten" in found.text() and found.corpus


def test_the_experiment_stays_within_its_minutes():
    assert "25 runs in all" in introduction(EXPERIMENT, 2)
    assert 6 * sum(arm.minutes for arm in EXPERIMENT.arms) <= 60
