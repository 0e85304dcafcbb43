"""The page's functions for programs, called over the network as a program calls them."""

import json
import re
from pathlib import Path

import httpx
import pytest
from conftest import make_photo, soon
from gradio.queueing import Queue
from gradio_client import Client, handle_file
from pages import at_work

from styletransfer import images
from styletransfer.page.endpoints import MOST_SECONDS
from styletransfer.page.learn import SECONDS, TAUGHT_SIZE
from styletransfer.page.uploads import LARGEST_UPLOAD
from styletransfer.page.visitors import KEPT_SECONDS, MOST_VISITORS, Visitors
from styletransfer.settings import STYLE_SIDE
from styletransfer.stylefile import load_style

PAGE = (Path(__file__).parent.parent / "docs" / "page.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def client(site, tmp_path_factory):
    return Client(site, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_the_python_lines_of_the_docs_run(site, own_styles, tmp_path, monkeypatch):
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for written, tried in (
        ('Client("http://127.0.0.1:7860")', f'Client("{site}", download_files=".")'),
        ("great-wave", "amber"),
        ("udnie", "blue"),
        ('"My style", 40', '"My style", 0.1'),
    ):
        assert written in code
        code = code.replace(written, tried)
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "painting.jpg"):
        make_photo(40, 50).save(name)
    names: dict = {}
    exec(compile(code, "page.md", "exec"), names)
    assert images.read_metadata(Path(names["path"]))["styles"] == {"amber": 0.7, "blue": 0.3}
    (own_styles / "my-style.safetensors").unlink()


def test_the_docs_name_the_parameters_and_their_defaults(client):
    told = re.findall(r"^\| `(\w+)` \| (\S*) ?\|", PAGE, re.MULTILINE)
    api = client.view_api(return_format="dict", print_info=False)
    parameters = api["named_endpoints"]["/stylize"]["parameters"]
    assert [name for name, _ in told] == [each["parameter_name"] for each in parameters]
    for (name, default), parameter in zip(told, parameters, strict=True):
        assert (json.loads(default) if default else None) == parameter["parameter_default"], name


def test_the_docs_name_what_a_style_is_learned_by_its_defaults_and_its_limits(client):
    api = client.view_api(return_format="dict", print_info=False)
    found = {
        each["parameter_name"]: each["parameter_default"]
        for each in api["named_endpoints"]["/train_style"]["parameters"]
    }
    assert found == {"painting": None, "name": None, "seconds": SECONDS, "style_side": STYLE_SIDE}
    [told] = re.findall(r"`/train_style` takes (.*?) If the page asks", PAGE.replace("\n", " "))
    assert re.findall(r"`(\w+)`", told) == list(found)
    assert f"`seconds`, {SECONDS} unless given, at most {MOST_SECONDS}" in told
    assert f"`style_side`, {STYLE_SIDE} unless given, {TAUGHT_SIZE.least} to {TAUGHT_SIZE.most}" in told


def test_calls_are_those_of_one_client_where_they_say_so_as_the_docs_advise(site, monkeypatch):
    assert "`session_hash`" in PAGE
    of, known = Visitors.of, []
    monkeypatch.setattr(Visitors, "of", lambda *given: known.append(of(*given)) or known[-1])
    for named in ({"session_hash": "random"}, {}):
        for _ in range(2):
            call = httpx.post(f"{site}/gradio_api/call/styles", json={"data": [], **named}).json()["event_id"]
            assert "event: complete" in httpx.get(f"{site}/gradio_api/call/styles/{call}").text
    assert [known.index(each) for each in known] == [0, 0, 2, 3]


def test_the_docs_say_how_many_visitors_are_known_at_most():
    assert re.findall(r"more than (\d+)\s+clients", PAGE) == [str(MOST_VISITORS)]


def test_the_docs_say_how_long_the_styles_of_a_client_are_kept():
    assert f"until {({3600: 'an hour'})[KEPT_SECONDS]} after the `gradio_client` is gone" in PAGE


def test_programs_are_told_which_strokes_can_be_learned(client, photo_file):
    with pytest.raises(Exception, match="style_side is 2048; it must be from 64 to 1024"):
        client.predict(handle_file(photo_file), "Broad", 1, 2048, api_name="/train_style")
    with pytest.raises(Exception, match="style_side is 20; it must be from 64 to 1024"):
        client.predict(handle_file(photo_file), "Broad", 1, 20, api_name="/train_style")


def test_gradio_sums_up_nothing_after_an_event(client, monkeypatch):
    summed_up = []
    monkeypatch.setattr(Queue, "_get_df", summed_up.append)
    client.predict(api_name="/styles")
    assert summed_up == []


def test_programs_can_list_and_paint(client, photo_file):
    assert client.predict(api_name="/styles")["amber"]["title"] == "Amber"
    options = {"photo": handle_file(photo_file), "size": 64, "api_name": "/stylize"}
    path = client.predict(styles={"amber": 3, "blue": 1}, style_picture=None, **options)
    assert images.read_metadata(Path(path))["styles"] == {"amber": 0.75, "blue": 0.25}


def test_every_option_of_a_program_counts(client, photo_file):
    wished = {"strength": 0.5, "preserve_color": 0.25, "stroke_size": 2, "size": 64, "method": "gatys"}
    wished["color_mode"] = "statistics"
    options = {"styles": {"amber": 1}, "style_picture": None, "seconds": 0.1, "api_name": "/stylize"}
    found = images.read_metadata(Path(client.predict(handle_file(photo_file), **wished, **options)))
    assert {name: found[name] for name in wished} == wished
    assert found["optimization"]["seconds"] == 0.1


def test_a_picture_gets_what_the_weights_of_styles_leave(client, photo_file, tmp_path):
    make_photo(60, 60, seed=5).save(tmp_path / "painting.png")
    options = {"photo": handle_file(photo_file), "size": 64, "api_name": "/stylize"}
    options["style_picture"] = handle_file(tmp_path / "painting.png")
    path = client.predict(styles={"amber": 0.25}, **options)
    assert images.read_metadata(Path(path))["styles"] == {"amber": 0.25, "painting.png": 0.75}
    whole = {"amber": 0.7, "blue": 0.2, "coral": 0.1}  # but for rounding
    with pytest.raises(Exception, match="leave nothing for the picture"):
        client.predict(styles=whole, **options)


@pytest.mark.parametrize("route", ["run", "api"])
def test_nothing_is_painted_past_the_queue(site, photo_file, route):
    upload = httpx.post(f"{site}/gradio_api/upload", files={"files": photo_file.read_bytes()}).json()[0]
    photo = {"path": upload, "meta": {"_type": "gradio.FileData"}}
    values = [photo, {"amber": 1}, None, 1, 0, 1, 64, "cin", 1, "luminance"]
    assert httpx.post(f"{site}/gradio_api/{route}/stylize", json={"data": values}).status_code == 404


def test_the_region_editor_takes_nothing_past_the_queue(site):
    parts = httpx.get(f"{site}/config").json()["components"]
    [editor] = [part["id"] for part in parts if part["type"] == "imageeditor"]
    call = {"component_id": editor, "session_hash": "a", "fn_name": "accept_blobs"}
    layer = {"type": "layer", "index": "9", "id": "b"}
    told = httpx.post(f"{site}/gradio_api/component_server", data=call | layer, files={"file": b"x"})
    assert told.status_code == 404


def test_programs_are_told_what_was_wrong(client, photo_file):
    with pytest.raises(Exception, match="did you mean 'amber'"):
        client.predict(
            photo=handle_file(photo_file), styles={"ambre": 1}, style_picture=None, api_name="/stylize"
        )


def test_programs_give_styles_with_weights(client, photo_file):
    with pytest.raises(Exception, match="give names and weights"):
        client.predict(handle_file(photo_file), ["amber"], None, api_name="/stylize")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"styles": {"amber": "much"}}, "weight of 'amber' is 'much'"),
        ({"styles": {"amber": None}}, "weight of 'amber' is None"),
        ({"styles": {"amber": 10**400}}, "weight of 'amber' is 10"),
        ({"styles": {"amber": 1}, "size": None}, "size is None"),
        ({"styles": {"amber": 1}, "seconds": None}, "seconds is None"),
        ({"styles": {"amber": 1}, "seconds": 601}, "at most 600"),
        ({"styles": {"amber": 1}, "color_mode": "hue"}, "choose one of luminance, statistics"),
    ],
)
def test_programs_give_numbers(client, photo_file, options, message):
    with pytest.raises(Exception, match=message):
        client.predict(photo=handle_file(photo_file), style_picture=None, **options, api_name="/stylize")


def test_programs_cannot_look_at_other_files_of_the_machine(client, photo_file, tmp_path):
    make_photo(40, 40, seed=8).save(tmp_path / "private.png")
    with pytest.raises(Exception, match="no style named"):
        client.predict(
            photo=handle_file(photo_file),
            styles={str(tmp_path / "private.png"): 1},
            style_picture=None,
            api_name="/stylize",
        )


def test_nothing_is_fetched_for_those_who_give_an_address(client, site):
    address = "https://127.0.0.1/photo.png"
    with pytest.raises(Exception, match="addresses are not fetched"):
        client.predict(handle_file(address), {"amber": 1}, None, api_name="/stylize")
    told = httpx.get(f"{site}/gradio_api/file={address}")
    assert told.status_code == 403
    assert "addresses are not fetched" in told.text


def test_nobody_can_look_at_the_history_of_runs(site):
    assert httpx.get(f"{site}/gradio_api/runs").status_code == 404
    assert httpx.get(f"{site}/gradio_api/run-history/buckets").status_code == 404


def test_too_large_an_upload_is_refused(site):
    assert LARGEST_UPLOAD == 100  # `site` takes less
    files = {"files": bytes(2**22 + 1)}
    assert httpx.post(f"{site}/gradio_api/upload", files=files, timeout=60).status_code == 413


@pytest.mark.parametrize("place", ["photo", "style_picture"])
def test_programs_cannot_name_a_file_that_they_did_not_upload(site, photo_file, tmp_path, place):
    make_photo(40, 40, seed=8).save(tmp_path / "private.png")
    upload = httpx.post(f"{site}/gradio_api/upload", files={"files": photo_file.read_bytes()}).json()[0]
    given = {"photo": {"path": upload, "meta": {"_type": "gradio.FileData"}}, "style_picture": None}
    told = {}
    for path in (upload, str(tmp_path / "private.png")):
        given[place] = {"path": path}
        values = [given["photo"], {"amber": 0.5}, given["style_picture"], 0, 0, 1, 0, "cin", 1, "luminance"]
        call = httpx.post(f"{site}/gradio_api/call/stylize", json={"data": values}).json()["event_id"]
        told[path] = httpx.get(f"{site}/gradio_api/call/stylize/{call}", timeout=60).text
    assert "event: complete" in told[upload]
    assert "event: error" in told[str(tmp_path / "private.png")]


@pytest.mark.usefixtures("slow_at_half_strength")
def test_long_work_for_a_program_lets_quick_work_pass_and_is_dropped_when_the_program_is_gone(
    site, client, photo_file
):
    upload = httpx.post(f"{site}/gradio_api/upload", files={"files": photo_file.read_bytes()}).json()[0]
    photo = {"path": upload, "meta": {"_type": "gradio.FileData"}}
    values = [photo, {"amber": 1}, None, 0.5, 0, 1, 0, "gatys", 60, "luminance"]
    order = {"data": values, "session_hash": "program"}
    with httpx.stream("GET", f"{site}/gradio_api/heartbeat/program") as connection:
        lines = connection.iter_lines()  # kept, as the connection ends with it
        next(lines)
        httpx.post(f"{site}/gradio_api/call/stylize", json=order)
        assert soon(at_work)
        quick = {"photo": handle_file(photo_file), "styles": {"amber": 1}, "style_picture": None, "size": 64}
        assert client.submit(**quick, api_name="/stylize").result(timeout=20)
    assert soon(lambda: not at_work(), 20)  # long before it would be done


def test_programs_can_teach_a_style(client, photo_file, own_styles):
    options = {"seconds": 0.1, "style_side": 128, "api_name": "/train_style"}
    assert client.predict(handle_file(photo_file), "By program", **options) == "by-program"
    file = own_styles / "by-program.safetensors"
    used = load_style(file).info.recipe["settings"]
    assert (used["seconds"], used["style_side"]) == (0.1, 128)
    file.unlink()
