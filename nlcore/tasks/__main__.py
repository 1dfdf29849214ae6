"""`python -m nlcore.tasks [builtin | builtin:python,english | path]`: what a corpus holds, as a table."""

import sys

from nlcore.tasks import DataError, load


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


if __name__ == "__main__":
    try:
        print(table(load(sys.argv[1] if len(sys.argv) > 1 else "builtin").manifest))
    except DataError as error:
        sys.exit(str(error))
