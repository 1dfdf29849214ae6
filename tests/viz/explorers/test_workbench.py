"""The workbench: rules against the course's memories, nests against a loop over them, snippets that rebuild."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates
from nlcore.viz.explorers.workbench import (
    GETS, NEVER, RULES, STREAMS, WIDTH, WORDS, Block, Nest, compute, snippet, stream, workbench,
)  # fmt: skip

OBJECTIVES = {"sum": DotProduct(), "delta": L2()}
ONE = torch.ones((), dtype=torch.float64)


def by_memories(blocks, k, v):
    """Recall of each token before it is written: two blocks, one draw, written with `AssociativeMemory`."""
    kinds = [AssociativeMemory(Linear(WIDTH, WIDTH), OBJECTIVES[b.rule], GradientDescent(), Decay()) for b in blocks]
    states = [kind.start((), (torch.zeros(WIDTH, WIDTH, dtype=torch.float64),)) for kind in kinds]
    gets, recall = blocks[0].gets, []

    def reads(i, q):
        return kinds[i].read(states[i], q)

    for t, (key, value) in enumerate(zip(k, v)):
        shares = {"nothing": (1, 0), "start": (1, 0), "answer": (0.5, 0.5), "context": (1, 1)}[gets]
        answer = shares[0] * reads(0, key) + shares[1] * reads(1, key)
        recall.append(F.cosine_similarity(answer, value, dim=0, eps=1e-12).item())
        due = [block.period != NEVER and (t + 1) % block.period == 0 for block in blocks]
        for i, block in enumerate(blocks):
            for n, s in enumerate(range(t + 1 - block.period, t + 1) if due[i] else ()):
                target = v[s] - reads(1, k[s]) if i == 0 and gets == "context" else v[s]
                rates = Rates(ONE, ONE * (block.alpha if n == 0 else 1))
                states[i], _ = kinds[i].write(states[i], k[s], target, rates)
        if gets == "start" and due[1]:
            states[0] = kinds[0].start((), states[1].memory)
    return np.array(recall)


@pytest.mark.parametrize("gets", GETS)
@pytest.mark.parametrize("rules, periods", [
    (("delta", "delta"), (1, 12)), (("sum", "delta"), (2, 24)), (("delta", "sum"), (4, NEVER)),
])
def test_a_nest_is_the_plain_loop_over_memories(gets, rules, periods):
    blocks = tuple(Block(name, rule, period, alpha, get) for name, rule, period, alpha, get in
                   zip(("fast", "slow"), rules, periods, (0.8, 1.0), (gets, "nothing")))
    keys, values = (part[:1, :60] for part in stream(STREAMS[0]))
    k, v = (torch.from_numpy(part[0]) for part in (keys, values))
    np.testing.assert_allclose(Nest(blocks).run(keys, values).recall, by_memories(blocks, k, v), atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_a_write_of_the_courses_memory(rule):
    draw = torch.Generator().manual_seed(0)
    M, k, v = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((4, 4), (4,), (4,)))
    memory = AssociativeMemory(Linear(4, 4), OBJECTIVES[rule], GradientDescent(), Decay())
    state, _ = memory.write(memory.start((), (M,)), k, v, Rates(ONE, 0.7 * ONE))
    ours = 0.7 * M.numpy() + RULES[rule](M.numpy(), k.numpy(), v.numpy())
    np.testing.assert_allclose(ours, state.memory[0].numpy(), atol=1e-12)


def test_a_row_of_the_score_has_a_change_at_each_update_and_nowhere_else():
    run = compute(STREAMS[1], "delta", 4, 0.9, "sum", 24, "nothing: it is alone").run
    for row, period in zip(run.change, (4, 24)):
        assert (np.flatnonzero(np.isfinite(row)) + 1).tolist() == list(range(period, len(row) + 1, period))


def test_a_second_level_helps_one_that_forgets_and_not_one_that_need_not():
    get = "its context: what the slow one gets wrong"
    forgets = compute(STREAMS[0], "delta", 1, 0.8, "delta", 24, get)
    keeps = compute(STREAMS[0], "delta", 1, 1.0, "delta", 24, get)
    stale = compute(STREAMS[2], "delta", 1, 0.8, "delta", 24, get)
    means = [(found.run.recall.mean(), found.alone.recall.mean()) for found in (forgets, keeps, stale)]
    assert means[0][0] > means[0][1] + 0.05 and means[1][0] < means[1][1] - 0.02 and means[2][0] < means[2][1] - 0.04


def test_a_snippet_rebuilds_what_stands_on_the_bench():
    bench = workbench()
    for stop in (0, 3):
        bench.view.asked = {"number": 1, "at": bench.first | {"gets": stop, "slow_rule": stop % 2}}
        names: dict = {}
        exec(snippet(bench), names)
        found = compute(**bench.values(bench.view.asked["at"]))
        assert names["nest"] == found.nest and (names["run"].recall == found.run.recall).all()
        assert max(map(len, snippet(bench).splitlines())) <= 120


def test_a_nest_of_three_is_a_nested_system_of_three_levels():
    nest = Nest((Block("a", gets="answer"), Block("b", period=6, gets="context"), Block("c", period=24)))
    assert [[part.name for part in level] for level in nest.system.levels] == [["a"], ["b"], ["c"]]
    handed = [(t.source, t.target, t.kind) for t in nest.system.transfers]
    assert handed == [("b", "a", "parametric"), ("c", "b", "generation")]
    run = nest.run(*stream(STREAMS[1]))
    assert run.change.shape[0] == 3 and run.recall[-20:].mean() > 0.6


@pytest.mark.parametrize("make, says", [
    (lambda: Block("a", "Omega"), "a has the rule 'Omega'.*take one of sum, delta"),
    (lambda: Block("a", gets="money"), "gets 'money'"),
    (lambda: Block("a", period=-1), "a has the period -1.*whole number"),
    (lambda: Block("a", alpha=2.0), "alpha 2.0"),
    (lambda: Nest(()), "at least one block"),
    (lambda: Nest((Block("a", period=4), Block("b"))), r"periods are \[4, 1\].*fastest first"),
    (lambda: Nest((Block("a", gets="start"),)), "a is the slowest, and there is nobody to get its start of"),
    (lambda: stream("news"), "there is no stream 'news'"),
    (lambda: compute(STREAMS[0], "delta", 1, 1.0, "delta", 24, "love"), f"take one of {list(WORDS)[0]}"),
])
def test_bad_input_is_one_sentence(make, says):
    with pytest.raises(ValueError, match=says):
        make()
