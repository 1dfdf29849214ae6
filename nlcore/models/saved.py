"""A trained model's folder: its weights, its sizes and its tokenizer, in files that Hugging Face's libraries read too."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nlcore.models.build import build
from nlcore.models.in_context import InContext
from nlcore.models.language_model import LanguageModel
from nlcore.models.presets import Preset
from nlcore.tasks import tokenizers
from nlcore.tasks.tokenizers import Tokenizer

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
"""What a model is made from; the next two are for Hugging Face's libraries alone."""
TOKENIZER_CONFIG, CODE = "tokenizer_config.json", "modeling_nlcore.py"
FORMAT = 1
"""Of CONFIG; to be raised whenever a model of the same sizes and weights computes something else."""
CODE_TEXT = '''"""Where Hugging Face's Auto classes, told to trust it, find this model: in the package nlcore, which has to be installed."""

from nlcore.models.hugging_face import NlcoreConfig, NlcoreForCausalLM  # noqa: F401
'''
AUTO_MAP = {"AutoConfig": "modeling_nlcore.NlcoreConfig", "AutoModelForCausalLM": "modeling_nlcore.NlcoreForCausalLM"}
END = "<|end|>"
"""For padding, and for programs that ask for an end. Its number is one beyond the model's vocabulary: no text is encoded
to it, no model reads it, and none writes it."""


def described(kind: str, preset: Preset, vocabulary: int) -> dict[str, Any]:
    """What CONFIG holds of a model of this kind, one of MODELS."""
    return {
        "format": FORMAT,
        "model_type": "nlcore",
        "architectures": ["NlcoreForCausalLM"],
        "auto_map": AUTO_MAP,
        "model": kind,
        "preset": asdict(preset),
        "vocab_size": vocabulary,
    }


def save_pretrained(
    folder: str | Path, kind: str, preset: Preset, weights: dict[str, Tensor], tokenizer: Tokenizer
) -> None:
    """Writes the folder's files, over those that are there.

    kind: one of MODELS.
    weights: the model's state dict; each stays of the dtype that it has.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: x.contiguous() for name, x in weights.items()}, folder / WEIGHTS, {"format": "pt"})
    tokenizers.save(tokenizer, folder / TOKENIZER)
    _write(folder / CONFIG, described(kind, preset, tokenizer.vocabulary))
    reading = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": preset.context,
        "pad_token": END,
        "eos_token": END,
        "padding_side": "left",
        "split_special_tokens": True,  # a text that holds END is a text
        "clean_up_tokenization_spaces": False,
    }
    _write(folder / TOKENIZER_CONFIG, reading)
    (folder / CODE).write_text(CODE_TEXT, encoding="utf-8")


def from_pretrained(folder: str | Path) -> tuple[LanguageModel | InContext, Tokenizer]:
    """A trained model, on the CPU and in float32, and its tokenizer.

    folder: one that `python -m nlcore.train export` wrote, or `save_pretrained` here or of the model's Hugging Face class.

    Raises ValueError, one sentence, for a folder without these files, or with others than they should be.
    """
    folder = Path(folder)
    missing = next((name for name in (CONFIG, WEIGHTS, TOKENIZER) if not (folder / name).is_file()), None)
    if missing is not None:
        raise ValueError(f"{folder} holds no exported model, since it lacks {missing}: name the folder of one.")
    tokenizer = tokenizers.load(folder / TOKENIZER)
    try:
        kind, preset, vocabulary = read_config(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        if vocabulary != tokenizer.vocabulary:
            raise ValueError(f"its tokenizer has {tokenizer.vocabulary} tokens, and the model {vocabulary}")
        with torch.device("meta"):  # sizes that are not the weights' may be any
            model = build(kind, preset, vocabulary)
        weights = {name: x.float() for name, x in load_file(folder / WEIGHTS).items()}
        _check(weights, model.state_dict())
        model.load_state_dict(weights, assign=True)
    except Exception as error:  # what is in a file may be of any shape, and each library has words of its own
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{folder} holds no model of this version of the course: {reason or type(error).__name__}.") from error
    return model, tokenizer


def read_config(stored: dict[str, Any]) -> tuple[str, Preset, int]:
    """Of what CONFIG holds the model's kind, its sizes and its vocabulary. Raises ValueError, in a few words."""
    number = stored["format"]
    if type(number) is not int or number < 1:
        raise ValueError(f"its format is {number!r}")
    if number > FORMAT:
        raise ValueError(f"it is of a newer one (format {number}, and this one knows {FORMAT}), so update the course")
    sizes = {name: _tuples(value) for name, value in stored["preset"].items()}
    return stored["model"], Preset(**sizes), stored["vocab_size"]


def _check(given: dict[str, Tensor], own: dict[str, Tensor]) -> None:
    """Raises ValueError, in a few words, unless names and shapes are the same."""
    wrong = sorted(given.keys() ^ own.keys()) or [name for name in own if given[name].shape != own[name].shape]
    if wrong:
        raise ValueError(f"its weights are of other sizes than its config says ({wrong[0]})")


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
