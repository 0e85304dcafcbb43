"""The page as a whole: where it is served, and to whom."""

import asyncio
import os
import socket
import stat
import tempfile
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from conftest import free_port
from gradio import route_utils, routes
from gradio.state_holder import StateHolder
from pages import VISITOR, at_work

from styletransfer import StyleTransfer
from styletransfer.errors import InvalidInput
from styletransfer.estimate import matrix_rate
from styletransfer.page import serve
from styletransfer.page import site as site_module

pytestmark = pytest.mark.usefixtures("uploads_folder")


@pytest.mark.parametrize(
    ("host", "share", "shared"),
    [
        ("127.0.0.1", False, True),
        ("localhost", False, True),
        ("0.0.0.0", False, False),
        ("192.168.1.5", False, False),
        ("127.0.0.1", True, False),
    ],
)
def test_the_page_is_served_where_it_is_wished_and_beyond_this_machine_styles_are_the_visitors_own(
    transfer, monkeypatch, host, share, shared
):
    told = {}
    page = SimpleNamespace(queue=lambda **_: None, launch=told.update)
    monkeypatch.setattr(site_module, "build_page", lambda _, **wishes: told.update(wishes) or page)
    serve(transfer, host=host, share=share, wait=False)
    assert (told["server_name"], told["share"], told["shared_styles"]) == (host, share, shared)


def test_uploads_lie_in_a_folder_of_their_own_unless_one_is_given(transfer, tmp_path, monkeypatch):
    page = SimpleNamespace(queue=lambda **_: None, launch=lambda **_: None)
    monkeypatch.setattr(site_module, "build_page", lambda *_, **__: page)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = os.environ["GRADIO_TEMP_DIR"]
    serve(transfer, wait=False)
    assert os.environ["GRADIO_TEMP_DIR"] == given
    monkeypatch.setenv("GRADIO_TEMP_DIR", "relative")
    serve(transfer, wait=False)
    assert os.environ["GRADIO_TEMP_DIR"] == str(Path("relative").absolute())
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    monkeypatch.setattr(route_utils, "delete_files_created_by_app", lambda *_: None)
    serve(transfer, wait=False)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert str(folder) == routes.DEFAULT_TEMP_DIR
    assert folder.parent == tmp_path.resolve()
    assert os.name == "nt" or stat.S_IMODE(folder.stat().st_mode) == 0o700  # other users cannot look into it


def test_what_was_uploaded_long_ago_is_removed_with_its_folder_whatever_comes_meanwhile(tmp_path, monkeypatch):
    files = [tmp_path / name for name in ("new/a.png", "old/a.png", "kept/a.png", ".broken", "empty/b/c")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    files[-1].unlink()
    blocks = {1: SimpleNamespace(keep_in_cache={str(files[2])}), 2: SimpleNamespace()}
    page = SimpleNamespace(blocks=blocks, temp_file_sets=[{str(files[0])}])
    site_module.tidy(tmp_path, page, 3600)
    assert all(file.exists() for file in files[:4])
    time.sleep(0.1)
    files[0].write_bytes(b"touched")
    monkeypatch.setattr(time, "time", lambda: files[0].stat().st_mtime)
    site_module.tidy(tmp_path, page, 0.05)
    assert [file.exists() for file in files[:4]] == [True, False, True, False]
    assert not (tmp_path / "empty" / "b").exists()
    assert (tmp_path / "old").exists()  # as a copy may be on its way there
    assert page.temp_file_sets == [set()]  # it would grow for ever
    site_module.tidy(tmp_path, page, None)  # as the page ends
    assert files[0].exists()


@pytest.mark.parametrize("given", [False, True])
def test_only_a_folder_of_uploads_of_its_own_is_tidied_by_the_page(transfer, tmp_path, monkeypatch, given):
    page = SimpleNamespace(queue=lambda **_: None, launch=lambda **_: None)
    monkeypatch.setattr(site_module, "build_page", lambda *_, **__: page)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usual = route_utils.delete_files_created_by_app
    monkeypatch.setattr(route_utils, "delete_files_created_by_app", usual)
    if not given:
        monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    serve(transfer, wait=False)
    assert (route_utils.delete_files_created_by_app is usual) == given
    if not given:  # it is looked up whenever it is time
        monkeypatch.setattr("anyio.to_thread.run_sync", stop_with)
        coroutine = route_utils.delete_files_on_schedule(SimpleNamespace(get_blocks=lambda: page), 0, 1)
        with pytest.raises(InterruptedError, match="styletransfer-uploads-"):
            asyncio.run(coroutine)


async def stop_with(function, *_):
    raise InterruptedError(str(function))


def test_the_page_tells_the_makers_of_gradio_nothing(transfer, monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    assert not site_module.build_page(transfer, shared_styles=False).analytics_enabled


def test_who_is_back_after_the_connection_was_cut_keeps_what_they_chose(transfer):
    page = site_module.build_page(transfer, shared_styles=False)
    states = StateHolder()
    page.state_session_capacity = 10
    states.set_blocks(page)
    [unload] = [each for each in page.fns.values() if any(event == "unload" for _, event in each.targets)]
    state = next(block for block in page.blocks.values() if isinstance(block, gr.State))
    session = states["a"]
    session[state._id] = ["blue"]
    session._state_ttl[state._id] = (state.time_to_live, datetime.now() - timedelta(hours=2))
    session.is_closed = True  # as Gradio sets it before it calls what is to happen then
    unload.fn(VISITOR)
    states.delete_all_expired_state()
    assert session[state._id] == ["blue"]


def test_the_speed_of_the_machine_is_measured_before_anybody_paints(ship, tmp_path):
    ship()
    matrix_rate.cache_clear()
    site_module._load_networks(StyleTransfer(device="cpu", styles_dir=tmp_path))
    assert matrix_rate.cache_info().currsize == 1


def test_networks_are_loaded_while_nobody_paints():
    alone = []
    steps = dict.fromkeys(("estimate", "stylize"), lambda *_: alone.append(at_work()))
    site_module._load_networks(SimpleNamespace(styles=["amber"], **steps))
    assert alone == [True] * 3
    assert not at_work()


def test_a_page_with_a_password_shows_nothing_without_it(transfer, photo_file):
    port = free_port()
    page = serve(transfer, port=port, auth=("me", "secret"), wait=False)
    files = {"files": photo_file.read_bytes()}
    with closing(page), httpx.Client(base_url=f"http://127.0.0.1:{port}") as visitor:
        assert visitor.get("/config").status_code == 401
        assert visitor.post("/gradio_api/upload", files=files).status_code == 401
        assert visitor.post("/login", data={"username": "me", "password": "guess"}).status_code == 400
        assert visitor.post("/login", data={"username": "me", "password": "secret"}).status_code == 200
        assert visitor.get("/config").status_code == 200
        assert visitor.post("/gradio_api/upload", files=files).status_code == 200


def test_a_port_that_is_taken_is_told(tiny_models, tiny_styles):
    transfer = StyleTransfer(models_dir=tiny_models, styles_dir=tiny_styles)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match="another --port"):
            serve(transfer, port=port, wait=False)
