"""A trained model's card, README.md: the words for what card.json and config.json hold.

`python -m checkpoints.card` writes every card anew.
"""

from pathlib import Path

from nlcore.train.pretrained import CARD, described

FIGURES = (
    "bits_per_byte", "bits_per_byte_eta_0", "order1_entropy", "scored_bytes", "validation_bytes", "steps", "seconds",
)  # fmt: skip
"""Of a run's result: what card.json keeps."""
TITLES = {"hope": "Hope", "hope-attention": "Hope-Attention", "transformer": "Transformer++"}
CARD_TEXT = """# {name}

{title} at size `{size}`, {parameters:,} parameters, trained for the chapters of this course, so that they can show
what a trained model does without training one first.

    from nlcore.train import load
    model, tokenizer = load("{name}")

## What it reaches

In bits per byte, on {scored:,} of the {validation:,} bytes that were held out of its text, in windows of {context}
tokens that each begin with a fresh state:

| | |
|---|---|
{table}

The entropy is what letter pairs alone can know of these bytes, so a model below it has learned more than which letter
follows which.

## How it was made

    python -m checkpoints.make {name}

| | |
|---|---|
| text | `{data}`, {train:,} bytes to train on; hash `{hash}` |
| seed | {seed} |
| steps | {steps:,}, of {batch} sequences of {context} tokens; peak learning rate {lr:g} |
| time | {minutes:.0f} minutes of training, on {threads} CPU thread{plural} |
| versions | Python {python}, torch {torch}, numpy {numpy} |
| weights | `model.safetensors`, float32; SHA-256 `{sha256}` |

## What it is for

It is for looking into: its levels, its surprise, how it goes on with a text. It has read program code and a little
English, all of it from the packages that the course needs, and what it writes resembles that and means nothing; do not
use it where an answer has to be right. Nor does one model, from one seed, say which architecture is better.
"""


def words(path: Path) -> str:
    """The card of the trained model in this folder, in Markdown. Raises TrainError for files that are no model's."""
    config, stored = described(path)
    preset, facts, figures = config.preset, stored["facts"], stored["figures"]
    corpus = facts["corpus"]
    rows = {
        "as it is": figures["bits_per_byte"],
        "with the memories' rate eta set to 0, so that none writes": figures["bits_per_byte_eta_0"],
        "order-1 entropy of the same bytes": figures["order1_entropy"],
    }
    return CARD_TEXT.format(
        name=path.name,
        title=TITLES[config.model],
        size=preset.name,
        parameters=facts["parameters"],
        scored=figures["scored_bytes"],
        validation=figures["validation_bytes"],
        table="\n".join(f"| {what} | {value:.3f} |" for what, value in rows.items() if value is not None),
        data=corpus["name"],
        train=corpus["train_bytes"],
        hash=corpus["hash"],
        seed=config.seed,
        steps=figures["steps"],
        batch=preset.batch,
        context=preset.context,
        lr=preset.lr,
        minutes=figures["seconds"] / 60,
        threads=facts["threads"],
        plural="s" if facts["threads"] > 1 else "",
        torch=facts["torch"],
        **stored["versions"],
        sha256=stored["sha256"],
    )


def write(path: Path) -> None:
    """Writes the card of the trained model in this folder."""
    (path / "README.md").write_text(words(path), encoding="utf-8")


if __name__ == "__main__":
    for made in sorted(Path(__file__).parent.glob(f"*/{CARD}")):
        write(made.parent)
