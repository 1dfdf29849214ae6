"""Whoever watches a run knows of the others, and of no one who has left."""

from nlcore.viz.dashboard.company import Company


def test_each_knows_of_the_others_until_they_leave(tmp_path):
    one = Company(tmp_path)
    assert not one.others()
    two, three = Company(tmp_path), Company(tmp_path)
    assert [watcher.others() for watcher in (one, two, three)] == [True] * 3
    one.leave()
    assert two.others() and three.others()
    two.leave()
    assert not three.others()
    assert Company(tmp_path).seat == one.seat


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    alone = Company(tmp_path / "nowhere")
    assert not alone.others()
    alone.leave()
