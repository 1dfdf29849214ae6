"""This course's models as Hugging Face's `transformers` wants them; importing this makes its Auto classes know them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from nlcore.models.build import build
from nlcore.models.memories import leaves, rebuilt
from nlcore.models.presets import PRESETS
from nlcore.models.saved import AUTO_MAP, CODE, CODE_TEXT, FORMAT, read_config

INNER = "nested."
"""Before the names of a wrapped model's weights; in a folder they have it not."""


class NlcoreConfig(PretrainedConfig):
    """What config.json of an exported folder says: see `nlcore.models.saved`."""

    model_type = "nlcore"
    keys_to_ignore_at_inference = ("cache",)
    format: int = FORMAT
    model: str = "hope"
    preset: dict | None = None
    vocab_size: int = 256

    def __post_init__(self, **kwargs: Any) -> None:
        self.preset = asdict(PRESETS["tiny"]) if self.preset is None else self.preset
        super().__post_init__(**{"auto_map": AUTO_MAP} | kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoConfig") -> None:
        """Nothing, so that a saved folder keeps asking the package for this class and gets no copy of its code."""


@dataclass
class Part:
    """Rows of a batch that began together, and what the model has kept of each."""

    rows: Tensor
    """Which they are, (n,), rising."""
    start: int
    """Where they begin among the tokens to be read next."""
    state: Any


class Carried(list[Part]):
    """What is carried from token to token in the place of a cache of keys and values: the model's own state.

    Its size is the model's affair: for Hope it stays the same, however long the text.
    """

    is_linear = (True,)
    """So that `generate` asks for no length of it, and hands on what it is given."""
    is_compileable = False


@dataclass
class NlcoreOutput(ModelOutput):
    """What `NlcoreForCausalLM` returns."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, vocabulary)."""
    cache: Carried | None = None


class NlcoreForCausalLM(PreTrainedModel, GenerationMixin):
    """A model of `nlcore.models.build` under the names and with the calls of `transformers`.

    `generate` reads each token once and carries the state on, a token a step. Rows of a padded batch are run together
    with those that begin where they do, so that no model reads padding; that costs a run of the model for each length
    among the rows, at each step.
    """

    config_class = NlcoreConfig
    base_model_prefix = INNER.rstrip(".")
    _is_stateful = True  # nothing can be taken back: `generate` refuses what would have to
    _no_split_modules = ("Block",)

    def __init__(self, config: NlcoreConfig) -> None:
        """Random weights. Raises ValueError for sizes that make no model."""
        super().__init__(config)
        self.nested = build(*read_config(vars(config)))
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: Carried | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> NlcoreOutput | tuple:
        """Logits of the next token after each of `input_ids` (B, T).

        attention_mask: (B, number of tokens so far), 0 where there is padding, left or right of a row's own tokens;
            what stands in `input_ids` there is not looked at, and the logits there mean nothing.
        cache: that of an earlier call, to read on.
        labels: (B, T), the tokens themselves, or -100 where none is asked for; the loss is the mean, in nats, over
            each position and the label that comes after it.
        use_cache: whether to return the state.

        Raises ValueError, one sentence, for masks of another kind, and for padding on the right together with a state.
        """
        if kwargs.pop("inputs_embeds", None) is not None:
            raise ValueError("these models read tokens: give input_ids, and no inputs_embeds")
        tokens, parts = _laid_out(input_ids, attention_mask, cache, use_cache)
        outputs = [self.nested(tokens[part.rows, part.start :], part.state) for part in parts]
        logits = outputs[0].logits
        if logits.shape[:2] != tokens.shape:
            logits = logits.new_zeros(*tokens.shape, logits.shape[-1])
            for part, output in zip(parts, outputs):
                logits[part.rows, part.start :] = output.logits
        after = Carried(Part(part.rows, 0, output.state) for part, output in zip(parts, outputs))
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        found = NlcoreOutput(loss, logits, after if use_cache else None)
        return found if return_dict is not False else found.to_tuple()

    def _reorder_cache(self, cache: Carried, beams: Tensor) -> Carried:
        """The state of a batch whose rows are those of another, by number: for beam search."""
        found = Carried()
        for part in cache:
            rows = torch.isin(beams, part.rows).nonzero()[:, 0]
            picked = torch.searchsorted(part.rows, beams[rows])
            kept = self.nested.detach(part.state)
            kept = rebuilt(kept, (x[picked] if isinstance(x, Tensor) else x for x in leaves(kept)))
            found.append(Part(rows, part.start, self.nested.attach(kept)))
        return found

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def _init_weights(self, module: nn.Module) -> None:
        """Nothing: `build` has given every weight its first value."""

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoModelForCausalLM") -> None:
        """Nothing: see `NlcoreConfig`."""

    @classmethod
    def from_pretrained(cls, *args: Any, output_loading_info: bool = False, **kwargs: Any) -> Any:
        """As of `PreTrainedModel`, but weights that lack or are too many are a ValueError."""
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        wrong = sorted({*info["missing_keys"], *info["unexpected_keys"]})
        if wrong:
            raise ValueError(f"the folder's weights are not this model's ({wrong[0]} is one of {len(wrong)} that differ)")
        return (model, info) if output_loading_info else model

    def save_pretrained(self, save_directory: str | Path, *args: Any, state_dict: dict | None = None, **kwargs: Any) -> None:
        """As of `PreTrainedModel`; the folder is one for `nlcore.models.from_pretrained`, too, once a tokenizer is there."""
        weights = self.state_dict() if state_dict is None else state_dict
        plain = {name.removeprefix(INNER): weight for name, weight in weights.items()}
        super().save_pretrained(save_directory, *args, state_dict=plain, **kwargs)
        Path(save_directory, CODE).write_text(CODE_TEXT, encoding="utf-8")

    def get_input_embeddings(self) -> nn.Module:
        return self.nested.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        raise ValueError("the embedding is also the head of these models, and its size that of their tokenizer: keep it")

    def get_output_embeddings(self) -> None:
        return None


def _laid_out(
    tokens: Tensor, mask: Tensor | None, cache: Carried | None, carries: bool | None
) -> tuple[Tensor, Sequence[Part]]:
    """The tokens without what the mask hides, and the parts of the batch that are to be run together."""
    length = tokens.shape[1]
    if mask is not None:
        if mask.dim() != 2 or mask.shape[0] != len(tokens) or mask.shape[1] < length:
            raise ValueError(f"the attention mask is of shape {tuple(mask.shape)}: give a number for each token, 0 or 1")
        mask = mask[:, -length:] != 0
    if cache is not None:
        if mask is not None and not mask.all():
            raise ValueError("a state goes on with tokens alone: give an attention mask of ones for those that come new")
        return tokens, cache
    if mask is None or mask.all():
        return tokens, [Part(torch.arange(len(tokens), device=tokens.device), 0, None)]
    edges = mask.int().diff(prepend=mask.new_zeros(len(mask), 1).int(), append=mask.new_zeros(len(mask), 1).int())
    if not (edges.clamp(min=0).sum(1) == 1).all():
        raise ValueError("the attention mask has holes, or a row without a token: let each row's tokens stand together")
    if carries and not mask[:, -1].all():
        raise ValueError("a row goes on after its last token: pad on the left (tokenizer.padding_side = 'left')")
    starts = edges.argmax(1)
    parts = [Part((starts == start).nonzero()[:, 0], start, None) for start in starts.unique().tolist()]
    return tokens.masked_fill(~mask, 0), parts


AutoConfig.register(NlcoreConfig.model_type, NlcoreConfig, exist_ok=True)
AutoModelForCausalLM.register(NlcoreConfig, NlcoreForCausalLM, exist_ok=True)
