"""`python -m nlcore.train`: trains a model from the command line, under torchrun on several processes."""

import argparse
import os
import sys
from typing import NoReturn

from nlcore.models import MODELS, PRESETS
from nlcore.tasks.shard_batches import SPANS
from nlcore.tasks.tokenizers import KINDS
from nlcore.train import plan
from nlcore.train.compare import compare
from nlcore.train.choices import COMPILE, DEVICES, DTYPES, OPTIMIZERS, PARALLEL
from nlcore.train.config import TrainError, configure
from nlcore.train.export import export
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE, Team, is_restarted, joined
from nlcore.train.progress import Display
from nlcore.train.run import begin, train
from nlcore.train.schedule import SCHEDULES
from nlcore.train.words import refusal, visible

EXAMPLES = """examples:
  python -m nlcore.train --size tiny
  python -m nlcore.train --size tiny --model transformer --data path/to/text
  python -m nlcore.train --size tiny --compare
  python -m nlcore.train --resume runs/tiny-hope-1 --steps 1200
  python -m nlcore.train plan --size 1.3b --tokens 100e9 --gpus 64    (what it would cost; see plan --help)
  python -m nlcore.train export runs/tiny-hope-1 my-model    (a folder for nlcore.models.from_pretrained and Hugging Face)
  torchrun --nproc-per-node 4 -m -- nlcore.train --size 160m    (the -- keeps torchrun from reading --run as its own)
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, visible(f"{message[0].upper()}{message[1:]}: see {self.prog} --help.") + "\n")


def parser() -> Parser:
    made = Parser("python -m nlcore.train", description=__doc__, epilog=EXAMPLES, allow_abbrev=False)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add = made.add_argument
    add("--size", help=f"one of {', '.join(PRESETS)}; tiny by default")
    add("--model", help=f"one of {', '.join(MODELS)}; hope by default")
    add("--data", help="builtin (default), builtin:python,english, a file or folder of text, or a folder of shards")
    add("--spans", help=f"one of {', '.join(SPANS)}: where windows may begin in shards; anywhere by default")
    add("--tokenizer", help=f"one of {', '.join(KINDS)}; by default the size's; shards have to be of it")
    add("--vocabulary", type=int, help="tokens of bpe; by default the size's")
    add("--run", help="folder to make for the run; by default the next free one under runs/")
    add("--resume", metavar="RUN", help="go on with the run in this folder")
    add("--accept-data", action="store_true", help="with --resume: go on although the text has changed")
    add("--compare", action="store_true", help="then train a Transformer++ for the same time, and print a table")
    add("--steps", type=int, help="steps to train; by default the size's")
    add("--seconds", type=float, help="seconds to train, instead of steps")
    add("--batch", type=int, help="sequences a step")
    add("--micro-batch", type=int, help="sequences computed at once, to save memory; by default as many as fit")
    add("--context", type=int, help="tokens of a sequence")
    add("--carry", type=int, help="windows in a row that carry their state on; by default the size's, 0 for attention")
    add("--in-context", nargs="+", type=level, metavar="LEVEL:TOKENS:RATE", help="levels that learn while they read, as "
        "cms-3:16:0.3 cms-2:64:0.3; then :CLIP:WARM-UP, by default 1 and 0")
    add("--lr", type=float, help="peak learning rate")
    add("--optimizer", help=f"one of {', '.join(OPTIMIZERS)}; adamw by default, and beside the others, which train matrices")
    add("--matrix-lr", type=float, help="factor on the rate of what muon (1 by default) or m3 (0.01) trains")
    add("--betas", nargs=2, type=float, metavar="BETA", help="of AdamW; 0.9 0.95 by default")
    add("--weight-decay", type=float, help="of matrices; 0.1 by default")
    add("--clip", type=float, help="largest norm of the gradients; 1 by default")
    add("--level-lr", nargs="+", type=factor, metavar="LEVEL=FACTOR", help="on the rate of single levels, as cms-3=0.5 cms-1=2")
    add("--schedule", help=f"one of {', '.join(SCHEDULES)} (warm-up, stable, decay); cosine by default")
    add("--warmup", type=float, help="share of the run in which the rate rises; 0.05 by default")
    add("--floor", type=float, help="share of the peak at which it ends; 0.1 by default")
    add("--decay", type=float, help="with wsd: last share of the run, in which it falls; 0.2 by default")
    add("--seed", type=int, help="decides first weights and the order of the text; 0 by default")
    add("--device", help=f"one of {', '.join(DEVICES)}")
    add("--dtype", help=f"one of {', '.join(DTYPES)}")
    add("--compile", help=f"one of {', '.join(COMPILE)}: the step by torch.compile; auto (default) is on with CUDA alone")
    add("--parallel", help=f"one of {', '.join(PARALLEL)}: whether each of several processes holds all of the model (ddp, the "
        "default), or a part of it")
    add("--tensorboard", action=argparse.BooleanOptionalAction, help="write TensorBoard's event files too, in the run's folder")
    add("--threads", type=int, help="CPU threads; by default one for tiny, else as torch chooses")
    return made


def level(text: str) -> tuple[str | float, ...]:
    """Of "cms-3:16:0.3" what a preset's `in_context` says. Raises ValueError for what is not so."""
    parts, kinds = text.split(":"), (str, int, float, float, int)
    return tuple(kind(part) for kind, part in zip(kinds[: len(parts)], parts, strict=True))


def factor(text: str) -> tuple[str, float]:
    """Of "cms-3=0.5" the level and the factor. Raises ValueError for what is not so."""
    name, found = text.split("=")
    return name, float(found)


def planned(arguments: list[str]) -> str:
    """The table of `python -m nlcore.train plan`."""
    chosen = plan.options(Parser("python -m nlcore.train plan", description=plan.DESCRIPTION, allow_abbrev=False))
    given = {name: value for name, value in vars(chosen.parse_args(arguments)).items() if value is not None}
    return plan.plan(**given).table()


def exported(arguments: list[str]) -> str:
    """What `python -m nlcore.train export` says once it has written the folder."""
    made = Parser("python -m nlcore.train export", description=export.__doc__, allow_abbrev=False)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("run")
    made.add_argument("folder")
    given = made.parse_args(arguments)
    return f"The model is in {export(given.run, given.folder)}; its README.md says what it is."


COMMANDS = {"plan": planned, "export": exported}
"""What may stand in the place of options, by its first word."""


def main(arguments: list[str] | None = None, team: Team = ALONE) -> int:
    """Runs the command and returns its exit code. Raises ValueError, one sentence, for what cannot be done."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in COMMANDS:
        team.once(lambda: Display().write(COMMANDS[arguments[0]](arguments[1:]) + "\n"))
        return 0
    choices = team.once(lambda: vars(parser().parse_args(arguments)))
    run, resume, accept, compares = (choices.pop(name) for name in ("run", "resume", "accept_data", "compare"))
    given = {name: value for name, value in choices.items() if value is not None}
    restarted = is_restarted()
    if resume is not None:
        if run is not None or compares:
            raise TrainError("--resume goes on with one run in its own folder: leave out --run and --compare.")
        train(RunFolder(resume), accept, team, **given)
        return 0
    if accept:
        raise TrainError("--accept-data belongs to --resume: a new run takes any text.")
    config = configure(**given)
    if compares and restarted:
        raise TrainError("--compare trains two runs, which are not gone on with: leave out --max-restarts.")
    if compares:
        said = compare(config, run, team) or "The comparison was stopped."
        team.once(lambda: Display().write(said + "\n"))
    else:
        train(team.once(lambda: begin(config, run, team.size)), team=team)
    return 0


def program(team: Team) -> int | str:
    """Runs the command; returns what to exit with, the lead alone with a sentence.

    Whatever bad input can cause ends in a sentence; a run that is under way keeps the traceback in its log.txt.
    """
    try:
        return main(team=team)
    except KeyboardInterrupt:
        return 130
    except ValueError as error:
        sentence = str(error)
    except OSError as error:
        sentence = refusal(error)
    except MemoryError:
        sentence = "The machine's memory does not hold this: choose a smaller text, batch or size."
    except RuntimeError as error:  # of paths, of torch, and of what is nested too deeply
        sentence = f"{type(error).__name__}: {' '.join(str(error).split())}"
    team.linger()
    return visible(sentence) if team.lead else 1


def open_standard_streams() -> None:
    """Opens what the shell has closed, so that no file of a run takes its number and with it what others print."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return


def close_display() -> None:
    """Leaves nothing unwritten to a terminal that is gone, which Python would report at its end."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        sys.stdout = None


if __name__ == "__main__":
    open_standard_streams()
    with joined() as members:
        code = program(members)
    close_display()
    sys.exit(code)
