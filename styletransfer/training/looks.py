"""Looks: what the trainings know of style pictures, measured once by VGG-19.

A few hundred paintings are not many, so each is also looked at in crops, mirrored and in other colours; random
textures and pictures redone in other techniques are added.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styletransfer import images
from styletransfer.checkpoints import load_checkpoint, save_checkpoint
from styletransfer.errors import InvalidInput, UnreadableImage
from styletransfer.files import check_place, sha256_of
from styletransfer.targets import StyleTarget, as_batch, target_of
from styletransfer.training.chance import integer
from styletransfer.training.data import MOST_ON_DEVICE
from styletransfer.training.repetition import LAGS, REPETITION_LAYER, autocorrelation
from styletransfer.training.techniques import in_technique
from styletransfer.training.textures import texture
from styletransfer.vgg import STYLE_LAYERS, VGG19

log = logging.getLogger(__name__)

LOOKS_FILE = "looks.pt"  # in the folder of a run
SIDES = (320, 480)  # pixels of the short side at which paintings are looked at
LEAST_CROP = 0.5  # of either side of a painting


@dataclass(frozen=True)
class Looks:
    """A batch of looks: style targets, and how much each picture repeats itself, (looks, C, len(LAGS))."""

    targets: StyleTarget
    repetition: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, chosen: Sequence[int]) -> "Looks":
        """Some of them, in this order."""
        return Looks(self.targets[chosen], self.repetition[chosen])

    def to(self, device: torch.device) -> "Looks":
        """The same on another device."""
        return Looks(self.targets.to(device), self.repetition.to(device))

    def near(self, device: torch.device) -> "Looks":
        """The same on the device, where drawing is fast; as they are if they are too many for it."""
        size = sum(4 * value.numel() for part in vars(self.targets).values() for value in part.values())
        return self if size > MOST_ON_DEVICE else self.to(device)

    def draw(self, count: int, mix_share: float, generator: torch.Generator) -> "Looks":
        """`count` random ones, of which a share, `mix_share`, are convex mixes of two."""
        first, second = (torch.randint(len(self), (count,), generator=generator).tolist() for _ in range(2))
        mixed, shares = torch.rand(2, count, generator=generator)
        shares = torch.where(mixed < mix_share, shares, 0).to(self.repetition.device)
        repetition = torch.lerp(self.repetition[first], self.repetition[second], shares[:, None, None])
        return Looks(self.targets[first].lerp(self.targets[second], shares), repetition)


def look_at_paintings(
    out: Path,
    paintings: Sequence[Path],
    vgg: VGG19,
    *,
    variants: int,
    textures: int,
    seed: int,
    techniques: int = 0,
    photographs: Sequence[Path] = (),
) -> Looks:
    """Looks at paintings, `variants` each: as it is, then at crops in other colours; and at further pictures.

    Those are `textures`, and `techniques`: paintings or photographs redone in another technique. Raises
    InvalidInput where the folder `out` of the run holds looks at others, see `look_at`; UnreadableImage.
    """
    names = [f"{name} {variant}" for name in map(name_of, paintings) for variant in range(variants)]
    names += [f"texture {number}" for number in range(textures)]
    names += [f"technique {number}" for number in range(techniques)]
    names = [f"{name}, seed {seed}" for name in names]
    generator = torch.Generator().manual_seed(seed)
    pictures = itertools.chain(
        _views(paintings, variants, generator),
        (texture(SIDES[0], generator) for _ in range(textures)),
        (_redone([each for each in (paintings, photographs) if each], generator) for _ in range(techniques)),
    )
    return look_at(out, names, pictures, vgg)


def name_of(painting: Path) -> str:
    """What a painting is called among those looked at, which tells it from others that its file may hold.

    Raises UnreadableImage.
    """
    images.read_size(painting)  # an error now, not when the others have been looked at
    return f"{painting.name} {sha256_of(painting)}"


def look_at(out: Path, names: Sequence[str], pictures: Iterable[Tensor], vgg: VGG19) -> Looks:
    """Looks at pictures, which are made one after the other.

    They are computed once and kept in a file in the folder `out`, which is mapped into memory. Raises
    InvalidInput where that file holds looks of other names, UnwritableOutput.
    """
    cache = out / LOOKS_FILE
    check_place(cache)
    if not cache.exists():
        _keep_looks(cache, names, pictures, vgg)
    stored = load_checkpoint(cache, mmap=True)
    if stored.get("names") != names or not isinstance(stored.get("targets"), dict):
        raise InvalidInput(
            f"{out} holds a run with other paintings, another seed or other numbers of looks (variants, "
            "textures, techniques, wide_styles), or of an earlier version; give this one another --out"
        )
    return Looks(StyleTarget(**stored["targets"]), stored["repetition"])


def _keep_looks(cache: Path, names: Sequence[str], pictures: Iterable[Tensor], vgg: VGG19) -> None:
    repetitions: list[Tensor] = []

    def found() -> Iterator[StyleTarget]:
        for picture in pictures:
            seen = look(vgg, picture)
            repetitions.append(seen.repetition)
            yield seen.targets

    targets = vars(as_batch(found(), len(names)))
    save_checkpoint({"names": names, "targets": targets, "repetition": torch.cat(repetitions)}, cache)


def look(vgg: VGG19, picture: Tensor, layers: Sequence[str] = STYLE_LAYERS) -> Looks:
    """One look at a picture (1, 3, H, W) in [0, 1], at the size that it has; on the CPU."""
    with torch.no_grad():
        features = vgg(picture.to(vgg.mean.device), layers)
        repetition = autocorrelation(features[REPETITION_LAYER], LAGS)
        return Looks(target_of(features), repetition).to(torch.device("cpu"))


def _views(paintings: Sequence[Path], variants: int, generator: torch.Generator) -> Iterator[Tensor]:
    for path in paintings:
        for variant in range(variants):
            side = integer(*SIDES, generator)
            picture = images.as_style(images.read_on_white(path), side)
            yield varied(picture, generator) if variant else picture


def _redone(sources: Sequence[Sequence[Path]], generator: torch.Generator) -> Tensor:
    """The middle square of a random picture of a random source, in another technique.

    Photographs that cannot be read are passed over; the paintings have all been read.
    """
    picture = None
    while picture is None:
        paths = sources[integer(0, len(sources) - 1, generator)]
        path = paths[integer(0, len(paths) - 1, generator)]
        try:
            picture = images.as_style(images.read_on_white(path), SIDES[0])
        except UnreadableImage as error:
            log.warning("passed over: %s", error)
    height, width = picture.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return in_technique(picture[:, :, top : top + side, left : left + side], generator)


def varied(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of a painting, mirrored or not, its colour channels in random order."""
    height, width = picture.shape[-2:]
    top, left, bottom, right = torch.rand(4, generator=generator).mul(1 - LEAST_CROP).div(2).tolist()
    rows = slice(int(top * height), height - int(bottom * height))
    columns = slice(int(left * width), width - int(right * width))
    crop = picture[:, :, rows, columns]
    if torch.rand((), generator=generator) < 0.5:
        crop = crop.flip(3)
    return crop[:, torch.randperm(3, generator=generator)]
