"""Real processes side by side: what they find, what they fail of, and how they end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from experiments import results
from experiments.experiment import perform
from experiments.processes import Pool
from tests.experiments.cheap import experiment


def test_runs_have_processes_of_their_own_and_one_that_is_killed_fails_alone(tmp_path):
    stored, said = results.Results(tmp_path / "cheap.json", {}), []
    failed = perform(experiment(dict(best=4e-3, dies=[1]), seeds=(0, 1)), stored, tmp_path / "runs", 2, said.append)
    assert failed == ["a, rate 0.004, seed 1"]
    assert any("ended without a word" in line for line in said if line.startswith("FAILED"))
    assert len(results.read(stored.path).runs) == 3


def test_what_a_process_says_of_its_failure_is_kept():
    with Pool(1) as pool:
        pool.start("root", pow, 0, -1)
        assert not pool.free and pool.names == {"root"}
        outcome = pool.wait()
        assert pool.free and outcome.name == "root" and outcome.value is None
        assert outcome.trouble.splitlines()[-1].startswith("ZeroDivisionError")


def test_a_process_has_one_thread():
    with Pool(1) as pool:
        pool.start("threads", __import__("torch").get_num_threads)
        assert pool.wait().value == 1


def test_what_runs_when_the_pool_is_left_is_ended():
    with pytest.raises(KeyboardInterrupt), Pool(1) as pool:
        pool.start("long", time.sleep, 600)
        process = next(iter(pool._running.values()))[1]
        raise KeyboardInterrupt
    assert process.exitcode is not None


PARENT = """
import sys, time
from experiments.processes import Pool
from tests.experiments.test_processes import linger
if __name__ == "__main__":
    try:
        with Pool(1) as pool:
            pool.start("long", linger, {path!r})
            pool.wait()
    except KeyboardInterrupt:
        sys.exit("left")
"""


def linger(path):
    """Says who it is, and stays."""
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="the test sends signals as POSIX systems do")
@pytest.mark.parametrize(("stop", "said"), [("kill the parent", ""), ("Ctrl-C", "left\n")])
def test_no_process_outlives_the_one_that_wants_its_result(tmp_path, root, stop, said):
    told, script = tmp_path / "told", tmp_path / "script.py"
    script.write_text(PARENT.format(path=str(told)))
    parent = subprocess.Popen([sys.executable, script], cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
                              stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (told.exists() and told.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    if stop == "Ctrl-C":
        os.killpg(parent.pid, signal.SIGINT)
    else:
        parent.send_signal(signal.SIGKILL)
    parent.wait()
    child = int(told.read_text())
    ended = any(not _runs(child) or time.sleep(0.05) for _ in range(200))
    if not ended:
        os.kill(child, signal.SIGKILL)
    assert ended and parent.stderr.read() == said


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = f"/proc/{pid}/stat"  # one that ended and was not waited for counts as ended
    return not (os.path.exists(stat) and open(stat).read().rpartition(")")[2].split()[0] == "Z")
