"""docs/interoperability.md: its code runs, and the evaluation harness measures what the model itself says."""

import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F

from nlcore.train import attach, load, pretrained

ROOT = Path(__file__).parents[2]
STORED = ROOT / "nlcore" / "viz" / "static" / "replay"
PAGE = (ROOT / "docs" / "interoperability.md").read_text(encoding="utf-8")


def code(beginning: str) -> str:
    """The indented block of the page that begins so."""
    block = re.search(rf"^    {re.escape(beginning)}.*\n(?:(?:    .*)?\n)*", PAGE, re.MULTILINE)[0]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


def test_a_program_that_follows_a_run_gets_every_report(monkeypatch):
    stand_in, called = ModuleType("trackio"), []
    stand_in.init = lambda **given: called.append(("init", given))
    stand_in.log = lambda figures, step: called.append((step, figures))
    stand_in.finish = lambda: called.append(("finish", {}))
    monkeypatch.setitem(sys.modules, "trackio", stand_in)
    done = STORED / "tiny-hope"
    exec(code("import time\n").replace("runs/tiny-hope-1", str(done)), {})
    assert called[0] == ("init", {"project": "nested-learning", "name": "tiny-hope"}) and called[-1] == ("finish", {})
    reports = attach(done).metrics()
    assert len(reports) > 100 and [(step, figures["loss"]) for step, figures in called[1:-1]] == [(line["step"], line["loss"]) for line in reports]


def test_the_harness_measures_what_the_model_says(monkeypatch):
    lm_eval = pytest.importorskip("lm_eval")
    pytest.importorskip("accelerate")
    from lm_eval.tasks import TaskManager

    import nlcore.models.hugging_face  # noqa: F401

    monkeypatch.chdir(ROOT)
    given = {"pretrained": str(pretrained.find("tiny-hope")), "prefix_token_id": 10}
    tasks = re.search(r"--tasks (\S+)", PAGE)[1].split(",")
    manager = TaskManager(include_path="docs/lm_eval")
    found = lm_eval.simple_evaluate("hf", given, tasks=tasks, task_manager=manager, device="cpu", batch_size=4)["results"]
    model, tokenizer = load("tiny-hope")
    texts = [json.loads(line)["text"] for line in Path("docs/lm_eval/text.jsonl").read_text().splitlines()]
    bits = sum(nats(model, torch.tensor(tokenizer.encode(text).tolist())) for text in texts) / math.log(2)
    expected = bits / sum(len(text.encode()) for text in texts)
    assert found["nl_bits"]["bits_per_byte,none"] == pytest.approx(expected, rel=1e-5)
    questions = [json.loads(line) for line in Path("docs/lm_eval/choices.jsonl").read_text().splitlines()]
    right = [likeliest(model, tokenizer, asked) == asked["answer"] for asked in questions]
    assert found["nl_choices"]["acc,none"] == pytest.approx(sum(right) / len(right))


@torch.no_grad()
def nats(model, tokens, context: int = 256) -> float:
    """Of all tokens, in windows of a context: each is asked for once, and the last window is as long as the others."""
    text, total = torch.cat([torch.tensor([10]), tokens]), 0.0
    for start in range(0, len(tokens), context):
        stop = min(start + context, len(tokens))
        first = max(stop - context, 0)
        losses = F.cross_entropy(model(text[None, first:stop]).logits[0], text[first + 1 : stop + 1], reduction="none")
        total += losses[start - first :].sum().item()
    return total


@torch.no_grad()
def likeliest(model, tokenizer, asked: dict) -> int:
    """Which of its continuations the model gives the larger probability."""
    costs = []
    for choice in asked["choices"]:
        text = torch.tensor(tokenizer.encode(asked["prompt"] + choice).tolist())
        losses = F.cross_entropy(model(text[None, :-1]).logits[0], text[1:], reduction="none")
        costs.append(losses[-len(choice.encode()) :].sum().item())
    return costs.index(min(costs))
