"""Pictures as users have them: each case is made here, saved, and read back."""

import base64
import gc
import io
import json
import os
import struct
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pyvips
import torch
from conftest import full_disk, make_photo, png_file
from PIL import Image, ImageCms, PngImagePlugin

from styletransfer import images
from styletransfer.errors import InvalidInput, UnreadableImage, UnwritableOutput
from styletransfer.files import in_package
from styletransfer.settings import WHOLE_PIXELS

RED = (200, 30, 40)


def linear_grey() -> bytes:
    """An ICC profile of a grey whose values are proportional to light."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63189, 65536, 54061)  # D50, in 1/65536
    start = 128 + 4 + 2 * 12
    tags = b"".join(
        name + struct.pack(">2I", at, len(data))
        for name, at, data in ((b"wtpt", start, white), (b"kTRC", start + len(white), curve))
    )
    body = struct.pack(">I", 2) + tags + white + curve
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63189, 65536, 54061)
    return header.ljust(128, b"\0") + body


def red(mode="RGB", size=(20, 12)):
    return Image.new("RGB", size, RED).convert(mode)


def pixel(picture, row=0, column=0):
    return (images.as_float(picture.rgb)[0, :, row, column] * 255).round().int().tolist()


@pytest.fixture(params=["small", "large"])
def decoder(request, monkeypatch):
    """Both ways to read a file: large pictures never are in memory as a whole."""
    if request.param == "large":
        monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".bmp", ".avif"])
@pytest.mark.usefixtures("decoder")
def test_a_picture_is_its_pixels_whatever_the_format(tmp_path, suffix):
    path = tmp_path / f"red{suffix}"
    red().save(path)
    picture = images.read_picture(path)
    assert picture.rgb.shape == (1, 3, 12, 20)
    assert picture.alpha is None
    np.testing.assert_allclose(pixel(picture), RED, atol=4)


RED_HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9j"
    "AAAAAERAAAEAAQAAAAABegABAAAAAAAAABwAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlw"
    "cnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AA"
    "AAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAA"
    "AABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAACRtZGF0AAAAGCgBrxOA5TPAn//wJKP/2Pc8PwKzrVD1Pg=="
)  # 64x64 pixels of RED; there is no encoder of this format among the requirements


def test_a_phones_heic_is_read(tmp_path):
    (tmp_path / "phone.HEIC").write_bytes(RED_HEIC)
    picture = images.read_picture(tmp_path / "phone.HEIC")
    assert picture.size == (64, 64)
    np.testing.assert_allclose(pixel(picture, 30, 30), RED, atol=4)


@pytest.mark.parametrize("transfer", [b"\x10", b"\x12"])  # PQ and HLG
def test_a_heic_whose_shades_are_those_of_hdr_is_refused(tmp_path, transfer):
    content = RED_HEIC.replace(b"nclx\0\1\0\x0d", b"nclx\0\x09\0" + transfer)
    (tmp_path / "camera.HIF").write_bytes(content)
    for read in (images.read_picture, images.read_size):
        with pytest.raises(UnreadableImage, match=r"camera\.HIF is an HDR picture; export it as JPEG"):
            read(tmp_path / "camera.HIF")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.usefixtures("decoder")
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    upright = make_photo(24, 36)
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what a camera held that way stores
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(
        tmp_path / f"turned{suffix}",
        exif=exif,
        **({"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}),
    )
    assert images.read_size(tmp_path / f"turned{suffix}") == (24, 36)
    found = images.as_float(images.read_picture(tmp_path / f"turned{suffix}").rgb)
    difference = (found - images.as_float(images.read_picture(upright).rgb)).abs()
    assert difference.max() <= (8 / 255 if suffix == ".jpg" else 1e-6)


@pytest.mark.usefixtures("decoder")
def test_tags_of_other_types_than_they_should_have_do_not_matter(tmp_path):
    entries = struct.pack("<HHIHxx", 0x0112, 3, 1, 6) + struct.pack("<HHIBxxx", 0x011A, 1, 1, 1)  # a resolution
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0)
    make_photo(24, 36).save(tmp_path / "odd.jpg", exif=exif)
    assert images.read_picture(tmp_path / "odd.jpg").size == (36, 24)


@pytest.mark.parametrize("error", [TypeError, AttributeError, KeyError, struct.error])
def test_whatever_goes_wrong_within_the_decoder_is_told_of_the_file(tmp_path, monkeypatch, error):
    red().save(tmp_path / "odd.png")

    def fail(*_):
        raise error("within")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(UnreadableImage, match=r"odd\.png .*within"):
        images.read_picture(tmp_path / "odd.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("exif", [bytes(20), b"II" + bytes(20), b"II*\0" + struct.pack("<IH", 8, 5) + b"cut"])
@pytest.mark.usefixtures("decoder")
def test_damaged_exif_is_ignored_without_a_word(tmp_path, recwarn, caplog, suffix, exif):
    path = tmp_path / f"odd{suffix}"
    red().save(path, exif=b"Exif\0\0" + exif, **({"dpi": (72, 72)} if suffix == ".jpg" else {}))
    assert images.read_picture(path).size == images.read_size(path) == (12, 20)
    assert images.read_metadata(path) == {}
    # What earlier tests have left open is told when Python happens to tidy up, perhaps now.
    told = [each.message for each in recwarn if not issubclass(each.category, ResourceWarning)]
    assert (told, caplog.records) == ([], [])


@pytest.mark.parametrize("length", [2**64 - 1, 2**62])  # beyond what Python counts to, and beyond memory
@pytest.mark.usefixtures("decoder")
def test_a_box_of_any_length_is_the_fault_of_its_file(tmp_path, length):
    red().save(tmp_path / "odd.jp2")
    content = (tmp_path / "odd.jp2").read_bytes()
    at = content.index(b"jp2h") - 4
    content = content[:at] + struct.pack(">I4sQ", 1, b"jp2h", length) + content[at + 8 :]
    (tmp_path / "odd.jp2").write_bytes(content)
    for read in (images.read_picture, images.read_size, images.read_metadata):
        with pytest.raises(UnreadableImage, match=r"odd\.jp2 "):
            read(tmp_path / "odd.jp2")


@pytest.mark.usefixtures("decoder")
def test_a_png_may_hold_more_than_a_megabyte_of_text(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("history", "y" * 1_300_000, zip=True)
    red().save(tmp_path / "long.png", pnginfo=chunks)
    assert pixel(images.read_picture(tmp_path / "long.png")) == list(RED)


@pytest.mark.usefixtures("decoder")
def test_text_in_the_place_of_exif_is_ignored(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("exif", "a caption")
    red().save(tmp_path / "odd.png", pnginfo=chunks)
    assert pixel(images.read_picture(tmp_path / "odd.png")) == list(RED)


@pytest.mark.usefixtures("decoder")
def test_a_fourth_channel_that_is_no_alpha_is_left_out(tmp_path):
    pixels = np.full((12, 20, 4), (*RED, 7), dtype=np.uint8)
    Image.fromarray(pixels, "RGBX").save(tmp_path / "infrared.tif")  # of ExtraSamples 0
    picture = images.read_picture(tmp_path / "infrared.tif")
    assert (pixel(picture), picture.alpha) == (list(RED), None)


@pytest.mark.parametrize(("layers", "is_transparency"), [(None, False), (0, False), (1, False), (-1, True)])
def test_the_fourth_channel_of_a_psd_is_transparency_if_the_number_of_layers_is_negative(
    tmp_path, layers, is_transparency
):
    header = b"8BPS" + struct.pack(">H6xHIIHH8x", 1, 4, 12, 20, 8, 3)
    described = bytes(4) if layers is None else struct.pack(">IIh", 6, 2, layers)
    planes = b"".join(bytes([shade]) * 12 * 20 for shade in (*RED, 7))
    (tmp_path / "saved.psd").write_bytes(header + described + bytes(2) + planes)
    picture = images.read_picture(tmp_path / "saved.psd")
    assert (pixel(picture), picture.alpha is not None) == (list(RED), is_transparency)


@pytest.mark.parametrize(("shade", "is_transparency"), [(0, False), (7, True)])
def test_alpha_of_a_tga_and_a_bmp_is_none_where_it_is_0_everywhere(tmp_path, shade, is_transparency):
    Image.new("RGBA", (20, 12), (*RED, shade)).save(tmp_path / "made.tga")
    header = struct.pack("<IiiHHI20x4I", 56, 20, 12, 1, 32, 3, 0xFF0000, 0xFF00, 0xFF, 0xFF << 24)
    pixels = bytes([*RED[::-1], shade]) * 12 * 20
    (tmp_path / "made.bmp").write_bytes(b"BM" + struct.pack("<I4xI", 70 + len(pixels), 70) + header + pixels)
    for name in ("made.tga", "made.bmp"):
        picture = images.read_picture(tmp_path / name)
        assert (pixel(picture), picture.alpha is not None) == (list(RED), is_transparency)


def test_a_phones_jpeg_with_a_second_picture_is_read_strip_by_strip(tmp_path, monkeypatch):
    red().save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[red(size=(30, 30))])
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    monkeypatch.setattr("PIL.MpoImagePlugin.MpoImageFile.load", None)
    picture = images.read_picture(tmp_path / "phone.jpg")
    assert picture.size == (12, 20)
    np.testing.assert_allclose(pixel(picture), RED, atol=4)


@pytest.mark.usefixtures("decoder")
def test_colours_of_another_profile_become_srgb(tmp_path):
    lab = ImageCms.createProfile("LAB")
    to_lab = ImageCms.profileToProfile(red(), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    assert to_lab is not None
    to_lab.save(tmp_path / "lab.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    np.testing.assert_allclose(pixel(images.read_picture(tmp_path / "lab.tif")), RED, atol=3)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_greys_of_another_profile_become_srgb_at_any_depth(tmp_path, mode):
    half = np.full((24, 24), 128 if mode == "L" else 128 * 257, np.uint8 if mode == "L" else np.uint16)
    Image.fromarray(half).save(tmp_path / "grey.png", icc_profile=linear_grey())
    np.testing.assert_allclose(pixel(images.read_picture(tmp_path / "grey.png")), [188] * 3, atol=2)


def test_a_damaged_profile_is_ignored():
    picture = red()
    picture.info["icc_profile"] = b"no profile at all"
    assert pixel(images.read_picture(picture)) == list(RED)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "RGBA", "RGBX"])
def test_every_mode_keeps_its_colours(mode):
    picture = red().quantize(8) if mode == "P" else red(mode)
    np.testing.assert_allclose(pixel(images.read_picture(picture)), RED, atol=4)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LA", "PA", "RGBA", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode):
    grey = Image.new("L", (8, 8), 255)
    picture = (
        grey.convert(mode)
        if mode not in ("I;16", "I", "F")
        else {
            "I;16": Image.fromarray(np.full((8, 8), 65535, np.uint16)),
            "I": Image.fromarray(np.full((8, 8), 65535, np.int32)),
            "F": Image.fromarray(np.ones((8, 8), np.float32)),
        }[mode]
    )
    assert pixel(images.read_picture(picture)) == [255, 255, 255]


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", ".png"),
        ("1", ".png"),
        ("P", ".png"),
        ("I;16", ".png"),
        ("RGB", ".tif"),
        ("LA", ".png"),
        ("RGBA", ".webp"),
    ],
)
def test_a_large_picture_is_that_of_the_small_decoder(tmp_path, monkeypatch, mode, suffix):
    photo = make_photo(40, 50)
    deep = Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257)
    (deep if mode == "I;16" else photo.convert(mode)).save(tmp_path / f"photo{suffix}")
    small = images.read_picture(tmp_path / f"photo{suffix}")
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    large = images.read_picture(tmp_path / f"photo{suffix}")
    assert large.rgb.dtype == torch.uint8
    assert (large.alpha is None) == (small.alpha is None)
    assert (images.as_float(large.rgb) - small.rgb).abs().mean() < 2 / 255


@pytest.mark.usefixtures("decoder")
def test_16_bits_keep_their_shades(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    grey = images.as_float(images.read_picture(tmp_path / "ramp.png").rgb)[0, 0, 0] * 255
    torch.testing.assert_close(grey.round(), torch.arange(256.0))


@pytest.mark.usefixtures("decoder")
def test_12_bits_keep_their_shades(tmp_path):
    data = int("".join(f"{shade:012b}" for shade in (0, 1024, 2048, 4095)), 2).to_bytes(6, "big")
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(data)}  # pixels at byte 8
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "scan.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    picture = images.read_picture(tmp_path / "scan.tif")
    assert [pixel(picture, 0, column)[0] for column in range(4)] == [0, 64, 128, 255]


def write_tiff(path, channels, photometric, *, in_planes=False, begin=b"II*\0"):
    """An uncompressed TIFF of channels (H, W) of 16 bits. It begins as its byte order and kind demand."""
    order, is_big = "<" if begin[:2] == b"II" else ">", b"+" in begin
    room, long = (8, f"{order}Q") if is_big else (4, f"{order}L")  # of a value in the directory
    stored = np.stack(channels, axis=0 if in_planes else -1).astype(f"{order}u2").tobytes()
    (height, width), count = channels[0].shape, len(channels)
    strips = count if in_planes else 1
    tags = {256: [width], 257: [height], 258: count * [16], 259: [1], 262: [photometric], 273: [], 277: [count]}
    tags |= {278: [height], 279: strips * [len(stored) // strips], 284: [2 if in_planes else 1]}
    header = begin + (struct.pack(f"{order}2HQ", 8, 0, 16) if is_big else struct.pack(long, 8))
    number = struct.pack(f"{order}Q" if is_big else f"{order}H", len(tags))
    at = len(header) + len(number) + len(tags) * (4 + 2 * room) + room  # where long values begin, then pixels
    longest = 4 * (count + 2 * strips)
    tags[273] = [at + longest + strip * (len(stored) // strips) for strip in range(strips)]
    entries = values = b""
    for tag, numbers in tags.items():
        packed = struct.pack(f"{order}{len(numbers)}L", *numbers)
        place = packed.ljust(room, b"\0") if len(packed) <= room else struct.pack(long, at + len(values))
        entries += struct.pack(f"{order}2H", tag, 4) + struct.pack(long, len(numbers)) + place
        values += packed if len(packed) > room else b""
    path.write_bytes(header + number + entries + bytes(room) + values.ljust(longest, b"\0") + stored)


@pytest.mark.parametrize("begin", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.usefixtures("decoder")
def test_16_bits_in_planes_keep_their_shades(tmp_path, channels, begin):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    planes = [ramp, ramp[:, ::-1], ramp // 2][:channels]
    write_tiff(tmp_path / "scan.tif", planes, 2 if channels == 3 else 1, in_planes=True, begin=begin)
    picture = images.read_picture(tmp_path / "scan.tif")
    assert images.read_size(tmp_path / "scan.tif") == picture.size == (4, 256)
    for place, plane in enumerate(planes):
        found = images.as_float(picture.rgb)[0, place] * 255
        np.testing.assert_allclose(found, plane / 257, atol=1)


@pytest.mark.usefixtures("decoder")
def test_16_bits_of_ink_in_planes_keep_their_order(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    write_tiff(tmp_path / "scan.tif", [*(3 * [0 * ramp]), ramp], 5, in_planes=True)
    shades = images.as_float(images.read_picture(tmp_path / "scan.tif").rgb).mean(dim=(0, 1))  # (H, W)
    assert torch.equal(shades, shades.sort(dim=1, descending=True).values)
    assert shades[:, 0].min() == 1
    assert shades[:, -1].max() < 0.25


@pytest.mark.parametrize(
    ("numbers", "space", "expected", "alpha"),
    [
        (np.uint16([200 * 257, 100 * 257]), "grey16", [200] * 3, 100),
        (np.uint8([200, 100, 7]), "b-w", [200] * 3, 100),
        (np.uint16([200 * 257, 30 * 257, 40 * 257, 100 * 257, 5]), "rgb16", RED, 100),
        (np.float32([0.5776, 0.0130, 0.0212]), "scrgb", RED, None),  # in proportion to light
        (np.float32([43.1, 63.4, 40.9]), "lab", RED, None),
        (np.uint8([0, 0, 0, 0, 100]), "cmyk", [255] * 3, 100),
        (np.uint16([0, 0, 0, 0, 100 * 257]), "cmyk", [255] * 3, 100),
    ],
)
@pytest.mark.usefixtures("decoder")
def test_tiffs_that_pil_has_no_mode_for_are_read(tmp_path, numbers, space, expected, alpha):
    pixels = np.broadcast_to(numbers, (12, 20, len(numbers)))
    pyvips.Image.new_from_array(pixels).copy(interpretation=space).tiffsave(str(tmp_path / "scan.tif"))
    picture = images.read_picture(tmp_path / "scan.tif")
    assert images.read_size(tmp_path / "scan.tif") == picture.size == (12, 20)
    assert images.read_metadata(tmp_path / "scan.tif") == {}
    np.testing.assert_allclose(pixel(picture), expected, atol=2)
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_allclose(images.as_float(picture.alpha) * 255, alpha, atol=1e-3)


@pytest.mark.usefixtures("decoder")
def test_a_tiff_whose_shades_would_be_guessed_is_refused(tmp_path):
    pixels = np.full((12, 20, 2), 0.5, dtype=np.float32)
    pyvips.Image.new_from_array(pixels).copy(interpretation="b-w").tiffsave(str(tmp_path / "scan.tif"))
    for read in (images.read_picture, images.read_size, images.read_metadata):
        with pytest.raises(UnreadableImage, match="save it as RGB of 8 or 16 bits"):
            read(tmp_path / "scan.tif")


@pytest.mark.usefixtures("decoder")
def test_16_bits_whose_white_is_zero_are_no_negative(tmp_path):
    shades = np.full((24, 36), 52_685, dtype=np.uint16)
    Image.fromarray(shades).save(tmp_path / "scan.tif", tiffinfo={0x0106: 0})
    (black,) = images.as_float(images.read_picture(tmp_path / "scan.tif").rgb).unique()
    assert black * 255 == pytest.approx(50, abs=1)


def test_large_numbers_have_the_same_shades_whether_they_are_whole_or_not():
    ramp = np.linspace(0, 40_000, 256)[None].repeat(4, 0)
    whole, floats = (images.read_picture(Image.fromarray(ramp.astype(kind))) for kind in (np.int32, np.float32))
    assert (whole.rgb - floats.rgb).abs().max() < 1.5 / 255
    assert pixel(floats, 0, 255)[0] == round(40_000 / 257)


def test_floats_a_little_above_white_are_white():
    values = np.full((8, 8), 128, dtype=np.float32)
    values[0, 0] = 300
    picture = images.read_picture(Image.fromarray(values))
    assert (pixel(picture), pixel(picture, 4, 4)) == ([255] * 3, [128] * 3)


def test_one_infinite_value_does_not_make_a_picture_of_floats_black():
    values = np.full((8, 8), 0.5, dtype=np.float32)
    values[0, :3] = np.inf, -np.inf, np.nan
    assert pixel(images.read_picture(Image.fromarray(values)), 4, 4) == [128] * 3


@pytest.mark.usefixtures("decoder")
def test_the_transparent_shade_of_16_bits_is_alpha(tmp_path):
    shades = np.full((24, 36), 30_000, dtype=np.uint16)
    shades[:, 20:] = 1234
    Image.fromarray(shades).save(tmp_path / "cut-out.png", transparency=1234)
    alpha = images.as_float(images.read_picture(tmp_path / "cut-out.png").alpha)
    assert alpha[..., :20].min() == 1
    assert alpha[..., 20:].max() == 0


def test_parameters_are_found_in_the_exif_of_a_png_made_of_another_picture(tmp_path):
    images.save_picture(images.to_pil(torch.rand(1, 3, 8, 8), None, {"method": "cin"}), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as picture:
        picture.save(tmp_path / "a.png", exif=picture.info["exif"])
    assert images.read_metadata(tmp_path / "a.png") == {"method": "cin"}


def test_the_size_of_a_png_is_read_without_decoding_it(tmp_path, monkeypatch):
    make_photo(24, 36).save(tmp_path / "photo.png")
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    assert images.read_size(tmp_path / "photo.png") == (24, 36)
    assert images.read_metadata(tmp_path / "photo.png") == {}


@pytest.mark.parametrize(("alpha", "opaque"), [(None, True), (255, True), (254, False)])
@pytest.mark.parametrize("size", [(800, 800), (512, 512), (333, 257)])
def test_a_picture_is_opaque_at_any_size_if_nothing_shows_through_it(alpha, opaque, size):
    picture = Image.new("RGB", (800, 800))
    if alpha is not None:
        picture.putalpha(alpha)
    assert images.read_picture(picture).resized(size).is_opaque == opaque


def test_alpha_is_kept_apart():
    picture = red("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    read = images.read_picture(picture)
    assert read.alpha is not None
    assert read.alpha.shape == (1, 1, 12, 20)
    assert pixel(read) == list(RED)
    assert images.to_pil(read.rgb, read.alpha).getchannel("A").tobytes() == picture.getchannel("A").tobytes()


@pytest.mark.parametrize("hidden", ["black", "red"])
@pytest.mark.usefixtures("decoder")
def test_a_picture_is_continued_where_it_is_transparent_whatever_hides_there(tmp_path, hidden):
    picture = Image.new("RGBA", (64, 50), hidden)
    picture.putalpha(0)
    picture.paste(make_photo(20, 24).convert("RGBA"), (15, 5))
    picture.save(tmp_path / "cut-out.png")
    make_photo(20, 24).save(tmp_path / "visible.png")
    visible = images.read_picture(tmp_path / "visible.png").rgb[0]
    expected = np.pad(visible, ((0, 0), (5, 25), (15, 25)), mode="symmetric")
    np.testing.assert_array_equal(images.read_picture(tmp_path / "cut-out.png").rgb[0], expected)


def test_holes_of_any_shape_are_filled_by_what_is_around_them():
    picture = make_photo(40, 40).convert("RGBA")
    shape = Image.radial_gradient("L").resize((40, 40)).point(lambda value: 255 if 60 < value < 180 else 0)
    picture.putalpha(shape)  # a ring
    visible = np.asarray(picture)[np.asarray(shape) > 0][:, :3]
    filled = np.asarray(images.to_pil(images.read_picture(picture).rgb))
    assert {tuple(each) for each in filled.reshape(-1, 3)} == {tuple(each) for each in visible}
    assert np.array_equal(filled[np.asarray(shape) > 0], visible)


def test_transparency_of_a_palette_is_alpha(tmp_path):
    palette = red().quantize(4)
    palette.save(tmp_path / "clear.png", transparency=palette.getpixel((0, 0)))
    alpha = images.read_picture(tmp_path / "clear.png").alpha
    assert alpha is not None
    assert alpha.max() == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty \(0 bytes\)"),
        (b"this is text", "not a picture"),
        (None, "cannot be read"),  # a real JPEG, cut in the middle
    ],
)
@pytest.mark.usefixtures("decoder")
def test_a_file_that_is_no_picture_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "photo.jpg"
    if content is None:
        buffer = io.BytesIO()
        make_photo(200, 200).save(buffer, "JPEG")
        content = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=message) as caught:
        images.read_picture(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".avif", ".webp", ".tiff", ".gif"])
@pytest.mark.usefixtures("decoder")
def test_a_truncated_picture_of_any_format_is_refused_and_no_other_error(tmp_path, suffix):
    make_photo(200, 200).save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableImage):
        images.read_picture(tmp_path / f"half{suffix}")


def test_a_truncated_picture_handed_over_open_is_refused():
    buffer = io.BytesIO()
    make_photo(200, 200).save(buffer, "PNG")
    with pytest.raises(UnreadableImage, match="the picture cannot be read"):
        images.read_picture(Image.open(io.BytesIO(buffer.getvalue()[:5000])))


def test_a_picture_too_long_for_its_format_is_refused(tmp_path):
    with pytest.raises(UnwritableOutput, match=r"at most 16,383; name a \.png"):
        images.save_picture(images.to_pil(torch.rand(1, 3, 1, 17000)), tmp_path / "long.webp")
    assert list(tmp_path.iterdir()) == []


def test_parameters_too_long_for_their_format_are_refused(tmp_path):
    picture = images.to_pil(torch.rand(1, 3, 8, 8), metadata={"title": "x" * 70_000})
    with pytest.raises(UnwritableOutput, match=r"too long; try \.png"):
        images.save_picture(picture, tmp_path / "long.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="no such file"):
        images.read_picture(tmp_path / "none.jpg")
    with pytest.raises(UnreadableImage, match="is a folder"):
        images.read_picture(tmp_path)
    with pytest.raises(UnreadableImage, match="an empty path"):
        images.read_picture("")


@pytest.mark.usefixtures("decoder")
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    red().save(tmp_path / "bomb.png")
    monkeypatch.setattr("styletransfer.images.reading.MAX_PIXELS", 100)
    with pytest.raises(UnreadableImage, match="20x12 pixels"):
        images.read_picture(tmp_path / "bomb.png")


PARAMETERS = {"styles": {"great-wave": 0.7}, "title": "Große Woge", "size": None}


@pytest.mark.parametrize("suffix", sorted(images.FORMATS))
def test_parameters_come_back_out_of_every_format(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    images.save_picture(images.to_pil(torch.rand(1, 3, 9, 7), metadata=PARAMETERS), path)
    assert images.read_metadata(path) == PARAMETERS
    assert images.read_picture(path).size == (9, 7)


@pytest.mark.parametrize("suffix", sorted(images.FORMATS))
def test_what_another_program_calls_parameters_is_no_trouble(tmp_path, suffix):
    picture = red()
    picture.info["styletransfer"] = "no JSON, but é"
    images.save_picture(picture, tmp_path / f"out{suffix}")
    assert images.read_metadata(tmp_path / f"out{suffix}") == {}


def test_a_picture_of_other_origin_has_no_parameters(tmp_path):
    red().save(tmp_path / "other.png")
    assert images.read_metadata(tmp_path / "other.png") == {}
    exif = Image.Exif()
    exif[0x010E] = json.dumps({"a": "caption"})
    red().save(tmp_path / "caption.jpg", exif=exif)
    assert images.read_metadata(tmp_path / "caption.jpg") == {}
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("styletransfer", "[" * 100_000)
    red().save(tmp_path / "deep.png", pnginfo=chunks)
    assert images.read_metadata(tmp_path / "deep.png") == {}


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_alpha_survives_saving(tmp_path, suffix):
    alpha = torch.zeros(1, 1, 8, 8)
    images.save_picture(images.to_pil(torch.rand(1, 3, 8, 8), alpha), tmp_path / f"a{suffix}")
    read = images.read_picture(tmp_path / f"a{suffix}").alpha
    assert read is not None
    assert read.max() == 0


def test_jpeg_lays_transparency_on_white(tmp_path):
    images.save_picture(images.to_pil(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)), tmp_path / "a.jpg")
    assert images.read_picture(tmp_path / "a.jpg").rgb.min() > 0.98


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path):
    picture = images.to_pil(torch.rand(1, 3, 8, 8))
    for path, message in (
        (tmp_path / "out.xyz", "must end in"),
        (tmp_path / "none" / "out.png", "does not exist"),
        (tmp_path / f"{'x' * 256}.png", "too long"),
    ):
        with pytest.raises(UnwritableOutput, match=message):
            images.save_picture(picture, path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_the_file_that_it_names_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "disk" / "file.png")
    for _ in range(2):  # of a file that is not there, and of one that is
        images.save_picture(red(), tmp_path / "link.png")
        assert (tmp_path / "link.png").is_symlink()
        assert [path.name for path in (tmp_path / "disk").iterdir()] == ["file.png"]
    (tmp_path / "lost.png").symlink_to(tmp_path / "none" / "file.png")
    with pytest.raises(UnwritableOutput, match="none does not exist"):
        images.check_writable(tmp_path / "lost.png")


@pytest.mark.parametrize(
    ("size", "expected"), [((40, 80), (50, 100)), ((80, 40), (100, 50)), ((1, 300), (1, 100))]
)
def test_resizing_keeps_the_aspect(size, expected):
    assert images.resize_long_side(torch.rand(1, 3, *size), 100).shape[-2:] == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [((60, 40), (96, 64)), ((5, 3000), (16, 256)), ((40, 40), (64, 64)), ((1, 1), (64, 64))],
)
def test_the_short_side_of_a_style_is_set_and_scrolls_stay_small(size, expected):
    """Sizes are height and width."""
    picture = Image.new("RGB", size[::-1])
    assert images.as_style(images.read_on_white(picture), 64).shape[-2:] == expected


def test_transparency_of_a_style_is_laid_on_white():
    picture = images.as_style(images.read_on_white(Image.new("RGBA", (64, 64), (255, 0, 0, 0))), 64)
    torch.testing.assert_close(picture, torch.ones(1, 3, 64, 64))


def test_a_folder_lists_its_pictures_in_order_and_nothing_else(tmp_path):
    names = [
        "a.JPG",
        "b.png",
        "c.psd",
        "d.tga",
        "e.ppm",
        "f.jp2",
        "g.pgm",
        "h.jpe",
        "i.j2k",
        "j.mpo",
        "k.apng",
        "l.jpc",
    ]
    for name in (*reversed(names), "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in images.find_pictures(tmp_path)] == names
    with pytest.raises(InvalidInput, match="not a folder"):
        images.find_pictures(tmp_path / "notes.txt")


def test_photos_of_a_folder_that_is_closed_are_not_left_out_silently(tmp_path, monkeypatch, caplog):
    for name in ("open", "sea", ".trash"):
        (tmp_path / name).mkdir()
    red().save(tmp_path / "open" / "photo.png")
    scan = os.scandir

    def closed(path):
        if Path(path).name in ("sea", ".trash"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert images.find_pictures(tmp_path) == []
    assert not caplog.messages
    assert images.find_pictures(tmp_path, recursive=True) == [tmp_path / "open" / "photo.png"]
    [told] = caplog.messages
    assert f"{tmp_path / 'sea'} cannot be read" in told
    with pytest.raises(InvalidInput, match="sea cannot be read: Permission denied"):
        images.find_pictures(tmp_path / "sea")


def test_contact_sheet_holds_every_cell_and_label():
    cells = [(f"a long label number {i}", red(size=(60, 40))) for i in range(5)]
    sheet = images.contact_sheet(cells, columns=3)
    colours = sheet.getcolors(sheet.width * sheet.height)
    assert {colour: count for count, colour in colours}[RED] == 5 * 60 * 40
    assert (0, 0, 0) in {colour for _, colour in colours}
    assert sheet.width > 3 * 60
    assert sheet.height > 2 * 40


def test_a_line_break_in_a_label_is_a_space():
    first, second = (images.contact_sheet([(label, red())], columns=1) for label in ("a\nb.png", "a b.png"))
    assert first.tobytes() == second.tobytes()


def test_labels_that_the_usual_font_cannot_show_are_written_in_another(monkeypatch):
    wide = in_package("matplotlib", "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")

    def sheet(label):
        return images.contact_sheet([(label, red(size=(60, 40)))], columns=1).tobytes()

    monkeypatch.setattr("styletransfer.images.sheets.FONTS", ())
    usual, box = sheet("amber"), sheet("ж")
    assert sheet("б") == box
    monkeypatch.setattr("styletransfer.images.sheets.FONTS", ("no such font.ttf", str(wide)))
    assert sheet("б") != sheet("ж")
    assert sheet("amber") == usual


def test_large_pictures_are_held_in_bytes_and_come_out_the_same(monkeypatch):
    small = images.read_picture(make_photo(40, 50))
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 100)
    large = images.read_picture(make_photo(40, 50))
    assert large.rgb.dtype == torch.uint8
    assert images.to_pil(large.rgb).tobytes() == images.to_pil(small.rgb).tobytes()
    smaller, expected = (images.resize(picture.rgb, (20, 30)) for picture in (large, small))
    assert (smaller - expected).abs().max() < 5 / 255  # rounded after rows and after columns


def test_a_file_that_pil_takes_for_a_trap_is_read_all_the_same(tmp_path, monkeypatch):
    make_photo(40, 50).save(tmp_path / "photo.png")
    expected = images.read_picture(tmp_path / "photo.png").rgb
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert images.read_size(tmp_path / "photo.png") == (40, 50)
    found = images.read_picture(tmp_path / "photo.png").rgb
    torch.testing.assert_close(images.as_float(found), expected)


def test_a_picture_too_large_for_how_its_format_is_read_says_so(tmp_path, monkeypatch):
    make_photo(40, 50).save(tmp_path / "photo.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (images.read_picture, images.read_size, images.read_metadata):
        with pytest.raises(UnreadableImage, match=r"photo\.bmp has more pixels .* save it as TIFF or PNG"):
            read(tmp_path / "photo.bmp")


def test_a_large_picture_is_read_anew_when_its_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    path = tmp_path / "photo.png"
    for colour in ((255, 0, 0), (0, 0, 255)):
        Image.new("RGB", (20, 12), colour).save(path)
        assert pixel(images.read_picture(path)) == list(colour)


@pytest.mark.parametrize("suffix", sorted(images.FORMATS))
@pytest.mark.parametrize("with_alpha", [False, True])
def test_a_large_painting_is_saved_like_a_small_one(tmp_path, monkeypatch, suffix, with_alpha):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    rgb = images.as_bytes(images.read_picture(make_photo(40, 50)).rgb)
    alpha = torch.full((1, 1, 40, 50), 100, dtype=torch.uint8) if with_alpha else None
    held, mapped = tmp_path / f"held{suffix}", tmp_path / f"mapped{suffix}"
    images.Painting(images.as_float(rgb), alpha, PARAMETERS).save(held)
    large = images.empty_like(rgb)
    large.copy_(rgb)
    images.release()
    images.Painting(large, alpha, PARAMETERS).save(mapped)
    expected, found = images.read_picture(held), images.read_picture(mapped)
    assert (expected.alpha is None) == (found.alpha is None)
    assert (found.rgb - expected.rgb).abs().mean() < 2 / 255
    assert images.read_metadata(mapped) == PARAMETERS
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # of what PIL opens, half of it
    assert [images.read_metadata(path) for path in (held, mapped)] == [PARAMETERS, PARAMETERS]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_room_for_a_large_painting_is_said_in_one_line(tmp_path, monkeypatch):
    large = torch.zeros(1, 3, 40, 50, dtype=torch.uint8)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(UnwritableOutput, match="set TMPDIR"):
        images.empty_like(large)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("os.posix_fallocate", full_disk, raising=False)
    with pytest.raises(UnwritableOutput, match="No space left on device; set TMPDIR"):
        images.empty_like(large)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("orientation", [1, 6])
def test_no_room_to_read_a_large_photo_is_not_the_photos_fault(tmp_path, monkeypatch, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    make_photo(40, 50).save(tmp_path / "photo.png", exif=exif)
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    free = iter([10_000, 0])  # of the first temporary file, and of the second

    def usage(_):
        return SimpleNamespace(free=next(free) if orientation > 1 else 0)

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(UnwritableOutput, match="No space left on device; set TMPDIR"):
        images.read_picture(tmp_path / "photo.png")


def test_where_others_fill_the_disk_it_is_not_the_photos_fault(tmp_path, monkeypatch):
    make_photo(40, 50).save(tmp_path / "photo.png")
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    free = iter([10_000, 0])  # before it is decoded, and when that fails

    def fail(*_):
        raise pyvips.Error("write error")

    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=next(free)))
    monkeypatch.setattr(pyvips.Image, "rawsave", fail, raising=False)
    with pytest.raises(UnwritableOutput, match="No space left on device; set TMPDIR"):
        images.read_picture(tmp_path / "photo.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_damaged_large_photo_is_no_full_disk(tmp_path, monkeypatch, suffix):
    make_photo(600, 600).save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(content[: len(content) * 7 // 10])
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    def usage(_):  # however much was written
        return SimpleNamespace(free=1_100_000 - sum(file.stat().st_size for file in temporary.iterdir()))

    monkeypatch.setattr("shutil.disk_usage", usage)
    with pytest.raises(UnreadableImage):
        images.read_picture(tmp_path / f"cut{suffix}")


def test_the_file_of_a_large_picture_is_gone_when_nobody_holds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    unlink, mapped = Path.unlink, [True]

    def of_windows(self, missing_ok=False):
        if mapped[0]:
            raise PermissionError
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", of_windows)
    picture = images.empty_like(torch.zeros(1, 3, 40, 50, dtype=torch.uint8))
    assert len(list(tmp_path.iterdir())) == 1
    mapped[0] = False
    del picture
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_jpeg_may_be_as_long_as_its_format_allows(tmp_path):
    images.check_fits(tmp_path / "long.jpg", (1, 65_500))
    images.save_picture(Image.new("RGB", (65_500, 1)), tmp_path / "long.jpg")
    with pytest.raises(UnwritableOutput, match="65,500"):
        images.check_fits(tmp_path / "long.jpg", (1, 65_501))
    with pytest.raises(UnwritableOutput, match="65,500"):
        images.save_picture(Image.new("RGB", (65_501, 1)), tmp_path / "long.jpg")
    with pytest.raises(UnwritableOutput, match="65,500"):
        images.Painting(torch.zeros(1, 3, 1, 65_501, dtype=torch.uint8), None, {}).save(tmp_path / "long.jpg")


def test_bytes_stay_bytes_only_where_the_result_is_large(monkeypatch):
    monkeypatch.setattr("styletransfer.images.resizing.WHOLE_PIXELS", 100)
    picture = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    assert images.resize(picture, (30, 30)).dtype == torch.uint8
    assert images.resize(picture, (5, 5)).dtype == torch.float32
    assert images.resize(images.as_float(picture), (30, 30)).dtype == torch.float32


def test_a_large_style_picture_is_made_smaller_before_it_takes_memory():
    width, height = 9000, 1500  # 13.5 megapixels
    picture = images.read_on_white(Image.new("RGB", (width, height), RED))
    assert picture.dtype == torch.float32
    assert 0.99 * WHOLE_PIXELS < picture.shape[-1] * picture.shape[-2] <= WHOLE_PIXELS
    assert picture.shape[-1] / picture.shape[-2] == pytest.approx(width / height, rel=0.01)
    assert (picture[0, :, 0, 0] * 255).round().int().tolist() == list(RED)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 12\n%%EndComments\nshowpage\n"


def test_postscript_is_no_picture_whatever_its_name_says(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(EPS)
    for read in (images.read_picture, images.read_size, images.read_metadata):
        with pytest.raises(UnreadableImage, match="is not a picture"):
            read(tmp_path / "photo.jpg")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with a name")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "photo.jpg")
    for read in (images.read_picture, images.read_size, images.read_metadata):
        with pytest.raises(UnreadableImage, match="not a regular file; save it"):
            read(tmp_path / "photo.jpg")


@pytest.mark.usefixtures("decoder")
def test_what_a_sensor_measured_is_no_picture(tmp_path):
    write_tiff(tmp_path / "raw.tif", [np.full((12, 20), 30_000)], 32_803)
    with pytest.raises(UnreadableImage, match="camera raw"):
        images.read_picture(tmp_path / "raw.tif")


@pytest.mark.parametrize("tags", [{0xC612: b"\1\4\0\0"}, {0x00FE: 1}])
@pytest.mark.usefixtures("decoder")
def test_a_camera_raw_file_is_not_painted_by_its_thumbnail(tmp_path, tags):
    red().save(tmp_path / "raw.tif", tiffinfo=tags)
    with pytest.raises(UnreadableImage, match="camera raw"):
        images.read_picture(tmp_path / "raw.tif")


@pytest.mark.usefixtures("decoder")
def test_a_raw_file_of_canon_is_not_painted_by_its_preview(tmp_path):
    preview = io.BytesIO()
    red().save(preview, "JPEG")
    at = 16 + 2 + 6 * 12 + 4  # behind the directory
    tags = {256: 20, 257: 12, 258: 8, 259: 6, 273: at, 279: len(preview.getvalue())}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    content = b"II*\0" + struct.pack("<I", 16) + b"CR\2\0" + bytes(4) + directory + preview.getvalue()
    (tmp_path / "IMG_1.CR2").write_bytes(content)
    with pytest.raises(UnreadableImage, match="camera raw"):
        images.read_picture(tmp_path / "IMG_1.CR2")


@pytest.mark.parametrize("compression", ["zstd", "lzma"])
@pytest.mark.usefixtures("decoder")
def test_a_tiff_of_any_compression_is_read(tmp_path, compression):
    red().save(tmp_path / "scan.tif", compression=compression)
    assert pixel(images.read_picture(tmp_path / "scan.tif")) == list(RED)


@pytest.mark.parametrize(
    ("kind", "bits", "clear"), [(0, 1, 1), (0, 2, 1), (0, 4, 1), (0, 8, 1), (2, 16, 0x1234)]
)
@pytest.mark.usefixtures("decoder")
def test_the_transparent_shade_of_a_png_is_alpha_at_any_depth(tmp_path, kind, bits, clear):
    channels = 3 if kind == 2 else 1
    row = [*(8 * channels * [0]), *(8 * channels * [clear])]
    packed = int("".join(f"{shade:0{bits}b}" for shade in row), 2).to_bytes(2 * bits * channels, "big")
    header = struct.pack(">2I5B", 16, 2, bits, kind, 0, 0, 0)
    transparent = channels * struct.pack(">H", clear)
    rows = zlib.compress(2 * (b"\0" + packed))
    content = png_file((b"IHDR", header), (b"tRNS", transparent), (b"IDAT", rows))
    (tmp_path / "clear.png").write_bytes(content)
    alpha = images.read_picture(tmp_path / "clear.png").alpha
    assert images.as_float(alpha)[0, 0, 0].tolist() == 8 * [1] + 8 * [0]


@pytest.mark.parametrize("suffix", sorted(images.FORMATS))
def test_large_pictures_may_have_names_that_are_no_text(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 1)
    folder = tmp_path / os.fsdecode(b"caf\xe9[1]")
    folder.mkdir()
    rgb = images.as_bytes(images.read_picture(red()).rgb)
    images.Painting(rgb, None, PARAMETERS).save(folder / f"photo{suffix}")
    odd = (folder / f"photo{suffix}").rename(folder / os.fsdecode(b"\xe9[1]" + suffix.encode()))
    assert images.read_picture(odd).size == images.read_size(odd) == (12, 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert images.read_metadata(odd) == PARAMETERS


def numbers_of(mode):
    """A picture of that mode, with what is special in its last corner."""
    if mode == "RGB":
        return make_photo(300, 400)
    shades = np.add.outer(np.arange(300), np.arange(400)) % 251
    if mode == "F":
        numbers = (shades / 250).astype(np.float32)
        numbers[-1, -3:] = np.inf, -np.inf, np.nan
        return Image.fromarray(numbers)
    numbers = (shades * 200).astype(np.int32 if mode == "I" else np.uint16)
    numbers[-1, -1] = 90_000 if mode == "I" else 60_000
    image = Image.fromarray(numbers)
    image.info["transparency"] = 1400
    return image


@pytest.mark.parametrize("mode", ["I", "I;16", "F", "RGB"])
def test_a_picture_is_converted_part_by_part_and_none_shows(monkeypatch, mode):
    whole, image = images.read_picture(numbers_of(mode)), numbers_of(mode)
    monkeypatch.setattr("styletransfer.images.decoding.BOX_SIDE", 37)
    tracemalloc.start()
    parts = images.read_picture(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * image.width * image.height  # a copy of the picture has 2 to 4 bytes a pixel
    assert torch.equal(parts.rgb, whole.rgb)
    assert len(whole.rgb.unique()) > 100
    if mode.startswith("I"):
        assert torch.equal(parts.alpha, whole.alpha)
        assert whole.alpha.min() == 0


def test_a_large_painting_that_cannot_be_written_is_reported_under_its_own_name_and_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("styletransfer.images.writing.LONGEST_SIDES", {})
    long = images.Painting(torch.zeros(1, 3, 1, 17000, dtype=torch.uint8), None, {})
    with pytest.raises(UnwritableOutput) as told:
        long.save(tmp_path / "long.webp")
    assert str(told.value) == f"cannot write {tmp_path / 'long.webp'}: webpsave: image too large"
    assert list(tmp_path.iterdir()) == []
