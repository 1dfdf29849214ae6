"""`python -m nlcore.tasks`: the manifest as a table."""

import subprocess
import sys


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "nlcore.tasks", *arguments], capture_output=True, text=True)


def test_it_prints_domains_sizes_and_hash(tmp_path):
    (tmp_path / "a.txt").write_text("words\n" * 100)
    (tmp_path / "b.bin").write_bytes(b"\0")
    done = run(str(tmp_path))
    assert done.returncode == 0 and "text" in done.stdout and "540" in done.stdout
    assert "left out: b.bin" in done.stdout and "hash " in done.stdout


def test_bad_input_is_one_sentence_without_a_traceback(tmp_path):
    done = run(str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "does not exist" in done.stderr
