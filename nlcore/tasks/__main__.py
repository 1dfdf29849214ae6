"""`python -m nlcore.tasks [builtin | builtin:python,english | path]`: what a corpus, or a folder of shards, holds, as a table.

`python -m nlcore.tasks prepare SOURCE... --out FOLDER` makes a folder of shards; `--help` after it says more.
"""

import argparse
import sys
from functools import partial
from typing import NoReturn

from nlcore.tasks import DataError, Shards, load
from nlcore.tasks.sharding import Plan, prepare
from nlcore.tasks.text import readable

EXAMPLES = """A SOURCE is a file or a folder of .txt, .jsonl, .jsonl.gz, .jsonl.zst or .parquet, or hf:NAME:CONFIG:SPLIT, a data set
of the Hugging Face hub that is read as it arrives; its SPLIT is train where none is said. Stopped, the same command goes on.

  python -m nlcore.tasks prepare texts/ --out shards/texts
  python -m nlcore.tasks prepare part-*.parquet --out shards/mine --tokenizer bpe --vocabulary 32000
  python -m nlcore.tasks prepare hf:HuggingFaceFW/fineweb-edu:sample-10BT --out shards/fineweb --tokenizer bpe
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        sentence = f"{message[0].upper()}{message[1:]}: see python -m nlcore.tasks prepare --help."
        self.exit(2, readable(sentence) + "\n")


def parser() -> Parser:
    made = Parser("python -m nlcore.tasks prepare", description="Makes a folder of shards.", epilog=EXAMPLES, allow_abbrev=False)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add = made.add_argument
    add("sources", nargs="+", metavar="SOURCE", help="what to read, in this order")
    add("--out", required=True, metavar="FOLDER", help="folder to make, or to go on in")
    add("--tokenizer", default=Plan.tokenizer, help="bytes (default), bpe, or the tokenizer.json of a run or of other shards")
    add("--vocabulary", type=int, default=Plan.vocabulary, help=f"tokens that bpe learns; {Plan.vocabulary:,} by default")
    add("--column", default=Plan.column, help=f"which field or column is the text; {Plan.column!r} by default")
    add("--validation", type=float, default=Plan.validation, help=f"share of documents held out; {Plan.validation:g} by default")
    add("--shard-tokens", type=count, default=Plan.shard_tokens, help=f"tokens of a shard, at least; {Plan.shard_tokens:g} by default")
    return made


def count(text: str) -> int:
    """Of "100e6" its whole number. Raises ValueError for what is none."""
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def table(manifest: dict) -> str:
    """A line a domain, from a corpus' manifest."""
    lines = [f"{'domain':12}{'files':>8}{'train bytes':>14}{'validation':>14}  what"]
    for name, facts in manifest["domains"].items():
        what = facts["what"] + (" (absent)" if facts.get("absent") else "")
        what += f" (missing here: {', '.join(facts['missing'])})" if facts.get("missing") else ""
        what += f" (left out: {', '.join(facts['left_out'])})" if facts.get("left_out") else ""
        if shared := facts.get("shared_bytes_left_out"):
            what += f" ({shared:,} bytes of validation left out: they stand in the training text too)"
        sizes = f"{facts['train_bytes']:>14,}{facts['validation_bytes']:>14,}"
        lines.append(f"{name:12}{facts['files']:>8,}{sizes}  {what}")
    return "\n".join([*lines, f"hash {manifest['hash']}"])


def shard_table(manifest: dict) -> str:
    """A line a split, from a folder's manifest, and what else it says."""
    asked, tokenizer, validation = manifest["asked"], manifest["tokenizer"], manifest["validation"]
    lines = [f"{'split':12}{'shards':>8}{'documents':>16}{'bytes':>20}{'tokens':>20}"]
    for split in ("train", "validation"):
        facts = manifest[split]
        lines.append(f"{split:12}{len(facts['shards']):>8,}{facts['documents']:>16,}{facts['bytes']:>20,}{facts['tokens']:>20,}")
    left_out = ", ".join(f"{count:,} {why}" for why, count in manifest["left_out"].items())
    return "\n".join([
        *lines,
        f"tokenizer   {tokenizer['kind']}, {tokenizer['vocabulary']:,} tokens, {validation['bytes'] / validation['tokens']:.3f} "
        "bytes a token of the validation text",
        f"entropy     {validation['order1_entropy']:.3f} bits per byte, order 1, of the validation text",
        f"left out    {left_out or 'no document'}",
        *(f"source      {readable(name)}" for name, _ in asked["sources"]),
        *(f"other file  {readable(name)}" for name in asked["other_files"]),
        f"hash {manifest['hash']}",
    ])  # fmt: skip


def shown(found: object) -> str:
    """What was loaded, as a table."""
    return shard_table(found.manifest) if isinstance(found, Shards) else table(found.manifest)


def main(arguments: list[str]) -> str:
    """Runs the command; what it prints last. Raises DataError."""
    if arguments[:1] != ["prepare"]:
        return shown(load(arguments[0] if arguments else "builtin"))
    choices = vars(parser().parse_args(arguments[1:]))
    out, names = choices.pop("out"), tuple(choices.pop("sources"))
    return shown(prepare(Plan(names, **choices), out, partial(print, flush=True)))


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except DataError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command goes on where the last whole shard ended.")
