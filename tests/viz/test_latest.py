"""Work in the background: the newest request wins."""

import threading

from nlcore.viz.latest import Latest


def test_the_newest_request_wins_and_those_between_are_dropped():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(x):
        begun.set()
        go.wait(10)
        done.append(x)

    latest = Latest(work)
    latest.ask(1)
    assert begun.wait(10)
    for x in (2, 3, 4):
        latest.ask(x)
    assert not latest.wait(0)
    go.set()
    assert latest.wait(10)
    assert done == [1, 4]


def test_it_starts_again_after_it_was_idle():
    done = []
    latest = Latest(done.append)
    for x in range(3):
        latest.ask(x)
        assert latest.wait(10)
    assert done == [0, 1, 2]
