"""A trained model's card, README.md: the words for what its folder's card.json holds."""

from nlcore.levels import every
from nlcore.train.config import TrainConfig
from nlcore.train.records import Record

TITLES = {"hope": "Hope", "hope-attention": "Hope-Attention", "transformer": "Transformer++"}
LICENCE = """The package that runs it is under Apache-2.0. The weights have learned from the text named above: who passes
them on sees to what that text's licences ask for, and says under which licence the weights are."""
TEXT = """# {name}

{title} at size `{size}`, {parameters:,} parameters.

    from nlcore.models import from_pretrained
    model, tokenizer = from_pretrained("path/to/{name}")

Or, with the packages `nlcore` and `transformers`:

    import nlcore.models.hugging_face
    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained("path/to/{name}")
    tokenizer = AutoTokenizer.from_pretrained("path/to/{name}")

## What it reaches

{reaches}

## Its levels

Fastest first:

| level | is updated |
|---|---|
{levels}

## How it was made

{command}| | |
|---|---|
| text | `{data}`, {train:,} bytes to train on; hash `{hash}` |
| seed | {seed} |
| steps | {steps:,}, of {batch} sequences of {context} tokens; peak learning rate {lr:g} |
| time | {time} on {device}, with {threads} CPU thread{plural} |
| versions | Python {python}, torch {torch}, numpy {numpy} |
| weights | `model.safetensors`, float32; SHA-256 `{sha256}` |

`card.json` holds every choice of its training.

{purpose}## Licence

{licence}
"""


def words(name: str, config: TrainConfig, card: Record) -> str:
    """The card, in Markdown, of a model that is called so; see `export.write` for what `card` holds."""
    preset, facts, figures = config.preset, card["facts"], card["figures"]
    corpus, threads, seconds = facts["corpus"], facts["threads"], figures["seconds"]
    command, purpose = card.get("command"), card.get("purpose")
    return TEXT.format(
        name=name,
        title=TITLES.get(config.model, f"The model `{config.model}`"),
        size=preset.name,
        parameters=facts["parameters"],
        reaches=_reaches(config, card),
        levels="\n".join(f"| {level['name']} | {every(level['period'], level['unit'])} |" for level in facts["levels"]),
        command=f"    {command}\n\n" if command else "",
        data=corpus["name"],
        train=corpus["train_bytes"],
        hash=corpus["hash"],
        seed=config.seed,
        steps=figures["steps"],
        batch=preset.batch,
        context=preset.context,
        lr=preset.lr,
        time="not known" if seconds is None else f"{seconds / 60:.0f} minutes of training",
        device=facts["device"],
        threads=threads,
        plural="s" if threads > 1 else "",
        torch=facts["torch"],
        **card["versions"],
        sha256=card["sha256"],
        purpose=f"## What it is for\n\n{purpose}\n\n" if purpose else "",
        licence=card.get("licence") or LICENCE,
    )


def _reaches(config: TrainConfig, card: Record) -> str:
    """Its figures, and what they were measured on."""
    figures, context = card["figures"], config.preset.context
    if figures["bits_per_byte"] is None:
        return "It was not measured: its run had no validation yet when it was exported."
    if figures["scored_bytes"] is None:
        return (
            f"{figures['bits_per_byte']:.3f} bits per byte at step {figures['scored_step']:,}, the last validation before "
            f"these weights were kept at step {figures['steps']:,}: on {config.validation_windows} windows of {context} "
            "tokens that were held out of its text, each begun with a fresh state."
        )
    rows = {
        "as it is": figures["bits_per_byte"],
        "with the memories' rate eta set to 0, so that none writes": figures["bits_per_byte_eta_0"],
        "order-1 entropy of the same bytes": figures["order1_entropy"],
    }
    table = "\n".join(f"| {what} | {value:.3f} |" for what, value in rows.items() if value is not None)
    return (
        f"In bits per byte, on {figures['scored_bytes']:,} of the {figures['validation_bytes']:,} bytes that were held out "
        f"of its text, in windows of {context}\ntokens that each begin with a fresh state:\n\n| | |\n|---|---|\n{table}\n\n"
        "The entropy is what letter pairs alone can know of these bytes, so a model below it has learned more than which "
        "letter\nfollows which."
    )
