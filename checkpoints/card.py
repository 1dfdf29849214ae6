"""`python -m checkpoints.card` writes the card of every trained model of the course anew, from its card.json."""

from pathlib import Path

from nlcore.train import card
from nlcore.train.pretrained import CARD, described


def write(path: Path) -> None:
    """Writes the card of the trained model in this folder."""
    (path / "README.md").write_text(card.words(path.name, *described(path)), encoding="utf-8")


if __name__ == "__main__":
    for made in sorted(Path(__file__).parent.glob(f"*/{CARD}")):
        write(made.parent)
