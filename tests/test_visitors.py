"""Visitors of the page, what belongs to them, and whose turn it is to compute."""

import shutil
import threading
import time
from contextlib import nullcontext

import gradio as gr
import pytest
from conftest import soon, visitor_with

from styletransfer.core import Progress
from styletransfer.errors import Cancelled
from styletransfer.page import visitors, work
from styletransfer.page.visitors import KEPT_FOLDERS
from styletransfer.page.work import Dropped, Finished, Halt, follow


def test_halts_of_the_same_state_are_not_equal():
    assert Halt() != Halt()


@pytest.mark.parametrize("steps", [1, 2])
def test_what_is_stopped_ends_unless_all_is_done_by_then(steps):
    halt = Halt()

    def work(on_step):
        halt.stopped = True
        on_step(Progress(1, steps))
        return "painting"

    with pytest.raises(Cancelled) if steps > 1 else nullcontext():
        assert list(follow(work, halt))[-1] == Finished("painting")


def test_what_nobody_waits_for_any_more_is_dropped_not_kept():
    ends = []

    def work(on_step):
        for step in range(1000):
            time.sleep(0.01)
            try:
                on_step(Progress(step, 1000))
            except Exception as error:
                ends.append(type(error))
                raise

    halt = Halt()
    events = follow(work, halt)
    next(events)
    events.close()  # as Gradio does when a tab is closed
    events = follow(work, halt)
    next(events)
    halt.dropped = True
    with pytest.raises(Dropped):
        list(events)
    assert ends == [Dropped, Dropped]


def test_who_closes_the_page_keeps_nobody_waiting_and_other_work_begins_when_theirs_has_ended():
    step, order = threading.Event(), []

    def long_step(on_step):
        on_step(Progress(0, 2))
        step.wait(10)
        order.append("first ends")
        on_step(Progress(1, 2))

    events = follow(long_step, Halt())
    next(events)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5
    other = follow(lambda on_step: order.append("second"), Halt())
    threading.Timer(0.2, step.set).start()
    assert list(other) == [Finished(None)]
    assert order == ["first ends", "second"]


def test_each_visitor_has_styles_of_their_own_unless_all_share_them(transfer):
    separate = visitors.Visitors(transfer, shared_styles=False)
    one, other = (separate.of(gr.Request(session_hash=name)) for name in "ab")
    shutil.copy(next(transfer._bank.own.glob("*.safetensors")), one.transfer._bank.own / "mine.safetensors")
    assert "mine" in one.transfer.own_styles
    assert "mine" not in other.transfer.styles
    separate.close()
    assert not one.own.folder.exists()
    together = visitors.Visitors(transfer, shared_styles=True)
    assert len({id(together.of(gr.Request(session_hash=name)).transfer) for name in "ab"}) == 1
    together.close()


def test_who_reloads_a_page_that_others_use_finds_their_styles(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0.5)
    known = visitors.Visitors(transfer, shared_styles=False)
    before, stranger = (gr.Request(session_hash=name) for name in "ab")
    key = known.recognised(None, before).own.key
    own = known.of(before).own
    shutil.copy(next(transfer._bank.own.glob("*.safetensors")), own.folder / "styles" / "mine.safetensors")
    after = gr.Request(session_hash="c")
    unused = known.of(after).own.folder
    known.leave(before)
    assert known.recognised(key, after) is known.of(after)
    assert known.of(after).own.key == key
    assert soon(lambda: not known._known.keys() & {"a"})  # the page before is forgotten, not its styles
    assert known.of(after).transfer.own_styles == ["mine"]
    assert not unused.exists()
    for guess in (None, "", "a", known.of(stranger).own.key, [key]):
        assert known.recognised(guess, stranger).own.key != key
        assert known.of(stranger).transfer.own_styles == []
    known.close()
    assert not own.folder.exists()


def test_short_works_pass_between_the_steps_of_long_ones():
    order, going = [], threading.Event()

    def long_work(on_step):
        for step in range(3):
            order.append(f"step {step}")
            going.set()
            if step == 0:
                assert soon(lambda: work._turns._waiting)
            on_step(Progress(step, 3))

    events = follow(long_work, Halt())
    worker = threading.Thread(target=list, args=(events,))
    worker.start()
    assert going.wait(10)
    assert list(follow(lambda on_step: order.append("short"), Halt(), short=True)) == [Finished(None)]
    worker.join()
    assert order == ["step 0", "short", "step 1", "step 2"]


def test_a_long_work_that_lets_short_ones_pass_is_not_overtaken_by_long_ones():
    order, going = [], threading.Event()

    def first(on_step):
        going.set()
        assert soon(lambda: work._turns._waiting)
        on_step(Progress(0, 2))
        order.append("first")

    works = [(first, False), (lambda on_step: order.append("second"), False)]
    works += [(lambda on_step: order.append("short"), True)]
    threads = []
    for each, short in works:
        events = follow(each, Halt(), short=short)
        threads.append(threading.Thread(target=list, args=(events,)))
        threads[-1].start()
        assert going.wait(10)
    for thread in threads:
        thread.join()
    assert order == ["short", "first", "second"]


def test_the_oldest_files_of_a_visitor_make_room(tmp_path, transfer):
    visitor = visitor_with(transfer, tmp_path)
    files = [visitor.new_file("before.jpg") for _ in range(KEPT_FOLDERS + 3)]
    assert [file.parent.exists() for file in files] == [False] * 3 + [True] * KEPT_FOLDERS


def test_those_who_came_least_recently_are_forgotten(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "MOST_VISITORS", 2)
    known = visitors.Visitors(transfer, shared_styles=False)
    first, second = (known.of(gr.Request(session_hash=name)) for name in "ab")
    known.of(gr.Request(session_hash="a"))
    third = known.of(gr.Request(session_hash="c"))
    assert [each.folder.exists() for each in (first, second, third)] == [True, False, True]
    assert known.of(gr.Request(session_hash="a")) is first
    known.close()
    assert not first.folder.exists()


def test_who_has_the_page_open_is_forgotten_after_programs_and_those_who_left(transfer, monkeypatch):
    known = visitors.Visitors(transfer, shared_styles=False)
    working, here, program, left = (known.of(gr.Request(session_hash=name)) for name in "abcd")
    working.long.working = here.on_page = left.on_page = True
    known.leave(gr.Request(session_hash="d"))
    for index, expected in enumerate((left, program, here)):
        monkeypatch.setattr(visitors, "MOST_VISITORS", 4 - index)
        monkeypatch.setattr(known.of(gr.Request(session_hash="new")), "on_page", True)
        there = [each for each in (working, here, program, left) if each.folder.exists()]
        assert expected not in there
        assert len(there) == 3 - index
    known.close()


def test_who_is_back_before_long_finds_everything_as_it_was(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0.5)
    known = visitors.Visitors(transfer, shared_styles=False)
    back, gone = (known.of(gr.Request(session_hash=name)) for name in "ab")
    for name in "ab":
        known.leave(gr.Request(session_hash=name))
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 60)  # from now on
    assert known.of(gr.Request(session_hash="a")) is back
    assert soon(lambda: not gone.folder.exists())
    assert back.folder.exists()
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0)
    assert known.of(gr.Request(session_hash="a")) is back
    assert soon(lambda: not back.folder.exists())  # nobody tells a second time that they left
    known.close()
