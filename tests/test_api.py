import json
import math
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import (
    TINY,
    calls_by_two_threads,
    make_photo,
    near,
    random_predictor,
    random_style,
    same,
    with_info,
)
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from styletransfer import (
    Optimization,
    Progress,
    StyleTransfer,
    images,
    methods,
    read_metadata,
    save_picture,
    stylebank,
)
from styletransfer.errors import (
    Cancelled,
    InvalidInput,
    InvalidStyleFile,
    MissingWeights,
    UnreadableImage,
)
from styletransfer.masks import shares_of
from styletransfer.methods import METHODS, adain, cin
from styletransfer.methods.tiles import Sampling, Window
from styletransfer.networks import TransformerNetwork
from styletransfer.request import Options
from styletransfer.settings import USUAL, VERSION
from styletransfer.stylefile import load_style, save_style
from styletransfer.weights import PREDICTOR_FILE, save_base, save_predictor

MIX = {"amber": 0.75, "blue": 0.25}
FEW = Optimization(steps=2, least_side=64, start="photo")


def test_a_style_of_an_earlier_network_is_refused_before_the_first_photo(tiny_models, tiny_styles, tmp_path):
    stale = with_info(load_style(tiny_styles / "amber.safetensors"), slug="old", base_sha256="0" * 64)
    save_style(tmp_path / "old.safetensors", stale)
    transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tmp_path)
    with pytest.raises(InvalidStyleFile, match="different base network"):
        transfer.stylize_batch([], "old")


def test_a_style_itself_can_stand_for_its_name(transfer, photo, styles):
    expected = transfer.stylize(photo, MIX)
    assert same(transfer.stylize(photo, [(style, MIX[style.info.slug]) for style in styles[:2]]), expected)
    assert same(transfer.stylize(photo, styles[0]), transfer.stylize(photo, styles[0].info.slug))


def test_fields_of_an_optimization_can_be_given_by_name(transfer, photo):
    wish = Optimization(steps=2, least_side=64, start="photo")
    painted = transfer.stylize(photo, "amber", method="gatys", optimization=wish)
    told = json.loads(painted.info["styletransfer"])["optimization"]
    assert same(transfer.stylize(photo, "amber", method="gatys", optimization=told), painted)
    for wrong, message in (
        ({"speed": 3}, "optimization is"),
        (7, "optimization is"),
        ({"steps": "many"}, "steps is 'many'; it must be a whole number"),
        ({"steps": 2.5}, "steps is 2.5; it must be a whole number"),
        ({"steps": 10**400}, "it must be a whole number"),
        ({"seconds": math.inf}, "seconds is inf; it must be finite"),
        ({"rate": math.inf}, "rate is inf; it must be above 0, and finite"),
        ({"start": None}, "start is None; it must be a name"),
    ):
        with pytest.raises(InvalidInput, match=message):
            transfer.stylize(photo, "amber", method="gatys", optimization=wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": "0.5"},
        {"size": (800, 600)},
        {"stroke_size": [2]},
        {"size": 40.5},
        {"strength": Fraction(1, 2)},
    ],
)
def test_a_setting_that_is_no_number_is_told(transfer, photo, wrong):
    with pytest.raises(InvalidInput, match=r"must be a (whole )?number"):
        transfer.stylize(photo, "amber", **wrong)


def test_a_file_that_is_called_like_a_start_is_not_taken_for_one(transfer, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("auto", "photo"):
        (tmp_path / name).write_text("no picture")
        settings = Optimization(steps=1, least_side=64, start=name)
        assert settings.start_picture is None
        assert transfer.stylize(photo, "amber", method="gatys", optimization=settings).size == photo.size
    assert Optimization(start="./auto").start_picture == "./auto"


def test_a_style_may_be_called_like_a_picture_that_has_no_name(transfer, photo, styles, tmp_path):
    save_style(tmp_path / "picture.safetensors", with_info(styles[0], slug="picture"))
    transfer = transfer.with_styles(tmp_path)
    for mix in ([(photo, 0.5), ("picture", 0.5)], [("picture", 0.5), (photo, 0.5)]):
        painted = json.loads(transfer.stylize(photo, mix).info["styletransfer"])
        assert painted["styles"] == {"picture": 0.5, "picture-2": 0.5}


@pytest.mark.parametrize("name", ["none.jpg", "a/none.PNG"])
def test_a_picture_that_is_not_there_is_no_misspelt_style(transfer, photo, name):
    with pytest.raises(UnreadableImage, match="no such file"):
        transfer.stylize(photo, name)


@pytest.fixture
def shade():
    """A mask that is white in its middle."""
    shade = np.zeros((48, 64), np.uint8)
    shade[10:30, 20:50] = 255
    return Image.fromarray(shade)


@pytest.mark.parametrize("grey", [0, 40, 255])
def test_what_was_cut_out_of_a_picture_is_a_mask_whatever_its_colours(transfer, photo, shade, grey):
    cut_out = Image.merge("LA", [Image.new("L", (64, 48), grey), shade])
    found, expected = (transfer.stylize(photo, "amber", masks={"amber": mask}) for mask in (cut_out, shade))
    assert same(found, expected)


def test_what_was_cut_out_in_colours_counts_by_what_is_there_alone(shade):
    alpha = np.asarray(shade)
    cut_out = Image.fromarray(np.dstack((make_photo(48, 64), alpha)))
    np.testing.assert_array_equal(images.read_mask(cut_out)[0, 0] * 255, alpha)


def test_a_mask_with_transparent_corners_keeps_its_black(shade):
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:15, :30] = 0
    turned = Image.merge("LA", [shade, Image.fromarray(alpha)])
    np.testing.assert_array_equal(images.read_mask(turned)[0, 0] * 255, np.minimum(shade, alpha))


@pytest.mark.parametrize("ink", [0, 255])
def test_a_stroke_with_a_soft_edge_is_a_mask_whatever_its_ink(ink):
    paper = Image.new("RGBA", (128, 128), (*[255 - ink] * 3, 0))
    ImageDraw.Draw(paper).ellipse((32, 32, 96, 96), fill=(ink, ink, ink, 255))
    soft = images.read_mask(paper.filter(ImageFilter.GaussianBlur(8)))  # which mixes ink and paper
    assert soft[0, 0, 64, 64] > 0.95
    assert soft[0, 0, 64, 32] > 0.4


def test_a_faint_mask_that_was_rotated_keeps_its_black():
    mask = Image.new("L", (64, 64))
    mask.paste(60, (0, 0, 32, 64))
    turned = images.read_mask(mask.convert("RGBA").rotate(10))
    assert turned[0, 0, 32, 50] < 0.05


def test_the_photo_stays_as_it_is_where_it_is_to_be_kept(transfer, photo, shade):
    kept = transfer.stylize(photo, MIX, keep=shade)
    around = ImageChops.invert(shade)
    assert same(kept, transfer.stylize(photo, MIX, masks=dict.fromkeys(MIX, around)))
    middle = (20, 10, 50, 30)
    assert same(kept.crop(middle), photo.convert("RGB").crop(middle))
    [result] = transfer.stylize_batch([photo], MIX, keep=shade)
    assert same(result.image, kept)


def test_a_painting_tells_which_masks_there_were(transfer, photo, shade):
    for given, told in (
        ({"masks": {"amber": shade}}, {"masks": ["amber"]}),
        ({"keep": shade}, {"keep": True}),
        ({"style_masks": {"picture": shade}}, {"style_masks": ["picture"]}),
        ({}, {}),
    ):
        painted = transfer.stylize(photo, [("amber", 1), (photo, 1)], **given)
        found = json.loads(painted.info["styletransfer"])
        assert {name: found[name] for name in ("masks", "keep", "style_masks") if name in found} == told


def test_masks_and_what_is_to_be_kept_exclude_each_other(transfer, photo, shade):
    with pytest.raises(InvalidInput, match="exclude each other"):
        transfer.stylize(photo, "amber", masks={"amber": shade}, keep=shade)


def test_settings_of_optimisation_are_not_read_nor_told_by_other_methods(transfer, photo, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"")
    painted = transfer.stylize(photo, "amber", optimization={"start": tmp_path / "broken.png"})
    assert "optimization" not in json.loads(painted.info["styletransfer"])


def test_a_painting_that_was_stopped_says_so(transfer, photo):
    def stop(progress):
        if progress.step == 2:
            raise Cancelled

    wish = {"steps": 5, "least_side": 64, "start": "photo"}
    painted = transfer.stylize(photo, "amber", method="gatys", optimization=wish, on_step=stop)
    assert json.loads(painted.info["styletransfer"])["stopped"]


def test_other_folders_of_own_styles_keep_those_that_are_for_all(ship, tiny_styles, tmp_path):
    """Visitors of the page learn into folders of their own, and all use what its owner names."""
    shipped, owners, visitors = (tmp_path / name for name in ("shipped", "owners", "visitors"))
    for folder in (shipped, owners, visitors):
        folder.mkdir()
    shutil.copy(tiny_styles / "amber.safetensors", shipped)
    shutil.copy(tiny_styles / "blue.safetensors", owners)
    ship(shipped)
    transfer = StyleTransfer(device="cpu", styles_dir=owners).with_styles(visitors)
    assert list(transfer.styles) == ["amber", "blue"]
    assert transfer.own_styles == []
    with pytest.raises(InvalidInput, match="never removed"):
        transfer.remove_style("blue")


@pytest.mark.parametrize(
    ("given", "steps", "seconds"),
    [
        ({}, 240, 0),
        ({"seconds": 60}, 5000, 60),
        ({"steps": 9000}, 5000, 0),
        ({"steps": 7, "seconds": 60}, 7, 60),
    ],
)
def test_a_style_is_learned_for_the_steps_or_the_time_given(
    transfer, tmp_path, monkeypatch, given, steps, seconds
):
    seen = []
    monkeypatch.setattr("styletransfer.training.style_job.train_style", lambda job, *more: seen.extend(more))
    transfer.train_style(make_photo(60, 60), "Mine", folder=tmp_path, **given)
    assert (seen[0].steps, seen[0].seconds) == (steps, seconds)


def test_two_pictures_of_one_name_can_be_blended(transfer, photo):
    pictures = [(make_photo(60, 60, seed=seed), 0.5) for seed in (3, 4)]
    blended = transfer.stylize(photo, pictures)
    assert json.loads(blended.info["styletransfer"])["styles"] == {"picture": 0.5, "picture-2": 0.5}
    alone = [transfer.stylize(photo, picture) for picture, _ in pictures]
    assert blended.tobytes() not in [each.tobytes() for each in alone]


def test_where_the_start_of_an_optimisation_lies_is_not_told(transfer, photo, tmp_path):
    make_photo(40, 40).save(tmp_path / "start.png")
    optimization = Optimization(steps=1, start=str(tmp_path / "start.png"))
    painted = transfer.stylize(photo, "amber", method="gatys", optimization=optimization)
    assert json.loads(painted.info["styletransfer"])["optimization"]["start"] == "start.png"


def test_a_photo_keeps_its_size_and_a_given_size_is_the_long_side(transfer, photo):
    assert transfer.stylize(photo, "amber").size == (64, 48)
    assert transfer.stylize(photo, "amber", size=100).size == (100, 75)


def test_a_path_and_its_picture_give_the_same(transfer, photo, tmp_path):
    photo.save(tmp_path / "photo.png")
    assert same(transfer.stylize(tmp_path / "photo.png", MIX), transfer.stylize(photo, MIX))


def test_weights_count_by_their_share(transfer, photo):
    assert same(transfer.stylize(photo, MIX), transfer.stylize(photo, {"amber": 3, "blue": 1, "coral": 0}))
    assert same(transfer.stylize(photo, "amber"), transfer.stylize(photo, {"amber": 0.2}))


def test_transparency_is_kept(transfer, photo):
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    painted = transfer.stylize(photo, "amber")
    assert painted.mode == "RGBA"
    assert same(painted.getchannel("A"), photo.getchannel("A"))


def test_preserve_color_changes_the_colours(transfer, photo):
    plain, kept = (transfer.stylize(photo, "amber", preserve_color=amount) for amount in (0, 1))
    distance = [
        np.abs(np.asarray(p, float).mean((0, 1)) - np.asarray(photo, float).mean((0, 1))).sum()
        for p in (plain, kept)
    ]
    assert distance[1] < distance[0]


def test_parameters_travel_in_the_file(transfer, photo, tmp_path):
    save_picture(transfer.stylize(photo, MIX, strength=0.5, size=50), tmp_path / "out.png")
    parameters = read_metadata(tmp_path / "out.png")
    assert parameters["styles"] == MIX
    assert parameters["strength"] == 0.5
    assert parameters["size"] == 50
    assert parameters["method"] == "cin"
    assert parameters["version"] == VERSION
    assert len(parameters["network"]) == 64


def test_embedded_parameters_paint_the_same_picture_again(transfer, photo, tmp_path):
    first = transfer.stylize(photo, MIX, strength=0.5, size=50, preserve_color=0.25)
    save_picture(first, tmp_path / "out.png")
    p = read_metadata(tmp_path / "out.png")
    again = transfer.stylize(
        photo,
        p["styles"],
        method=p["method"],
        strength=p["strength"],
        size=p["size"],
        preserve_color=p["preserve_color"],
    )
    assert same(first, again)


def test_styles_are_listed_in_order_with_what_is_known(transfer):
    own = {name: info for name, info in transfer.styles.items() if info.artist == "Nobody"}
    assert list(own) == ["amber", "blue", "coral"]
    assert own["amber"].title == "Amber"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"strength": 1.5}, "strength is 1.5; it must be from 0 to 1"),
        ({"strength": math.nan}, "strength is nan"),
        ({"preserve_color": -1}, "preserve_color is -1"),
        ({"size": 0}, "size is 0"),
        ({"method": "magic"}, "unknown method 'magic'"),
        ({"color_mode": "hue"}, "choose one of luminance, statistics"),
        ({"style": {"amber": -1}}, "weight of style 'amber' is -1"),
        ({"style": {}}, "at least one"),
    ],
)
def test_a_bad_wish_says_what_was_expected(transfer, photo, wish, message):
    with pytest.raises(InvalidInput, match=message):
        transfer.stylize(photo, **{"style": "amber", **wish})


def test_nothing_is_loaded_before_it_is_needed(tmp_path, tiny_styles, photo):
    transfer = StyleTransfer(device="cpu", models_dir=tmp_path, styles_dir=tiny_styles)
    assert "amber" in transfer.styles
    with pytest.raises(MissingWeights):
        transfer.stylize(photo, "amber")


@pytest.mark.parametrize("method", ["cin", "adain", "gatys"])
@pytest.mark.parametrize("wish", [{}, {"stroke_size": 2.0}, {"preserve_color": 1.0}, {"strength": 0.1}])
def test_where_a_mask_is_black_the_photo_stays_as_it_is(transfer, method, wish):
    photo, mask = make_photo(64, 128), Image.new("L", (128, 64))
    mask.paste(255, (0, 0, 64, 64))
    few = Optimization(steps=3, least_side=128)
    painted = transfer.stylize(photo, "amber", method=method, masks={"amber": mask}, optimization=few, **wish)
    painted = np.asarray(painted, int)
    change = np.abs(painted - np.asarray(photo, int))
    assert change[:, 66:].max() == 0
    assert change[:, :62].mean() > 1


@pytest.mark.parametrize("large", [False, True])
def test_previews_of_a_masked_painting_keep_the_photo_as_well(transfer, monkeypatch, large):
    if large:  # the photo, which is held in bytes then; the mask is not
        monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 100)
    monkeypatch.setattr("styletransfer.methods.coarse_to_fine.PREVIEW_SECONDS", 0)
    photo, mask = make_photo(64, 128), Image.new("L", (8, 4))
    mask.paste(255, (0, 0, 4, 4))
    few = Optimization(steps=3, least_side=128)
    seen = []
    wish = {"method": "gatys", "masks": {"amber": mask}, "optimization": few}
    transfer.stylize(photo, "amber", on_step=lambda progress: seen.append(progress.preview), **wish)
    assert len(seen) > 1
    for preview in seen:
        change = 255 * (preview - images.as_float(images.read_picture(photo).rgb)).abs()
        assert change[..., 100:].max() < 1
        assert change[..., :28].mean() > 1


@pytest.mark.parametrize("method", ["cin", "adain", "gatys"])
def test_the_random_numbers_of_the_caller_stay_as_they_are(tiny_models, tiny_styles, photo, method):
    before = torch.random.get_rng_state()
    few = Optimization(steps=1, least_side=64) if method == "gatys" else None
    transfer = StyleTransfer(models_dir=tiny_models, styles_dir=tiny_styles, device="cpu")
    transfer.stylize(photo, "amber", method=method, optimization=few)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("wish", [{}, {"stroke_size": 4.0, "method": "gatys"}])
def test_strength_zero_is_the_photo_to_the_pixel(transfer, photo, wish):
    seen = []
    painted = transfer.stylize(photo, "amber", strength=0, on_step=seen.append, **wish)
    assert painted.tobytes() == photo.tobytes()
    assert [(progress.step, progress.steps) for progress in seen] == [(1, 1)]


def test_a_stop_at_strength_zero_is_one_as_at_any_other(transfer, photo):
    def stop(_):
        raise Cancelled

    with pytest.raises(Cancelled):
        transfer.stylize(photo, "amber", strength=0, on_step=stop)


@pytest.mark.parametrize(
    ("photo", "style", "message"),
    [
        (None, "amber", "NoneType is not a picture"),
        (np.zeros((4, 4, 3)), "amber", "ndarray is not a picture"),
        ("photo.png", ["amber", "blue"], "'amber' is not a style with a weight"),
        ("photo.png", {"amber": "0.5"}, "weights must be numbers"),
        ("photo.png", {7: 1.0}, "is not a style with a weight"),
    ],
)
def test_what_is_no_photo_and_no_style_is_told(transfer, photo, style, message):
    with pytest.raises(InvalidInput, match=message):
        transfer.stylize(photo, style)


def test_a_weak_painting_is_as_strong_under_a_white_mask(transfer, photo):
    white = Image.new("L", (9, 9), 255)
    masked = np.asarray(transfer.stylize(photo, "amber", strength=0.1, masks={"amber": white}), float)
    plain = np.asarray(transfer.stylize(photo, "amber", strength=0.1), float)
    assert np.abs(masked - plain).mean() < 1


def test_a_grey_mask_is_that_much_strength(transfer, photo):
    grey = Image.new("L", (9, 9), 128)
    masked = np.asarray(transfer.stylize(photo, "amber", masks={"amber": grey}), float)
    plain = np.asarray(transfer.stylize(photo, "amber", strength=128 / 255), float)
    assert np.abs(masked - plain).mean() < 2


@pytest.mark.parametrize("method", ["cin", "adain"])
def test_numpys_doubles_are_numbers(transfer, photo, method):
    mix = {"amber": 0.5, "blue": 0.5}
    doubles = {name: np.float64(weight) for name, weight in mix.items()}
    painted = transfer.stylize(photo, doubles, method=method, strength=np.linspace(0, 1, 5)[2])
    assert same(painted, transfer.stylize(photo, mix, method=method, strength=0.5))


def test_numpys_numbers_are_numbers(transfer, photo):
    few = {"steps": np.int64(3), "seed": np.int64(2)}
    wish = {"size": np.int64(40), "strength": np.float32(0.5), "method": "gatys"}
    mix = {"amber": np.float32(0.7), "blue": np.float32(0.3)}
    [result] = transfer.stylize_batch([photo], mix, optimization=few, **wish)
    parameters = result.painting.parameters
    assert json.loads(json.dumps(parameters)) == parameters
    assert parameters["styles"] == {"amber": 0.7, "blue": 0.3}
    assert (parameters["size"], parameters["strength"], parameters["optimization"]["steps"]) == (40, 0.5, 3)


def test_a_style_mask_is_of_the_picture_that_it_names(transfer, photo):
    mask = Image.new("L", (40, 40))
    mask.paste(255, (0, 0, 20, 40))
    pictures = [(make_photo(40, 40, seed=3), 1.0), (make_photo(40, 40, seed=4), 0.0)]
    none, first, second = (
        transfer.stylize(photo, pictures, method="adain", style_masks=masks).tobytes()
        for masks in ({}, {"picture": mask}, {"picture-2": mask})
    )
    assert first != none == second


def test_white_masks_change_nothing(transfer, photo):
    white = Image.new("L", (9, 9), 255)
    masked = np.asarray(transfer.stylize(photo, MIX, masks={"amber": white, "blue": white}), float)
    whole = np.asarray(transfer.stylize(photo, MIX), float)
    assert np.abs(masked - whole).mean() < 0.05 * whole.std()  # maps are blended in another order, in bf16


@pytest.mark.parametrize("method", ["cin", "adain"])
@pytest.mark.parametrize("around", [0, 255])
def test_a_region_is_painted_alike_whatever_lies_around_it(transfer, method, around):
    photo, place = make_photo(64, 160), (60, 0, 100, 64)
    mask = Image.new("L", photo.size)
    mask.paste(255, place)
    flat = Image.new("RGB", photo.size, (around,) * 3)
    flat.paste(photo.crop(place), place)
    masks = {"amber": mask}
    within, alone = (
        np.asarray(transfer.stylize(each, "amber", method=method, masks=given).crop(part), float)
        for each, given, part in ((flat, masks, place), (photo.crop(place), {}, (0, 0, 40, 64)))
    )
    assert np.abs(within.mean(axis=(0, 1)) - alone.mean(axis=(0, 1))).max() < 0.25 * alone.std()


def test_a_region_is_painted_alike_whatever_is_painted_elsewhere(transfer):
    photo, place = make_photo(64, 256), (200, 8, 248, 56)
    masks = {name: Image.new("L", (256, 64)) for name in ("amber", "blue")}
    masks["amber"].paste(255, (0, 0, 64, 64))
    masks["blue"].paste(255, place)
    alone, beside = (
        np.asarray(transfer.stylize(photo, mix, masks=given).crop(place), float)
        for mix, given in (("blue", {"blue": masks["blue"]}), (MIX, masks))
    )
    assert np.abs(beside - alone).mean() < 0.1 * alone.std()  # what convolutions see of the other region


@pytest.mark.parametrize("masked", [False, True])
def test_a_weak_painting_has_the_detail_of_the_photo_at_broad_strokes_too(transfer, monkeypatch, masked):
    monkeypatch.setattr(cin.CinStylizer, "stylize", lambda self, content, *_: content)
    photo, masks = make_photo(160, 200), {"amber": Image.new("L", (8, 8), 255)} if masked else {}
    differences = [
        np.abs(np.asarray(painted, float) - np.asarray(photo, float)).mean()
        for painted in (
            transfer.stylize(photo, "amber", strength=strength, stroke_size=4, masks=masks)
            for strength in (0.01, 0.5, 1.0)
        )
    ]
    assert differences[0] < 1 < differences[2]
    assert differences[1] == pytest.approx(differences[2] / 2, rel=0.1)


def test_a_grey_mask_keeps_the_detail_of_the_photo_at_broad_strokes(transfer, monkeypatch):
    monkeypatch.setattr(cin.CinStylizer, "stylize", lambda self, content, *_: content)
    photo = make_photo(160, 200)
    grey, white = (
        np.asarray(transfer.stylize(photo, "amber", stroke_size=4, masks={"amber": mask}), float)
        for mask in (Image.new("L", (8, 8), 128), Image.new("L", (8, 8), 255))
    )
    lost = [np.abs(painted - np.asarray(photo, float)).mean() for painted in (grey, white)]
    assert lost[0] == pytest.approx(lost[1] / 2, rel=0.1)


@pytest.mark.parametrize("stroke_size", [1.0, 2.0])
@pytest.mark.parametrize("method", ["cin", "adain"])
def test_a_faint_shadow_hardly_changes_the_painting_of_a_cut_out(transfer, method, stroke_size):
    def painted(alpha):
        cut_out = Image.new("RGBA", (512, 64), (0, 0, 0, alpha))
        cut_out.paste(make_photo(64, 96), (0, 0))
        found = transfer.stylize(cut_out, "amber", method=method, stroke_size=stroke_size)
        return np.asarray(found.crop((0, 0, 64, 64)).convert("RGB"), float)

    changes = [np.abs(painted(alpha) - painted(0)).mean() for alpha in (25, 255)]
    assert changes[0] < 0.45 * changes[1]


def test_the_method_is_told_what_is_visible_of_photos_that_are_painted_together(transfer, monkeypatch):
    photo, cut_out, faint = (make_photo(48, 64, seed=seed) for seed in range(3))
    cut_out.putalpha(Image.linear_gradient("L").resize(cut_out.size))
    faint.putalpha(51)
    opaque = photo.convert("RGBA")
    told = []

    def stylize(self, content, styles, weights, strength, on_step=None, optimization=None, visible=None):
        told.append(visible)
        return content

    monkeypatch.setattr(cin.CinStylizer, "stylize", stylize)
    monkeypatch.setattr("styletransfer.batches.at_once", lambda request, size: 8)
    list(transfer.stylize_batch([photo, opaque, cut_out, faint, photo], "amber"))
    shades = np.asarray(cut_out.getchannel("A"), dtype=np.float32)[None] / 255
    np.testing.assert_allclose(told[1], np.stack([shades, np.full_like(shades, 0.2)]))
    assert (told[0], told[2]) == (None, None)


@pytest.mark.parametrize("mode", ["luminance", "statistics"])
def test_the_colours_that_are_kept_are_those_of_what_is_seen(transfer, mode):
    photo, cut_out = make_photo(64, 128), Image.new("RGBA", (128, 64), (0, 0, 0, 8))
    cut_out.paste(photo.crop((0, 0, 64, 64)), (0, 0))
    kept = transfer.stylize(cut_out, "amber", preserve_color=1, color_mode=mode).convert("RGBA")
    left = [each.crop((0, 0, 64, 64)).convert("RGB").convert("L") for each in (kept, photo)]
    means = [np.asarray(each, float).mean() for each in left]
    assert abs(means[0] - means[1]) < 8


@pytest.mark.parametrize("mode", ["luminance", "statistics"])
def test_the_colours_that_are_kept_are_those_of_the_region(transfer, photo, mode):
    left, place = Image.new("L", photo.size), (0, 0, photo.width // 2, photo.height)
    left.paste(255, place)
    wish = {"preserve_color": 1.0, "color_mode": mode}
    painted = transfer.stylize(photo, "amber", masks={"amber": left}, **wish).crop(place)
    means = [np.asarray(each.convert("L"), float).mean() for each in (painted, photo.crop(place))]
    assert abs(means[0] - means[1]) < 4


def test_a_style_without_a_mask_belongs_everywhere(transfer, photo):
    left, white = Image.new("L", (64, 48)), Image.new("L", (9, 9), 255)
    left.paste(255, (0, 0, 32, 48))
    told = transfer.stylize(photo, MIX, masks={"amber": left, "blue": white})
    assert near(transfer.stylize(photo, MIX, masks={"amber": left}), told)


def test_a_mask_of_a_style_that_weighs_nothing_is_no_mistake(transfer, photo):
    masks = {"amber": Image.new("L", (9, 9), 255), "blue": Image.new("L", (9, 9))}
    painted = transfer.stylize(photo, {"amber": 1, "blue": 0}, masks=masks)
    assert same(painted, transfer.stylize(photo, "amber", masks={"amber": masks["amber"]}))


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_is_a_style_like_any_other(transfer, photo, tmp_path, method):
    painting = make_photo(40, 40, seed=4)
    painting.save(tmp_path / "painting.png")

    def painted(style):
        return transfer.stylize(photo, style, method=method, optimization=FEW).tobytes()

    alone = {painted(style) for style in (painting, tmp_path / "painting.png", str(tmp_path / "painting.png"))}
    assert len(alone) == 1
    assert len({*alone, painted([(painting, 0.5), ("amber", 0.5)]), painted("amber"), photo.tobytes()}) == 4


@pytest.mark.parametrize("method", METHODS)
def test_a_callers_inference_mode_is_no_hindrance_during_it_or_after_it(
    tiny_models, tiny_styles, photo, method
):
    transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)
    mix = [(make_photo(40, 40, seed=4), 0.5), ("amber", 0.5)]
    with torch.inference_mode():
        transfer.estimate((40, 40), method=method)
        within = transfer.stylize(photo, mix, method=method, optimization=FEW)
    assert same(transfer.stylize(photo, mix, method=method, optimization=FEW), within)


@pytest.mark.parametrize("earlier", [False, True])
def test_without_a_predictor_of_the_base_network_a_picture_is_a_style_of_the_other_methods_alone(
    transfer, photo, tmp_path, earlier
):
    models = shutil.copytree(transfer._models_dir, tmp_path / "models")
    (models / PREDICTOR_FILE).unlink()
    if earlier:
        save_predictor(models, random_predictor(), "0" * 64, {"command": "none"})
    without = StyleTransfer(device="cpu", models_dir=models, styles_dir=transfer._bank.own)
    picture = make_photo(40, 40, seed=4)
    with pytest.raises(InvalidInput, match="train one with 'styletransfer train-predictor'"):
        without.stylize(photo, picture)
    assert without.stylize(photo, picture, method="adain").size == photo.size


def test_a_grey_style_mask_is_as_good_as_a_white_one(transfer, photo):
    painting = make_photo(700, 500, seed=3)
    paintings = []
    for shade in (100, 255):
        mask = Image.new("L", painting.size)
        mask.paste(shade, (0, 0, 350, 250))
        paintings.append(transfer.stylize(photo, painting, style_masks={"picture": mask}))
    assert near(*paintings)


def test_a_style_mask_that_leaves_nothing_is_refused(transfer, photo):
    black = Image.new("L", (9, 9))
    with pytest.raises(InvalidInput, match="mask of picture is all black"):
        transfer.stylize(photo, photo, style_masks={"picture": black})


def test_a_style_that_weighs_hardly_anything_is_all_there_is_where_it_is_alone(transfer):
    left = Image.new("L", (64, 48))
    left.paste(255, (0, 0, 32, 48))
    options = Options(1.0, None, 1.0, 0.0, "luminance", USUAL)
    request = transfer._request({"amber": 1.0, "blue": 1e-7}, "cin", {"amber": left}, {}, options)
    weights, _ = shares_of(request.weights, 1.0, request.masks, (48, 64))
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(48, 64))
    assert weights[1, :, 40:].min() == 1


def test_a_style_mask_for_anything_but_a_picture_is_refused(transfer, photo):
    with pytest.raises(InvalidInput, match="is not one of the pictures used as styles"):
        transfer.stylize(photo, "amber", style_masks={"amber": Image.new("L", (8, 8))})


def test_the_color_mode_is_the_one_that_was_chosen(transfer, photo):
    luminance, statistics = (
        transfer.stylize(photo, "amber", preserve_color=1, color_mode=mode).tobytes()
        for mode in ("luminance", "statistics")
    )
    assert luminance != statistics


def test_strokes_of_twice_the_size_are_those_of_half_the_photo(transfer, photo):
    large = photo.resize((photo.width * 2, photo.height * 2))
    broad = transfer.stylize(large, "amber", method="adain", stroke_size=2)
    assert broad.size == large.size
    halved = transfer.stylize(large, "amber", method="adain", size=photo.width)
    halved = halved.resize(large.size, Image.Resampling.BICUBIC)
    assert ImageStat.Stat(ImageChops.difference(broad, halved)).mean[0] < 12


@pytest.mark.parametrize(("stroke_size", "share"), [(1.0, None), (2**0.5, 0.35), (2.0, 0.7), (4.0, 0.7)])
def test_what_cin_has_enlarged_is_painted_over_in_part(transfer, monkeypatch, stroke_size, share):
    painted = []

    def stylize(self, content, styles, weights, strength, on_step=None, *_):
        painted.append((content.shape[-2:], float(strength)))
        on_step(Progress(1, 1))
        return content

    monkeypatch.setattr(cin.CinStylizer, "stylize", stylize)
    steps = []
    transfer.stylize(make_photo(64, 80), "amber", strength=0.5, stroke_size=stroke_size, on_step=steps.append)
    first, *second = painted
    assert first[1] == 0.5
    assert second == ([((64, 80), pytest.approx(0.5 * share))] if share else [])
    assert [(each.step, each.steps) for each in steps] == ([(1, 2), (2, 2)] if share else [(1, 1)])


@pytest.mark.parametrize(
    ("wish", "size", "painted"),
    [
        ({}, (64, 80), [(64, 80)]),
        ({}, (88, 110), [(88, 110)]),  # too little larger
        ({}, (128, 160), [(64, 80), (128, 160)]),
        ({}, (64, 320), [(32, 160), (64, 320)]),
        ({}, (640, 800), [(160, 200), (640, 800)]),  # four times at most
        ({"stroke_size": 2}, (128, 160), [(32, 40), (128, 160)]),
        ({"stroke_size": 0.5}, (128, 160), [(128, 160)]),
        ({"stroke_size": 0.6}, (128, 160), [(128, 160)]),
        ({"stroke_size": 1.2}, (64, 80), [(53, 67), (64, 80)]),
        ({"method": "adain"}, (128, 160), [(128, 160)]),
    ],
)
def test_in_large_pictures_the_strokes_of_cin_grow(transfer, monkeypatch, wish, size, painted):
    monkeypatch.setattr("styletransfer.request.USUAL_PIXELS", 64 * 80)
    sizes = []

    def stylize(self, content, *_):
        sizes.append(content.shape[-2:])
        return content

    for stylizer in (cin.CinStylizer, adain.AdainStylizer):
        monkeypatch.setattr(stylizer, "stylize", stylize)
    transfer.stylize(make_photo(*size), "amber", **wish)
    assert sizes == painted


def test_what_is_painted_over_keeps_to_its_mask(transfer, monkeypatch):
    left, strengths = Image.new("L", (80, 64)), []
    left.paste(255, (0, 0, 40, 64))

    def stylize(self, content, styles, weights, strength, *_):
        strengths.append(strength)
        return content

    monkeypatch.setattr(cin.CinStylizer, "stylize", stylize)
    transfer.stylize(make_photo(64, 80), "amber", stroke_size=2, masks={"amber": left})
    _, over = strengths
    torch.testing.assert_close(over[:, :38], torch.full((64, 38), 0.7))
    assert not over[:, 42:].any()


@pytest.mark.parametrize("photos", [1, 3])
def test_the_steps_of_both_passes_are_counted_together(transfer, monkeypatch, photos):
    monkeypatch.setattr("styletransfer.methods.computes_int8", lambda device: False)
    if photos == 1:
        monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100, side=280))
    steps = []
    list(
        transfer.stylize_batch(
            [make_photo(300, 320, seed=seed) for seed in range(photos)],
            "amber",
            stroke_size=2,
            on_step=steps.append,
        )
    )
    [total] = {each.steps for each in steps}
    assert [each.step for each in steps] == list(range(1, total + 1))
    assert total > 2


def test_finer_strokes_count_as_pixels(transfer, photo, monkeypatch):
    monkeypatch.setattr("styletransfer.request.MAX_PIXELS", 2 * photo.width * photo.height)
    with pytest.raises(InvalidInput, match=r"stroke size 0\.5"):
        transfer.stylize(photo, "amber", stroke_size=0.5)


@pytest.mark.parametrize("alpha", [None, 100])
def test_large_pictures_are_painted_in_tiles_from_bytes(transfer, monkeypatch, alpha):
    photo, steps = make_photo(300, 320), []
    if alpha is not None:
        photo.putalpha(alpha)
    monkeypatch.setattr("styletransfer.methods.computes_int8", lambda device: False)
    monkeypatch.setattr("styletransfer.methods.choose_dtype", lambda device: torch.float32)
    whole = transfer.stylize(photo, "amber", preserve_color=0.5)
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 100)
    monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100, side=280))
    # One sample, which is the whole: its statistics are then known exactly.
    monkeypatch.setattr(Sampling, "windows", lambda self, *size: [Window(0, 0, *size[:2])])
    tiled = transfer.stylize(photo, "amber", preserve_color=0.5, on_step=lambda each: steps.append(each.steps))
    assert steps[-1] > 1
    assert tiled.mode == whole.mode
    assert max(ImageStat.Stat(ImageChops.difference(tiled, whole)).mean) < 0.6


def test_a_large_file_is_painted_to_a_file(transfer, photo, monkeypatch, tmp_path):
    photo.save(tmp_path / "photo.png")
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 100)
    monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100))
    [result] = transfer.stylize_batch([tmp_path / "photo.png"], "amber")
    result.painting.save(tmp_path / "painted.png")
    assert read_metadata(tmp_path / "painted.png") == result.painting.parameters
    with Image.open(tmp_path / "painted.png") as painted:
        assert painted.tobytes() == transfer.stylize(photo, "amber").tobytes()


def test_a_large_painting_lies_in_a_mapped_file_whose_pages_are_let_go_tile_by_tile(
    transfer, monkeypatch, tmp_path
):
    make_photo(300, 320).save(tmp_path / "photo.png")
    monkeypatch.setattr("styletransfer.images.reading.WHOLE_PIXELS", 100)
    monkeypatch.setattr(cin, "TILING", replace(cin.TILING, whole=100, side=280))
    map_file, mapped, released = images.mapped.map_file, [], []

    def noting(path, height, width, channels):
        mapped.append(map_file(path, height, width, channels))
        return mapped[-1]

    monkeypatch.setattr(images.mapped, "map_file", noting)
    monkeypatch.setattr(images, "release", lambda: released.append(len(mapped)))
    [result] = transfer.stylize_batch([tmp_path / "photo.png"], "amber")
    assert result.painting.rgb.data_ptr() in [each.data_ptr() for each in mapped]
    assert len(released) == len(cin.TILING.plan((300, 320))) > 1


@pytest.mark.usefixtures("one_core")
def test_threads_that_share_it_paint_what_each_would_alone(tiny_models, tiny_styles):
    def shared():
        return StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)

    def painted(transfer, wish, wait=lambda: None):
        style, method = wish
        wait()
        return transfer.stylize(make_photo(48, 64), style, method=method, optimization=FEW).tobytes()

    wishes = [(style, method) for method in ("cin", "cin", *METHODS) for style in (MIX, "coral")]
    alone, together, both = shared(), shared(), threading.Barrier(2)
    expected = [painted(alone, wish) for wish in wishes]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda wish: painted(together, wish, lambda: both.wait(60)), wishes)
        assert list(found) == expected


def test_a_painting_too_large_for_pil_is_refused_before_it_is_painted(transfer, photo, monkeypatch):
    monkeypatch.setattr("styletransfer.api.MAX_PIL_PIXELS", 100)
    with pytest.raises(InvalidInput, match="stylize_batch"):
        transfer.stylize(photo, "amber")


def test_weight_files_that_are_replaced_while_the_program_runs_are_loaded(transfer, photo, tmp_path):
    models, styles = tmp_path / "models", tmp_path / "styles"
    styles.mkdir()
    transfer = StyleTransfer(device="cpu", models_dir=models, styles_dir=styles)
    for seed in (1, 2):
        torch.manual_seed(seed)
        sha256 = save_base(models, TransformerNetwork(TINY), {"command": "none"})
        save_style(styles / "amber.safetensors", random_style("amber", sha256, seed=1))
        painted = transfer.stylize(photo, "amber")
        assert json.loads(painted.info["styletransfer"])["network"] == sha256


def test_networks_are_loaded_once_however_many_ask_at_the_same_time(transfer, monkeypatch):
    assert calls_by_two_threads(monkeypatch, methods, "load", lambda: transfer._stylizer("cin")) == 1


def test_a_program_that_makes_its_tensors_elsewhere_gets_the_same_paintings(tiny_models, tiny_styles, tmp_path):
    def work(folder):
        stylebank._kept.cache_clear()
        transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)
        transfer.estimate((40, 40))
        learned = transfer.train_style(make_photo(60, 60, seed=4), "Mine", steps=1, folder=folder)
        transfer.with_styles(tmp_path / "imported").import_style(folder / "mine.safetensors")
        transfer.with_styles(tmp_path / "imported").remove_style("mine")
        photo, mix = make_photo(48, 64), [(learned, 0.5), ("amber", 0.3), (make_photo(40, 40, seed=4), 0.2)]
        return [
            transfer.stylize(photo, mix, method=method, optimization=FEW, size=60).tobytes()
            for method in METHODS
        ]

    (tmp_path / "imported").mkdir()
    expected = work(tmp_path / "before")
    with torch.device("meta"):
        assert work(tmp_path / "after") == expected


def test_a_program_that_computes_in_double_precision_gets_the_same_paintings(
    tiny_models, tiny_styles, photo, tmp_path, monkeypatch
):
    monkeypatch.setattr("styletransfer.training.style_job.PREVIEW_SECONDS", -1)
    painting, left = make_photo(60, 60, seed=4), Image.new("L", photo.size)
    left.paste(255, (0, 0, 32, 48))

    def work(folder):
        transfer = StyleTransfer(device="cpu", models_dir=tiny_models, styles_dir=tiny_styles)
        learned = transfer.train_style(painting, "Mine", steps=1, folder=folder, on_step=lambda progress: None)
        assert learned.row.dtype == torch.float32
        return [
            transfer.stylize(photo, MIX, method=method, masks={"amber": left}, preserve_color=0.5).tobytes()
            for method in ("cin", "adain")
        ]

    expected = work(tmp_path / "before")
    torch.set_default_dtype(torch.float64)
    try:
        assert work(tmp_path / "after") == expected
    finally:
        torch.set_default_dtype(torch.float32)
