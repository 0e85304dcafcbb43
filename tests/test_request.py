"""What a request promises whatever the method: of one photo and of batches."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
import torch
from conftest import make_photo, near
from PIL import ExifTags, Image, ImageChops, ImageSequence

from styletransfer import Optimization, images, read_metadata
from styletransfer.errors import InvalidInput, UnknownStyle, UnreadableImage, UnwritableOutput
from styletransfer.masks import shares_of
from styletransfer.request import Options, Request
from styletransfer.settings import USUAL

MIX = {"amber": 0.75, "blue": 0.25}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("large", [False, True])
def test_a_painting_does_not_carry_what_the_photo_says_of_its_owner(
    transfer, photo, tmp_path, monkeypatch, large, suffix
):
    if large:
        monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    exif = photo.getexif()
    exif[ExifTags.Base.Make] = "a camera"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSMapDatum: "a place"}
    photo.save(tmp_path / "photo.jpg", exif=exif, comment="a comment")
    [result] = transfer.stylize_batch([tmp_path / "photo.jpg"], "amber")
    result.painting.save(tmp_path / f"painted{suffix}")
    for private in (b"a camera", b"a place", b"a comment"):
        assert private in (tmp_path / "photo.jpg").read_bytes()
        assert private not in (tmp_path / f"painted{suffix}").read_bytes()
    with Image.open(tmp_path / f"painted{suffix}") as painted:
        assert not painted.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    assert read_metadata(tmp_path / f"painted{suffix}")["styles"] == {"amber": 1.0}


def test_workers_are_a_whole_number(transfer, photo):
    with pytest.raises(InvalidInput, match=r"workers is 4\.0; it must be a whole number"):
        transfer.stylize_batch([photo], "amber", workers=4.0)


def shares(transfer, masks, size):
    styles, options = dict.fromkeys(masks, 0.5), Options(1.0, None, 1.0, 0.0, "luminance", USUAL)
    request = transfer._request(styles, "cin", masks, {}, options)
    return shares_of(request.weights, options.strength, request.masks, size)


def test_where_one_mask_fades_into_another_nothing_of_the_photo_is_left(transfer):
    left = Image.new("L", (8, 8))
    left.paste(255, (0, 0, 4, 8))
    masks = {"amber": left, "blue": ImageChops.invert(left)}
    weights, strength = shares(transfer, masks, (64, 64))
    assert (strength > 0.999).all()
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(64, 64))


def test_styles_with_the_same_mask_share_its_grey(transfer):
    grey, white = Image.new("L", (8, 8), 128), Image.new("L", (8, 8), 255)
    strength = [
        shares(transfer, masks, (16, 16))[1].mean().item()
        for masks in ({"amber": grey, "blue": grey}, {"amber": grey, "blue": white})
    ]
    assert strength == pytest.approx([0.5, 1.0], abs=0.01)


def test_previews_of_a_cut_out_are_on_white(transfer, monkeypatch):
    monkeypatch.setattr("styletransfer.methods.coarse_to_fine.PREVIEW_SECONDS", -1)
    photo, previews = make_photo(64, 64).convert("RGBA"), []
    photo.putalpha(Image.linear_gradient("L").resize((64, 64)).point(lambda value: 255 * (value > 127)))
    few = Optimization(steps=2, least_side=32)
    transfer.stylize(
        photo, "amber", method="gatys", optimization=few, on_step=lambda step: previews.append(step.preview)
    )
    assert len(previews) > 2
    for preview in previews:
        height = preview.shape[2]
        assert (preview[:, :, : height // 2 - 2] > 0.99).all()
        assert (preview[:, :, height // 2 + 2 :] < 0.99).any()


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_batch_is_its_singles_in_order(transfer, workers):
    photos = [make_photo(40 + 8 * (i // 2), 48, seed=i) for i in range(3)]
    results = list(transfer.stylize_batch(photos, MIX, workers=workers))
    assert [result.source for result in results] == photos
    assert all(
        near(result.image, transfer.stylize(photo, MIX)) for result, photo in zip(results, photos, strict=True)
    )


@pytest.mark.parametrize("stroke_size", [0.5, 1])
@pytest.mark.parametrize("preserve_color", [0, 0.5])
def test_photos_of_one_size_that_follow_one_another_are_painted_together(
    transfer, tmp_path, monkeypatch, stroke_size, preserve_color
):
    wish = {"stroke_size": stroke_size, "preserve_color": preserve_color}
    photos = [make_photo(48, 48 if i != 3 else 40, seed=i) for i in range(8)]
    photos += [make_photo(24, 24, seed=i) for i in range(13)] + [make_photo(600, 900)]
    photos += [make_photo(24, 24, seed=i) for i in range(6)]
    photos[1].putalpha(100)
    sources = [*photos[:6], tmp_path / "none.jpg", *photos[6:]]
    monkeypatch.setattr("styletransfer.methods.computes_int8", lambda device: False)
    stylizer = transfer._stylizer("cin")
    with patch.object(stylizer, "stylize", side_effect=stylizer.stylize) as painting:
        results = list(transfer.stylize_batch(sources, MIX, workers=2, **wish))
    assert [len(call.args[0]) for call in painting.call_args_list] == [
        1,  # until one that is not opaque
        1,
        1,
        1,  # of another size
        2,  # until one that cannot be read
        2,  # until one of another size
        8,  # MOST_TOGETHER
        5,  # until one of another size
        1,
        6,  # until the end
    ]
    assert [result.source for result in results] == sources
    assert isinstance(results.pop(6).error, UnreadableImage)
    for photo, result in zip(photos, results, strict=True):
        assert near(result.image, transfer.stylize(photo, MIX, **wish))


def test_photos_that_are_painted_together_are_painted_over_one_by_one(transfer, monkeypatch):
    photos = [make_photo(48, 48, seed=seed) for seed in range(5)]
    monkeypatch.setattr("styletransfer.methods.computes_int8", lambda device: False)
    for photo, result in zip(photos, transfer.stylize_batch(photos, MIX, stroke_size=2), strict=True):
        assert near(result.image, transfer.stylize(photo, MIX, stroke_size=2))


def test_a_bad_file_of_a_batch_is_reported_and_passed_over(transfer, photo, tmp_path):
    results = list(transfer.stylize_batch([photo, tmp_path / "none.jpg", photo], "amber"))
    assert [result.image is not None for result in results] == [True, False, True]
    assert isinstance(results[1].error, UnreadableImage)


def test_an_error_of_a_batch_does_not_keep_the_photo_in_memory(transfer, photo, monkeypatch, tmp_path):
    opened = []

    def fail(request, source):
        huge = make_photo(40, 40)
        opened.append(weakref.ref(huge))
        try:
            raise OSError("truncated")
        except OSError as error:
            raise UnreadableImage("damaged") from error

    monkeypatch.setattr(Request, "read", fail)
    gc.disable()
    try:
        results = list(transfer.stylize_batch([photo, tmp_path / "photo.png"], "amber"))
        assert [found() for found in opened] == [None, None]
    finally:
        gc.enable()
    assert [str(result.error) for result in results] == ["damaged", "damaged"]


def test_a_photo_that_the_disk_has_no_room_for_is_passed_over(transfer, photo, monkeypatch):
    read = images.read_picture

    def fill_the_disk(source):
        if source == "huge.tif":
            raise UnwritableOutput("no space left")
        return read(source)

    monkeypatch.setattr(images, "read_picture", fill_the_disk)
    results = list(transfer.stylize_batch([photo, "huge.tif", photo], "amber"))
    assert [result.error is None for result in results] == [True, False, True]


def test_a_batch_needs_at_least_one_worker(transfer, photo):
    with pytest.raises(InvalidInput, match="workers is 0"):
        transfer.stylize_batch([photo], MIX, workers=0)


def test_a_batch_is_lazy_but_refuses_a_bad_wish_at_once(transfer):
    def photos():
        raise AssertionError("a photo was asked for")
        yield

    transfer.stylize_batch(photos(), "amber")
    with pytest.raises(UnknownStyle):
        transfer.stylize_batch(photos(), "nothing like it")


def test_one_photo_is_no_batch(transfer, photo):
    with pytest.raises(InvalidInput, match="give a list"):
        transfer.stylize_batch("photo.png", "amber")
    with pytest.raises(InvalidInput, match="give a list"):
        transfer.stylize_batch(photo, "amber")


def test_pictures_are_read_before_their_owner_goes_on_to_the_next(transfer, tmp_path):
    frames = [make_photo(40, 50, seed=seed) for seed in range(5)]
    frames[0].save(tmp_path / "film.tif", save_all=True, append_images=frames[1:])
    for index, frame in enumerate(frames):
        frame.save(tmp_path / f"{index}.png")

    def opened():
        for index in range(5):
            with Image.open(tmp_path / f"{index}.png") as frame:
                yield frame

    with Image.open(tmp_path / "film.tif") as film:
        for sources in (opened(), ImageSequence.Iterator(film)):
            results = list(transfer.stylize_batch(sources, "amber", strength=0))
            for result, frame in zip(results, frames, strict=True):
                assert result.image.tobytes() == frame.tobytes()
    with Image.open(tmp_path / "0.png") as closed:
        pass
    with pytest.raises(UnreadableImage):
        transfer.stylize(closed, "amber")
    (result,) = transfer.stylize_batch([closed], "amber")
    assert isinstance(result.error, UnreadableImage)


def test_photos_that_were_given_before_a_source_fails_are_painted(transfer, photo):
    def given():
        yield from [photo, photo]
        raise KeyError("the source is gone")

    results = transfer.stylize_batch(given(), "amber")
    assert [next(results).error, next(results).error] == [None, None]
    with pytest.raises(KeyError, match="gone"):
        next(results)


def test_what_would_fail_for_every_photo_is_told_at_once(transfer, photo, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    start = Optimization(start=str(tmp_path / "words.png"))
    with pytest.raises(UnreadableImage):
        transfer.stylize_batch([photo], "amber", method="gatys", optimization=start)
    with pytest.raises(InvalidInput, match="layer 'relu9_1' of VGG-19 cannot"):
        transfer.stylize_batch(
            [photo], "amber", method="gatys", optimization=Optimization(content_layer="relu9_1")
        )


def test_a_batch_that_is_left_early_reads_no_more(transfer, photo, monkeypatch, tmp_path):
    photo.save(tmp_path / "photo.png")
    read, left = [], threading.Event()

    class Readers(ThreadPoolExecutor):
        def shutdown(self, **how):
            super().shutdown(**how, wait=False)
            left.set()
            super().shutdown()

    def read_first(request, source):
        read.append(source)
        assert len(read) == 1 or left.wait(60)
        return images.read_picture(source)

    monkeypatch.setattr(Request, "read", read_first)
    monkeypatch.setattr("styletransfer.batches.at_once", lambda request, size: 1)
    monkeypatch.setattr("styletransfer.batches.ThreadPoolExecutor", lambda _, **more: Readers(1, **more))
    results = transfer.stylize_batch([tmp_path / "photo.png"] * 64, "amber", workers=64)
    next(results)
    results.close()
    assert len(read) <= 2
