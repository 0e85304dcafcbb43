"""Visitors of the page, what belongs to them, and whose turn it is to compute."""

import shutil
import threading
import time
from collections import deque
from contextlib import nullcontext

import gradio as gr
import pytest
from conftest import make_photo, soon, visitor_with, with_info
from pages import VISITOR, at_work, click_on, short_work_waits
from PIL import Image

from styletransfer.core import Progress
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.page import belongings, visitors
from styletransfer.page.belongings import Belongings, Painted
from styletransfer.page.events import WAITING, show_error, telling
from styletransfer.page.learn import LearnTab
from styletransfer.page.many import ManyTab
from styletransfer.page.sheet import HINT, SheetTab
from styletransfer.page.visitors import KEPT_FOLDERS
from styletransfer.page.wish import Wish
from styletransfer.page.work import Dropped, Finished, Halt, alone, follow
from styletransfer.stylefile import load_style, save_style

BACK = gr.Request(session_hash="b")  # of a visitor whom the server takes for somebody new


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


def test_what_is_stopped_before_it_begins_ends_at_its_first_step():
    halt, steps = Halt(stopped=True), []  # by a click long ago, which does not count

    def work(on_step):
        for step in range(2):
            steps.append(step)
            on_step(Progress(step, 2))

    assert list(follow(work, halt))[-1] == Finished(None)
    events = follow(work, halt)
    halt.stopped = True
    with pytest.raises(Cancelled):
        list(events)
    assert steps == [0, 1, 0]
    with alone(Halt(stopped=True, short=True)):  # as of a preview
        pass


def test_what_is_short_and_stopped_while_it_waits_never_begins():
    halt, done = Halt(short=True), []

    def long_work(on_step):
        assert soon(short_work_waits)
        halt.stopped = True
        on_step(Progress(0, 2))

    events = follow(long_work, Halt())
    worker = threading.Thread(target=list, args=(events,))
    worker.start()
    assert soon(at_work)
    with pytest.raises(Cancelled):
        list(follow(done.append, halt))
    worker.join()
    assert done == []


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
    for _ in range(2):  # its turn, and its first step
        next(events)
    began = time.monotonic()
    events.close()
    assert time.monotonic() - began < 5
    other = follow(lambda on_step: order.append("second"), Halt())
    threading.Timer(0.2, step.set).start()
    assert list(other) == [None, Finished(None)]
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
    known = visitors.Visitors(transfer, shared_styles=False)
    before, stranger = (gr.Request(session_hash=name) for name in "ab")
    key = known.of(before).own.key
    own = known.of(before).own
    shutil.copy(next(transfer._bank.own.glob("*.safetensors")), own.folder / "styles" / "mine.safetensors")
    after = gr.Request(session_hash="c")
    unused = known.of(after).own.folder
    known.leave(before)
    assert known.of(after, key) is known.of(after)
    assert known.of(after).own.key == key
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0)
    known.leave(before)
    assert soon(lambda: not known._known.keys() & {"a"})  # the page before is forgotten, not its styles
    assert known.of(after).transfer.own_styles == ["mine"]
    assert not unused.exists()
    for guess in (None, "", "a", known.of(stranger).own.key, [key]):
        assert known.of(stranger, guess).own.key != key
        assert known.of(stranger).transfer.own_styles == []
    known.close()
    assert not own.folder.exists()


def test_short_works_pass_between_the_steps_of_a_long_one_and_long_ones_do_not():
    order, going = [], threading.Event()

    def first(on_step):
        going.set()
        assert soon(short_work_waits)
        on_step(Progress(0, 2))
        order.append("first")

    works = [(first, False), (lambda on_step: order.append("second"), False)]
    works += [(lambda on_step: order.append("short"), True)]
    threads = []
    for each, short in works:
        events = follow(each, Halt(short=short))
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


def test_a_new_folder_is_its_own_whatever_others_are_made_meanwhile(tmp_path, transfer):
    class Busy(deque):
        def append(self, folder):  # as where another thread adds one
            super().append(folder)
            super().append(tmp_path / "other")

    visitor = visitor_with(transfer, tmp_path)
    visitor._folders = Busy()
    assert visitor.new_folder() != tmp_path / "other"


def test_a_folder_for_results_is_emptied_as_far_as_that_can_be(tmp_path, transfer, monkeypatch):
    visitor = visitor_with(transfer, tmp_path)
    folder = visitor.emptied("many")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as on Windows, where a file in it is open
    assert visitor.emptied("many") == folder


def test_a_photo_is_kept_in_the_last_few_sizes_until_another_one_comes_or_its_visitor_leaves(
    tmp_path, transfer
):
    visitor = visitor_with(transfer, tmp_path)
    photo, other = (str(tmp_path / name) for name in ("a.png", "b.png"))
    for seed, file in enumerate((photo, other)):
        make_photo(30, 40, seed).save(file)
    first, *_ = (visitor.scaled(photo, side) for side in (10, 20, 30))
    assert visitor.scaled(photo, 10) is first
    visitor.scaled(photo, 40)
    assert [side for _, side in visitor._scaled] == [30, 10, 40]
    visitor.scaled(other, 10)
    assert list(visitor._scaled) == [(other, 10)]
    visitor.rest()
    assert not visitor._scaled


def test_the_painting_of_who_left_is_kept_unless_a_file_has_all_of_it(tmp_path):
    shown, file = Image.new("RGBA", (4, 4)), tmp_path / "painted.png"
    lossy = {"JPEG": tmp_path / "painted.jpg", "WebP": tmp_path / "painted.webp"}
    painted = Painted("photo.png", Wish({}), shown, "note", lossy | {"PNG": file})
    painted.rest()
    assert painted.painting is shown  # the oldest files are removed
    shown.save(file)
    painted.rest()
    assert painted.painting == file


@pytest.mark.parametrize(
    ("mode", "limit", "rests"), [("RGB", 15, True), ("RGB", 16, False), ("RGBA", 15, False)]
)
def test_a_large_painting_without_transparency_rests_in_any_file(tmp_path, monkeypatch, mode, limit, rests):
    monkeypatch.setattr(belongings, "WHOLE_PIXELS", limit)
    shown, file = Image.new(mode, (4, 4)), tmp_path / "painted.webp"
    shown.save(file)
    painted = Painted("photo.png", Wish({}), shown, "note", {"WebP": file, "PNG": tmp_path / "gone.png"})
    painted.rest()
    assert painted.painting == (file if rests else shown)
    assert painted.picture().size == (4, 4)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_the_painting_of_who_left_is_saved_in_another_format_as_it_was_when_they_are_back(
    paint_tab, file_format
):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    visitor.file_format, visitor.on_page = file_format, True
    list(tab.painter.paint(values, VISITOR))
    painted = visitor.painted
    whole = painted.painting
    visitor.paint_halts.append(visitor.short)
    tab.visitors.leave(VISITOR)  # while another one is painted
    assert visitor.painted.painting is whole
    visitor.paint_halts.clear()
    tab.visitors.leave(VISITOR)
    assert visitor.painted is painted
    assert (painted.painting is not whole) == (file_format == "PNG")  # a JPEG is only nearly the same
    again = painted.picture()
    assert (again.size, again.info) == (whole.size, whole.info)
    assert again.tobytes() == whole.tobytes()
    assert tab.results.save_again("WebP", VISITOR)["value"].endswith(".webp")


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


def test_who_left_and_is_back_is_no_longer_among_the_first_to_be_forgotten(transfer):
    known = visitors.Visitors(transfer, shared_styles=False)
    visitor = known.of(VISITOR, "key")
    held = visitor.hold
    known.leave(VISITOR)
    assert visitor.hold == 0
    assert known.of(VISITOR).hold == held > 1
    known.close()


def test_who_waits_for_their_turn_is_forgotten_last(transfer, tmp_path):
    visitor = visitor_with(transfer, tmp_path)
    with alone(Halt()):
        threads = [threading.Thread(target=list, args=(follow(print, visitor.short),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert soon(lambda: visitor.short.working == 2)
        assert visitor.hold == 3
    for thread in threads:
        thread.join()
    assert visitor.hold < 3


def test_who_is_back_before_long_finds_everything_as_it_was(transfer, monkeypatch):
    known = visitors.Visitors(transfer, shared_styles=False)
    back, gone = (known.of(gr.Request(session_hash=name)) for name in "ab")
    for name in "ab":
        known.leave(gr.Request(session_hash=name))
    assert known.of(gr.Request(session_hash="a")) is back
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0)
    known.leave(gr.Request(session_hash="b"))
    assert soon(lambda: not gone.folder.exists())
    assert back.folder.exists()
    assert known.of(gr.Request(session_hash="a")) is back
    assert soon(lambda: not back.folder.exists())  # nobody tells a second time that they left
    known.close()


def test_who_watches_their_work_is_not_forgotten_though_the_connection_was_cut(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "KEPT_SECONDS", 0.05)
    known = visitors.Visitors(transfer, shared_styles=False)
    visitor = known.of(VISITOR)
    visitor.on_page = visitor.long.working = True
    known.leave(VISITOR)
    first = visitor.leaving
    assert soon(lambda: visitor.leaving is not first)
    assert visitor.folder.exists()
    assert not visitor.long.dropped
    visitor.long.working = False
    assert soon(lambda: not visitor.folder.exists())
    known.close()


def test_only_those_last_seen_have_their_photo_in_memory(transfer, monkeypatch):
    monkeypatch.setattr(visitors, "AWAKE", 2)
    known = visitors.Visitors(transfer, shared_styles=False)
    everybody = [known.of(gr.Request(session_hash=name)) for name in "abc"]
    for visitor in everybody:
        visitor._scaled = {("photo.png", 10): None}
    known.of(gr.Request(session_hash="a"))
    assert [bool(visitor._scaled) for visitor in everybody] == [True, False, True]
    everybody[2].short.working = True
    for name in "ab":
        known.of(gr.Request(session_hash=name))
    assert everybody[2]._scaled  # it is being painted
    known.close()


def test_a_name_in_a_file_of_others_is_text_in_all_messages(paint_tab):
    tab, values = paint_tab
    error, text = InvalidInput("no <img src=x>"), "no &lt;img src=x&gt;"
    with pytest.raises(gr.Error, match=f"^'{text}'$"), telling():
        raise error
    with pytest.warns(UserWarning, match=f"^{text}$"):
        show_error(error)
    with pytest.warns(UserWarning, match="not available here: &lt;img src=x&gt;"):
        tab.restorer._settings_of({"styles": {"<img src=x>": 1.0}}, values, VISITOR)


def test_errors_call_a_photo_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with pytest.raises(gr.Error, match=r"^'my photo.png is no picture'$"), telling():
        raise InvalidInput(f"{tmp_path}/0123456789abcdef/my photo.png is no picture")


def test_the_styles_on_a_photo_wait_for_no_long_work(paint_tab):
    tab, values = paint_tab
    visitor, begun, looked, ended = tab.visitors.of(VISITOR), threading.Event(), threading.Event(), []

    def long_work(on_step):
        for _ in range(6000):  # at most a minute
            if looked.is_set():
                break
            begun.set()
            time.sleep(0.01)
            on_step(Progress(0, 2))
        ended.append(looked.is_set())

    learning = threading.Thread(target=list, args=(follow(long_work, visitor.long),))
    learning.start()
    assert begun.wait(60)
    tab.choices.styles_on_photo(values | {tab.controls.on_photo: True}, VISITOR)
    looked.set()
    learning.join()
    assert ended == [True]
    assert {"amber", "blue", "coral"} <= visitor.styles_on_photo.keys()


def test_short_work_that_comes_without_end_does_not_stop_long_work():
    done, given_up = threading.Event(), threading.Event()

    def short(_):  # ends when the next one waits, so that one always does
        while not (short_work_waits() or done.is_set() or given_up.is_set()):
            time.sleep(0.001)

    def busy():
        while not (done.is_set() or given_up.is_set()):
            list(follow(short, Halt(short=True)))

    def long_work(on_step):
        for step in range(3):
            on_step(Progress(step, 3))
        done.set()

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(2)]
    threads.append(threading.Thread(target=list, args=(follow(long_work, Halt()),), daemon=True))
    for thread in threads:
        thread.start()
    is_done = done.wait(10)
    given_up.set()
    for thread in threads:
        thread.join(10)
    assert is_done


def test_what_a_program_asked_for_is_dropped_when_it_is_gone(paint_tab):
    tab, _ = paint_tab
    visitor = tab.visitors.of(VISITOR)
    before = (visitor.long, visitor.short)
    visitor.on_page = True
    tab.visitors.leave(VISITOR)  # as a phone does that is locked
    assert (visitor.long, visitor.short) == before
    visitor.on_page = False
    tab.visitors.leave(VISITOR)
    for halt in before:
        with pytest.raises(Dropped), alone(halt):
            pytest.fail("began what nobody waits for")
    for halt, short in ((visitor.long, False), (visitor.short, True)):  # it may come back
        assert halt.short == short
        with alone(halt) as on_step:
            on_step(Progress(0, 2))


def test_a_tab_that_the_server_forgot_paints_among_what_is_its_owners(paint_tab):
    tab, values = paint_tab
    own = tab.visitors.of(VISITOR).own
    *_, told = tab.painter.paint(values | {tab.controls.key: own.key}, BACK)
    assert told[tab.controls.key] == own.key
    assert tab.visitors.of(BACK).own is own
    assert tab.visitors.of(BACK).hold == tab.visitors.of(gr.Request(session_hash="c"), "another").hold > 1


@pytest.fixture
def forgotten_tab(paint_tab, transfer):
    """The Paint tab, and what its controls hold where the visitor's own style is chosen, who sends BACK now."""
    tab, values = paint_tab
    it, tab.visitors.shared_styles = tab.controls, False
    own = tab.visitors.of(VISITOR).own  # kept by another tab of the same browser
    shutil.copy(transfer._bank.find("amber"), own.folder / "styles" / "mine.safetensors")
    return tab, values | {it.key: own.key, it.chosen: ["mine"], it.named: ["mine"]}


def test_a_tab_that_the_server_forgot_paints_many_photos_in_its_owners_style(forgotten_tab):
    tab, values = forgotten_tab
    with gr.Blocks():
        several = ManyTab(tab)
    *_, (told, _, _) = several._paint(values | {several.files: [values[tab.controls.photo]]}, BACK)
    assert "1 of 1 painted" in told


def test_a_tab_that_the_server_forgot_shows_its_owners_style_among_all(forgotten_tab):
    tab, values = forgotten_tab
    with gr.Blocks():
        sheet = SheetTab(tab, gr.Tabs())
    *_, ([(picture, _), *_], _, _) = sheet._paint(values, BACK)
    updates = sheet._choose(values | {tab.controls.chosen: []}, click_on(picture), gr.Request(session_hash="c"))
    assert updates[tab.controls.chosen] == ["mine"]


def test_a_tab_that_the_server_forgot_finds_and_chooses_its_owners_style(forgotten_tab):
    tab, values = forgotten_tab
    shown = tab.choices.search(values | {tab.controls.search: "amber"}, BACK)["value"]
    mine = next(file for file, _ in shown if "mine" in file)
    updates = tab.choices.choose(
        values | {tab.controls.chosen: []}, click_on(mine), gr.Request(session_hash="c")
    )
    assert updates[tab.controls.chosen] == ["mine"]
    assert tab.controls.result in tab.painter.preview(values, gr.Request(session_hash="d"))


def test_a_tab_that_the_server_forgot_shows_earlier_paintings_and_exports_a_style(forgotten_tab):
    tab, values = forgotten_tab
    list(tab.painter.paint(values, VISITOR))
    [earlier] = tab.visitors.of(VISITOR).own.earlier
    shown = tab.results.show_earlier(values, click_on(earlier.small), BACK)
    assert shown[tab.controls.download]["value"] == str(earlier.file)
    with gr.Blocks():
        learning = LearnTab(tab)
    updates = learning._chosen(values | {learning.own: "mine"}, gr.Request(session_hash="c"))
    assert updates[learning.export]["interactive"]


def test_a_tab_that_the_server_forgot_imports_a_style_among_what_is_its_owners(learn_tab, transfer, tmp_path):
    tab, values = learn_tab
    tab.visitors.shared_styles = False
    file = tmp_path / "mine.safetensors"
    style = load_style(transfer._bank.find("amber"))
    save_style(file, with_info(style, slug="mine"))
    own = tab.visitors.of(VISITOR).own
    values = values | {tab.paint_tab.controls.key: own.key, tab.add: str(file)}
    assert "Amber" in tab._add(values, BACK)
    tab.listing(values, BACK)
    assert own.transfer.own_styles == ["mine"]


def test_nothing_of_a_removed_style_is_shown_in_any_tab_of_who_had_it(learn_tab, transfer, tmp_path):
    tab, values = learn_tab
    shared = transfer.with_styles(tmp_path)
    shutil.copy(transfer._bank.find("amber"), tmp_path / "mine.safetensors")
    one, other, stranger = (tab.visitors.of(gr.Request(session_hash=name)) for name in "abc")
    wish = Wish({"mine": 1.0})
    for visitor in (one, other, stranger):
        visitor.own = Belongings(transfer if visitor is stranger else shared, tmp_path)
        visitor.painted = Painted("photo.png", wish, Image.new("RGB", (8, 6)), "")
        visitor.styles_on_photo = {"mine": tmp_path, "amber": tmp_path}
    tab._remove(values | {tab.own: "mine"}, VISITOR)
    for visitor in (one, other):
        assert visitor.painting_of("photo.png", wish) is None  # another one may be learned under its name
        assert visitor.styles_on_photo.keys() == {"amber"}
    assert stranger.painting_of("photo.png", wish)
    assert stranger.styles_on_photo.keys() == {"mine", "amber"}
    assert tab.paint_tab.results.save_again("JPEG", VISITOR)["value"].endswith(".jpeg")  # it is shown still


def test_stop_ends_what_the_tab_paints_and_no_learning_beside_it(paint_tab, monkeypatch):
    tab, values = paint_tab
    visitor = tab.visitors.of(VISITOR)
    asked = []

    def paint(self, transfer, photo, on_step):
        visitor.long.stopped = False
        tab.visitors.stop_painting(VISITOR)
        asked.append((visitor.short.stopped, visitor.long.stopped))
        return Image.new("RGB", (80, 60))

    monkeypatch.setattr(Wish, "paint", paint)
    fast = list(tab.painter.paint(values, VISITOR))
    finest = list(tab.painter.paint(values | {tab.controls.method: "Finest"}, VISITOR))
    assert asked == [(True, False), (True, True)]
    visitor.short.stopped = visitor.long.stopped = False
    tab.visitors.stop_painting(VISITOR)  # nothing is painted
    assert not visitor.long.stopped
    stop, off, on = tab.controls.stop_button, *(gr.update(interactive=each) for each in (False, True))
    for told in (fast, finest):
        assert [update[stop] for update in told if stop in update][-1] == off
    visitor.paint_halts.append(visitor.long)  # the finest is at work
    beside = tab.painter.paint(values | {tab.controls.strength: 0.5}, VISITOR)
    assert [update[stop] for update in beside if stop in update][-1] == on


def test_what_takes_long_is_said_to_be_under_way_as_soon_as_its_turn_comes(learn_tab):
    tab, values = learn_tab
    with gr.Blocks():
        several, sheet = ManyTab(tab.paint_tab), SheetTab(tab.paint_tab, gr.Tabs())
    photo = values[tab.paint_tab.controls.photo]
    wished = {
        tab.picture: photo,
        tab.name: "Mine",
        tab.seconds: 10,
        tab.style_side: 128,
        several.files: [photo],
    }
    for work, under_way in (
        (tab._learn, "Looking at the picture"),
        (several._paint, "Reading"),
        (sheet._paint, HINT),
    ):
        events = work(values | wished, VISITOR)
        assert WAITING in next(events)
        assert under_way in str(next(events))
        events.close()
        assert soon(lambda: not at_work())


def test_a_job_that_is_dropped_is_no_accident_of_the_server():
    with pytest.raises(gr.Error, match="connection was lost") as told, telling():
        raise Dropped
    assert not told.value.print_exception


def test_who_was_forgotten_while_a_painting_waited_is_told_what_became_of_it(paint_tab):
    tab, values = paint_tab
    tab.visitors.of(VISITOR).short.dropped = True
    with pytest.raises(gr.Error, match="connection was lost"):
        list(tab.painter.paint(values, VISITOR))
