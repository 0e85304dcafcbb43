"""Optimisation of pixels, on small pictures."""

import dataclasses
import itertools
import math
import shutil
import time

import pytest
import torch
from conftest import make_photo, photo_pixels, random_style
from PIL import Image, ImageChops, ImageStat

from styletransfer import StyleTransfer, images
from styletransfer.core import Progress, StyleInfo
from styletransfer.errors import Cancelled, InvalidInput
from styletransfer.losses import content_loss, total_variation
from styletransfer.methods import coarse_to_fine, gatys
from styletransfer.methods.objective import ALIGNMENT, MARGIN, Goal, Objective
from styletransfer.methods.schedule import LEAST_STEPS, plan_sizes
from styletransfer.methods.tiles import tiles
from styletransfer.settings import Optimization
from styletransfer.targets import StyleTarget, style_target
from styletransfer.vgg import GRAM_LAYERS, VGG19, load_vgg19, stride
from styletransfer.weights import BASE_FILE

FEW = Optimization(steps=4, least_side=32)


@pytest.fixture(scope="module")
def vgg():
    return load_vgg19(GRAM_LAYERS[-1])


@pytest.fixture(scope="module")
def stylizer(vgg):
    return gatys.GatysStylizer(vgg, None, torch.float32)


def painting():
    """Coloured blots of several sizes."""
    generator = torch.Generator().manual_seed(3)
    blots = [torch.rand(1, 3, side, side, generator=generator) for side in (6, 16, 48)]
    return sum(images.resize(blot, (160, 160)) for blot in blots) / 3


@pytest.fixture(scope="module")
def style(vgg):
    return style_target(vgg, painting(), GRAM_LAYERS).style(StyleInfo("s", "S"), torch.zeros(2, 0))


def paint(stylizer, style, photo, settings=FEW, strength=1.0, on_step=None):
    return stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(strength), on_step, settings)


# The objective


@pytest.mark.parametrize(("width", "tile_side"), [(160, 144), (225, 160)])  # the last tile: usual, one pixel
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("statistic", ["gram", "wasserstein"])
def test_tiles_have_nearly_the_gradient_of_the_whole(vgg, style, statistic, masked, width, tile_side):
    photo, image = photo_pixels(96, width), painting().repeat(1, 1, 1, 2)[:, :, :96, :width]
    settings = Optimization(statistic=statistic)
    mask = torch.linspace(0, 1, width).expand(1, 1, 96, width) if masked else None
    goals = [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0, mask)]
    whole, tiled = (Objective(vgg, photo, goals, settings, side) for side in (512, tile_side))
    expected, losses = whole.gradient(image)
    found, tiled_losses = tiled.gradient(image)
    assert tiled_losses.style == pytest.approx(losses.style, rel=0.1)
    assert tiled_losses.content == pytest.approx(losses.content, rel=0.1)
    assert torch.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.9


@pytest.mark.parametrize("statistic", ["gram", "wasserstein"])
def test_tiles_have_the_gradient_of_the_whole_where_their_margins_cover_what_the_layers_see(
    vgg, style, statistic
):
    photo, image = photo_pixels(96, 160), painting()[:, :, :96]
    goals, settings = [Goal(StyleTarget.of(style), 1.0, None)], Optimization(statistic=statistic)
    (expected, _), (found, _) = (
        Objective(vgg, photo, goals, settings, side).gradient(image) for side in (512, 144)
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3 * expected.abs().max().item())


@pytest.mark.parametrize("layer", ["relu2_2", "relu4_2"])
@pytest.mark.parametrize("side", [512, 144])  # the whole, and in tiles
def test_the_objective_is_content_at_its_layer_and_the_mean_style_loss_of_the_layers(vgg, style, layer, side):
    photo, image = photo_pixels(64, 160), painting()[:, :, :64]
    target = StyleTarget.of(style, GRAM_LAYERS)
    settings = Optimization(content_layer=layer, content_weight=2.0)
    found = Objective(vgg, photo, [Goal(target, 0.5)], settings, side).gradient(image)[1]
    features, own = (vgg(each, [layer, *GRAM_LAYERS]) for each in (image, photo))
    close = 1e-4 if side == 512 else 0.1
    assert found.content == pytest.approx(content_loss(features[layer], own[layer]).item(), rel=close)
    assert found.style == pytest.approx(3 * 0.5 * target.loss(features).item(), rel=close)
    assert found.objective == pytest.approx(2 * found.content + found.style, rel=1e-4)


@pytest.mark.parametrize("layer", GRAM_LAYERS)
@pytest.mark.parametrize("size", [(100, 40), (47, 513), (300, 255)])
def test_the_own_features_of_all_tiles_are_those_of_the_picture_once(vgg, layer, size):
    apart = stride(layer)
    seen = torch.zeros(size[0] // apart, size[1] // apart)
    for tile in tiles(*size, side=208, margin=MARGIN, alignment=ALIGNMENT):
        outer, inner = tile.outer, tile.inner
        made = vgg(torch.rand(1, 3, outer.height, outer.width), [layer])[layer]
        rows, columns = tile.own(made, apart).shape[-2:]
        part = seen[inner.top // apart :, inner.left // apart :][:rows, :columns]
        assert part.shape == (rows, columns)
        part += 1
    assert (seen == 1).all()


# The optimisation


@pytest.mark.parametrize(
    "settings",
    [
        FEW,
        Optimization(steps=4, least_side=32, statistic="wasserstein"),
        Optimization(steps=4, least_side=32, optimizer="lbfgs"),
        Optimization(steps=6, least_side=32, start="noise"),
    ],
    ids=["adam", "wasserstein", "lbfgs", "noise"],
)
def test_optimising_lowers_the_objective(vgg, stylizer, style, settings):
    photo = photo_pixels(64, 80)
    objective = Objective(vgg, photo, [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0)], settings, 512)
    painted = paint(stylizer, style, photo, settings)
    start = torch.rand_like(photo) if settings.start == "noise" else photo
    assert objective.gradient(painted)[1].objective < 0.8 * objective.gradient(start)[1].objective


def test_lbfgs_takes_no_clamped_pixel_for_curvature(stylizer, style):
    photo = photo_pixels(64, 64).round()  # most pixels want to leave the range
    seen: list[Progress] = []
    settings = Optimization(steps=60, least_side=64, optimizer="lbfgs", patience=60, start="photo")
    paint(stylizer, style, photo, settings, on_step=seen.append)
    objectives = [progress.losses["objective"] for progress in seen if progress.losses]
    assert objectives[-1] < 1.1 * min(objectives)


def test_what_counts_is_all_that_is_minimised(stylizer, style):
    photo, seen = photo_pixels(64, 64), []
    settings = Optimization(steps=12, least_side=64, start="photo", variation_weight=1e4, patience=3)
    paint(stylizer, style, photo, settings, on_step=seen.append)
    first, *_, last = (progress.losses for progress in seen if progress.losses)
    variation = 1e4 * total_variation(photo).item()
    assert first["objective"] == pytest.approx(first["content"] + first["style"] + variation, rel=1e-4)
    assert last["objective"] < first["objective"]


@pytest.mark.parametrize(
    ("setting", "little", "much", "lowers"),
    [
        ("content_weight", 1.0, 1e6, lambda objective, picture: objective.gradient(picture)[1].content),
        ("style_weight", 1e-6, 3.0, lambda objective, picture: objective.gradient(picture)[1].style),
        ("variation_weight", 0.0, 1e6, lambda objective, picture: total_variation(picture).item()),
    ],
)
def test_more_weight_on_a_loss_lowers_that_loss(vgg, stylizer, style, setting, little, much, lowers):
    photo = photo_pixels(64, 64)
    objective = Objective(vgg, photo, [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0)], FEW, 512)
    found = {
        weight: lowers(
            objective,
            paint(stylizer, style, photo, Optimization(steps=12, least_side=64, **{setting: weight})),
        )
        for weight in (little, much)
    }
    assert found[much] < 0.9 * found[little]


def test_the_result_is_an_average_of_the_last_pictures(stylizer, style):
    """On the way from the photo the average lies behind the last one."""
    photo = photo_pixels(64, 64)
    last, average = (
        paint(stylizer, style, photo, Optimization(steps=6, least_side=64, start="photo", average=average))
        for average in (0.0, 0.9)
    )
    assert (average - photo).abs().mean() < 0.9 * (last - photo).abs().mean()


def test_a_size_at_which_nothing_gets_better_ends_early(stylizer, style):
    seen: list[Progress] = []
    settings = Optimization(steps=50, least_side=64, rate=1e-9, patience=2)
    paint(stylizer, style, photo_pixels(64, 64), settings, on_step=seen.append)
    assert seen[-1].step == 3


def test_sizes_grow_by_about_the_root_of_two_to_the_full_one():
    plans = plan_sizes((480, 640), Optimization(steps=50, least_side=128))
    assert plans[-1].size == (480, 640)
    assert 90 < max(plans[0].size) <= 128
    for small, large in itertools.pairwise(plans):
        assert 1.35 < large.size[1] / small.size[1] < 1.48
        assert small.steps >= large.steps
    assert [plan.size for plan in plan_sizes((20, 40), Optimization())] == [(32, 64)]


def test_no_size_is_worked_at_twice():
    sizes = [plan.size for plan in plan_sizes((1024, 1024), Optimization(least_side=1))]
    assert len(set(sizes)) == len(sizes)
    assert sizes == [plan.size for plan in plan_sizes((1024, 1024), Optimization(least_side=32))]


@pytest.mark.parametrize(
    ("size", "message"),
    [((40_000, 30_000), "30000x40000 pixels has more than 1,000,000,000"), ((1, 10**6), "too elongated")],
)
def test_a_picture_too_large_says_whether_it_is_so_by_its_shape(size, message):
    with pytest.raises(InvalidInput, match=message):
        plan_sizes(size, Optimization())


def test_adams_averages_are_carried_to_the_next_size_in_the_units_of_its_gradients(
    stylizer, style, monkeypatch
):
    taken, given = [], []
    optimise = coarse_to_fine.CoarseToFine._optimise

    def watched(self, state, index):
        taken.append([part.clone() for part in state])
        found = optimise(self, state, index)
        given.append([part.clone() for part in found])
        return found

    monkeypatch.setattr(coarse_to_fine.CoarseToFine, "_optimise", watched)
    paint(stylizer, style, photo_pixels(64, 64), Optimization(steps=2, least_side=46))
    assert [len(state) for state in taken] == [0, 2]
    for power, (before, after) in enumerate(zip(given[0], taken[1], strict=True), 1):
        resized = torch.nn.functional.interpolate(before, (64, 64), mode="bilinear")
        torch.testing.assert_close(after, resized * (45 / 64) ** (2 * power), rtol=1e-5, atol=0)


def test_an_enlarged_picture_takes_over_what_the_start_has_beyond_its_size():
    start = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    small = images.resize(start, (32, 32))
    found = coarse_to_fine._with_detail(images.resize(small, (64, 64)), start, (32, 32))
    torch.testing.assert_close(found, start, atol=1e-5, rtol=0)


def test_the_same_seed_gives_the_same_picture_and_another_one_another(stylizer, style):
    first, second, other = (
        paint(
            stylizer,
            style,
            photo_pixels(64, 64),
            Optimization(steps=2, least_side=64, start="noise", seed=seed),
        )
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("statistic", ["gram", "wasserstein"])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_of_flat_pictures_and_towards_flat_styles_are_finite(vgg, style, value, statistic):
    settings, flat = Optimization(statistic=statistic), torch.full((1, 3, 64, 64), value)
    lively, of_flat = StyleTarget.of(style, GRAM_LAYERS), style_target(vgg, flat, GRAM_LAYERS)
    for image, target in ((flat, lively), (photo_pixels(64, 64), of_flat)):
        gradient, losses = Objective(vgg, image, [Goal(target, 1.0)], settings, 512).gradient(image)
        assert gradient.isfinite().all()
        assert math.isfinite(losses.objective)


def test_numbers_that_are_not_finite_never_reach_the_picture(stylizer, style, monkeypatch):
    gradient = Objective.gradient

    def broken(self, image):
        found, losses = gradient(self, image)
        return found * math.nan, losses

    monkeypatch.setattr(Objective, "gradient", broken)
    assert paint(stylizer, style, photo_pixels(64, 64)).isfinite().all()


def test_stopping_keeps_the_picture_so_far(stylizer, style):
    steps = []

    def stop(progress):
        steps.append(progress.step)
        if progress.step == 3:
            raise Cancelled

    photo = photo_pixels(64, 64)
    painted = paint(stylizer, style, photo, Optimization(steps=50, least_side=64), on_step=stop)
    assert max(steps) == 3
    assert painted.shape == photo.shape
    assert not torch.equal(painted, photo)


def stop_at_the_end(progress):
    if progress.step == progress.steps:
        raise Cancelled


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_stopping_after_the_last_step_leaves_a_finished_painting(transfer, photo, strength):
    few = Optimization(steps=2, least_side=64)
    wish = {"method": "gatys", "strength": strength, "optimization": few}
    stopped = transfer.stylize(photo, "amber", on_step=stop_at_the_end, **wish)
    assert "stopped" not in stopped.info["styletransfer"]
    assert stopped.tobytes() == transfer.stylize(photo, "amber", **wish).tobytes()


def test_strength_zero_can_be_stopped_as_well(stylizer, style):
    photo = photo_pixels(64, 64)
    assert torch.equal(paint(stylizer, style, photo, strength=0.0, on_step=stop_at_the_end), photo)


def test_the_losses_of_every_step_are_reported_once(stylizer, style):
    seen: list[Progress] = []
    paint(stylizer, style, photo_pixels(64, 64), Optimization(steps=3, least_side=64), on_step=seen.append)
    assert [(progress.step, bool(progress.losses)) for progress in seen] == [
        (1, True),
        (2, True),
        (3, True),
        (3, False),
    ]


def test_a_picture_that_is_stopped_while_it_is_small_has_the_detail_of_the_start(stylizer, style):
    def stop(progress):
        raise Cancelled

    photo = photo_pixels(128, 128)
    settings = Optimization(steps=50, least_side=32, start="photo")
    painted = paint(stylizer, style, photo, settings, on_step=stop)
    assert total_variation(painted) > 0.8 * total_variation(photo)


def test_noise_is_not_poured_over_the_picture_at_the_next_size(stylizer, style):
    settings, noise = Optimization(steps=20, least_side=64, start="noise"), []

    def stop(progress):
        if progress.step == 61:  # the first of the last size
            raise Cancelled

    for on_step in (None, stop):
        painted = paint(stylizer, style, photo_pixels(128, 128), settings, on_step=on_step)
        noise.append(total_variation(painted).item())
    assert noise[1] < 2 * noise[0]


def test_what_is_done_to_a_preview_does_nothing_to_the_painting(stylizer, style):
    def spoil(progress):
        if progress.preview is not None:
            progress.preview.zero_()

    plain, watched = (
        paint(stylizer, style, photo_pixels(64, 64), FEW, on_step=on_step) for on_step in (None, spoil)
    )
    assert torch.equal(plain, watched)


@pytest.fixture
def seconds_spent(monkeypatch):
    """Makes every step take time by its pixels, on a clock of its own: call it to learn what time it is."""
    gradient = Objective.gradient
    now = 0.0

    def timed(self, pixels):
        nonlocal now
        now += pixels.shape[2] * pixels.shape[3] / 20_000
        return gradient(self, pixels)

    monkeypatch.setattr(Objective, "gradient", timed)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    return lambda: now


def test_sizes_that_there_is_no_time_for_are_left_out(stylizer, style, seconds_spent):
    """A step of a large photo takes longer than all the time that is wished for."""
    seen: list[Progress] = []
    settings = Optimization(seconds=0.5, least_side=32)
    found = paint(stylizer, style, photo_pixels(200, 200), settings, on_step=seen.append)
    assert found.shape[-2:] == (200, 200)
    assert 0.35 < seconds_spent() < 0.65  # one step at full size alone would take 2
    assert seen[-1].step >= 3


def test_no_size_is_begun_for_a_few_steps(stylizer, style, seconds_spent, monkeypatch):
    taken, optimise = {}, coarse_to_fine.CoarseToFine._optimise

    def counted(self, state, index):
        before, side = self.done, self.schedule.plans[index].size[0]
        found = optimise(self, state, index)
        taken[side] = taken.get(side, 0) + self.done - before
        return found

    monkeypatch.setattr(coarse_to_fine.CoarseToFine, "_optimise", counted)
    settings = Optimization(seconds=60, least_side=64, patience=500)
    paint(stylizer, style, photo_pixels(512, 512), settings)  # a step at full size takes 13 s
    assert max(taken) < 512
    assert min(taken.values()) >= LEAST_STEPS / 2
    assert taken[64] >= 15
    assert 54 < seconds_spent() < 66


def test_the_steps_to_come_are_guessed_by_the_time(stylizer, style, seconds_spent):
    seen: list[Progress] = []
    settings = Optimization(seconds=20, least_side=32, patience=500)
    paint(stylizer, style, photo_pixels(128, 128), settings, on_step=seen.append)
    assert seen[4].steps == pytest.approx(seen[-1].step, rel=0.3)


def test_the_time_that_is_wished_for_is_kept_to_within_a_tenth(stylizer, style, seconds_spent):
    paint(stylizer, style, photo_pixels(64, 64), Optimization(seconds=10, least_side=32, patience=500))
    assert 9 < seconds_spent() < 11


def test_a_picture_can_be_the_style_at_any_scale_of_strokes(stylizer, vgg):
    painting = photo_pixels(200, 160, seed=3)
    style = style_target(vgg, painting, GRAM_LAYERS).style(StyleInfo("p", "P"), torch.zeros(2, 0))
    style = type(style)(**{**vars(style), "picture": painting})
    photo = photo_pixels(64, 64)
    small, large = (
        paint(stylizer, style, photo, Optimization(steps=3, least_side=64, style_scale=scale))
        for scale in (0.2, 1.0)
    )
    assert not torch.equal(small, large)


@pytest.mark.parametrize(
    ("style_scale", "expected"),
    [(0.5, [100, 141, 200]), (0.1, [64])],  # of fewer pixels, relu5_1 has so few places that it outweighs all
)
def test_the_style_is_looked_at_larger_for_broader_strokes_and_smaller_at_small_sizes(
    stylizer, style, monkeypatch, style_scale, expected
):
    sides, goals = set(), gatys.GatysStylizer.goals
    style = dataclasses.replace(style, picture=painting())

    def noting(self, styles, weights, strength, side, size, visible=None):
        sides.add(side)
        return goals(self, styles, weights, strength, side, size, visible)

    monkeypatch.setattr(gatys.GatysStylizer, "goals", noting)
    paint(stylizer, style, photo_pixels(64, 64), Optimization(steps=1, least_side=32, style_scale=style_scale))
    assert sorted(sides) == expected


def test_a_scale_of_strokes_that_has_no_effect_is_refused(stylizer, style):
    with pytest.raises(InvalidInput, match="style_scale only works with pictures"):
        stylizer.check([style], Optimization(style_scale=2))
    stylizer.check([style, dataclasses.replace(style, picture=painting())], Optimization(style_scale=2))


def test_a_style_weighs_strength_to_the_third_and_by_its_area(stylizer, style):
    region = torch.zeros(32, 64)
    region[:, :16] = 0.5
    half, seen = torch.tensor(0.5), torch.zeros(1, 1, 32, 64)
    seen[..., 8:40] = 0.5
    for strength, visible, weight in (
        (half, None, 0.125),
        (region, None, 0.125 / 4),
        (half, seen, 0.125),
        (region, seen, 0.125 / 4),  # of what is visible
    ):
        weights = torch.ones(1, *strength.shape)
        [goal] = stylizer.goals([style], weights, strength, 64, (32, 64), visible)
        assert goal.weight == pytest.approx(weight)


@pytest.mark.parametrize("tile_side", [144, 512])
def test_content_counts_as_much_as_it_is_visible(vgg, style, tile_side):
    """Or else faint parts would stay as they are, and hidden ones would count."""
    photo, goals = photo_pixels(96, 160), [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0)]
    painted = photo_pixels(96, 160, seed=1)
    painted[..., :80] = photo[..., :80]

    def content(seen):
        return Objective(vgg, photo, goals, FEW, tile_side, seen).gradient(painted)[1].content

    left, faint = torch.zeros(1, 1, 96, 160), torch.full((1, 1, 96, 160), 0.1)
    left[..., :64] = 1
    assert content(left) < 0.2 * content(None)
    assert content(faint) == pytest.approx(content(None), rel=1e-3)


def test_smoothing_is_that_of_what_is_visible(stylizer, style):
    """On a large empty canvas as much as on a small one, or it would be as noisy as the canvas is large."""
    photo, seen = photo_pixels(64, 256), torch.zeros(1, 1, 64, 256)
    seen[..., :64] = 1
    settings = Optimization(steps=60, least_side=256, start="photo", style_weight=1e-9, variation_weight=100)

    def variation(photo, visible):
        painted = stylizer.stylize(photo, [style], torch.ones(1), torch.tensor(1.0), None, settings, visible)
        return total_variation(painted[..., :56]).item()

    assert variation(photo, seen) == pytest.approx(variation(photo[..., :64], None), rel=0.3)


def test_a_mask_where_nothing_is_visible_leaves_the_photo(stylizer, style):
    photo, left, right = photo_pixels(32, 64), torch.zeros(32, 64), torch.zeros(1, 1, 32, 64)
    left[:, :32], right[..., 32:] = 1, 1
    for strength, visible in ((left, right), (left, torch.zeros_like(right)), (torch.tensor(1.0), 0 * right)):
        weights = torch.ones(1, *strength.shape)
        painted = stylizer.stylize(photo, [style], weights, strength, None, FEW, visible)
        assert torch.equal(painted, photo)


def test_a_content_layer_that_is_none_is_named(stylizer, style):
    with pytest.raises(InvalidInput, match="relu9_1"):
        paint(stylizer, style, photo_pixels(64, 64), Optimization(content_layer="relu9_1"))


def test_the_photo_is_looked_at_once_whatever_its_size(vgg, style, monkeypatch):
    photo, forward = photo_pixels(96, 160), VGG19.forward
    objective = Objective(vgg, photo, [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0)], FEW, 144)
    passes = []
    monkeypatch.setattr(VGG19, "forward", lambda self, *given: passes.append(given) or forward(self, *given))
    for _ in range(2):
        objective.gradient(photo)
    assert len(passes) == 2 * 2 * len(objective.tiles)  # each tile for the statistics, then for the gradient


def test_the_covariance_of_a_style_is_decomposed_once(vgg, style, monkeypatch):
    photo, settings = photo_pixels(64, 64), Optimization(statistic="wasserstein")
    objective = Objective(vgg, photo, [Goal(StyleTarget.of(style, GRAM_LAYERS), 1.0)], settings, 512)
    monkeypatch.delattr(torch.linalg, "eigh")
    objective.gradient(photo)


def test_half_precision_needs_no_second_look_at_the_weight_file(vgg, monkeypatch):
    monkeypatch.delattr(gatys, "load_vgg19")
    half = gatys.GatysStylizer(vgg, None, torch.bfloat16)
    assert (half.vgg.dtype, half._exact.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(half.vgg.mean, vgg.mean)


def test_in_tiles_a_pixel_costs_a_pass_more(stylizer, monkeypatch):
    whole = stylizer.cost((200, 200), FEW)
    monkeypatch.setattr(gatys, "TILE_SIDE", 144)
    assert stylizer.cost((200, 200), FEW).multiply_adds == pytest.approx(1.5 * whole.multiply_adds)


def test_the_fast_start_needs_styles_that_were_learned(transfer, tmp_path):
    wish = {"method": "gatys", "optimization": Optimization(start="fast")}
    with pytest.raises(InvalidInput, match="not all of the styles have been learned"):
        transfer.stylize_batch([tmp_path / "none.png"], random_style("x", "f" * 64, 9), **wish)


def test_the_fast_start_needs_the_weights_of_the_fast_method(tiny_models, tiny_styles, photo, tmp_path, caplog):
    shutil.copytree(tiny_models, tmp_path / "models")
    (tmp_path / "models" / BASE_FILE).write_bytes(b"damaged")
    transfer = StyleTransfer(device="cpu", models_dir=tmp_path / "models", styles_dir=tiny_styles)
    with pytest.raises(InvalidInput, match="weights of the fast method could not be loaded"):
        transfer.stylize(photo, "amber", method="gatys", optimization=Optimization(start="fast"))
    assert "see docs/training.md); optimisation begins with the photo" in caplog.text


def test_a_region_asks_for_the_same_style_as_the_whole(vgg, style):
    """The Gram matrix of a region is divided by the area of its mask."""
    twice = torch.cat((painting(), painting()), dim=3)
    target = StyleTarget.of(style, GRAM_LAYERS)
    half = torch.zeros(1, 1, *twice.shape[-2:])
    half[..., :160] = 1
    losses = [
        Objective(vgg, twice, [Goal(target, 1.0, mask)], Optimization(), 512).gradient(twice * 0.5)[1].style
        for mask in (None, torch.ones_like(half), half)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=0.1)


def test_it_begins_with_what_the_fast_method_paints(transfer, photo):
    fast = transfer.stylize(photo, "amber")
    few = Optimization(steps=1, least_side=64, rate=1e-6)
    begun = transfer.stylize(photo, "amber", method="gatys", optimization=few)
    assert max(ImageStat.Stat(ImageChops.difference(begun, fast)).mean) < 1
    assert min(ImageStat.Stat(ImageChops.difference(begun, photo)).mean) > 10


def test_it_can_begin_with_the_photo_though_the_fast_method_could_paint(transfer, photo):
    few = Optimization(steps=1, least_side=64, rate=1e-6, start="photo")
    begun = transfer.stylize(photo, "amber", method="gatys", optimization=few)
    assert max(ImageStat.Stat(ImageChops.difference(begun, photo)).mean) < 1


def test_it_can_begin_with_a_picture(transfer, photo, tmp_path):
    make_photo(50, 50, seed=9).save(tmp_path / "start.png")
    few = {"steps": 1, "least_side": 64, "rate": 1e-6}
    begun = transfer.stylize(
        photo, "amber", method="gatys", optimization=Optimization(start=str(tmp_path / "start.png"), **few)
    )
    expected = Image.open(tmp_path / "start.png").resize(photo.size)
    assert max(ImageStat.Stat(ImageChops.difference(begun, expected)).mean) < 12
