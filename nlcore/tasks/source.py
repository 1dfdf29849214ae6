"""What `--data` may say, and the corpus it means."""

from nlcore.tasks import corpus, text
from nlcore.tasks.corpus import DataError


def load(spec: str) -> corpus.Corpus:
    """`builtin`, `builtin:python,english`, or a path to a file or folder of text (`./builtin` if it is named so).

    Raises:
        DataError: one sentence that says what is wrong with the input.
    """
    if not spec.strip():
        raise DataError("No text was named: name a file or a folder of text ('.' for this one), or 'builtin'.")
    kind, colon, names = spec.partition(":")
    if kind != "builtin":
        return text.from_path(spec)
    return corpus.builtin([name.strip() for name in names.split(",") if name.strip()]) if colon else corpus.builtin()
