"""Training of the AdaIN decoder: any photo, any painting, and mixes of two."""

from collections.abc import Sequence

import torch
from torch import Tensor

from styletransfer.decoder import (
    ADAIN_LAYERS,
    AdainDecoder,
    statistics_in,
    statistics_of,
    toward,
)
from styletransfer.losses import content_loss, total_variation
from styletransfer.norm import known_instance_norm
from styletransfer.training.data import random_crops
from styletransfer.training.looks import Looks
from styletransfer.training.muon import Muon
from styletransfer.training.settings import AdainTraining
from styletransfer.training.trainer import Trainer, crop_side, leaky_clamp
from styletransfer.vgg import CONTENT_LAYER, STYLE_LAYERS, VGG19


class AdainTrainer(Trainer[AdainDecoder, AdainTraining]):
    """Holds the state of a training and takes its steps.

    Args:  vgg: up to relu4_1; contents: photographs; looks: at all paintings.
    """

    def __init__(self, vgg: VGG19, contents: Sequence[Tensor], looks: Looks, settings: AdainTraining) -> None:
        device = vgg.mean.device
        self.looks = looks.near(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            decoder = AdainDecoder().to(device)
        edges = [parameter for parameter in decoder.parameters() if parameter.ndim == 1]
        edges.append(decoder.leave.weight)
        others = {id(parameter) for parameter in edges}
        matrices = [parameter for parameter in decoder.parameters() if id(parameter) not in others]
        optimizers = (
            Muon(matrices, rate=settings.matrix_rate, dtype=vgg.dtype),
            torch.optim.Adam(edges, lr=settings.edge_rate, betas=(0.9, 0.99)),
        )
        super().__init__(decoder, optimizers, vgg, contents, settings)

    def start_from(self, decoder: AdainDecoder) -> None:
        """Begin with a trained decoder."""
        self.model.load_state_dict(decoder.state_dict())
        self._begin_average()

    def _step(self, share: float) -> tuple[Tensor, dict[str, float]]:
        settings = self.settings
        side = crop_side(settings, share)
        style_weight = self._style_weight(share)
        photos = random_crops(self.contents, settings.contents, side, self.generator).to(self.device)
        with torch.no_grad():
            found = self.vgg(photos, [*ADAIN_LAYERS, CONTENT_LAYER])
        times = settings.styles_per_content
        found = {name: value.repeat_interleave(times, dim=0) for name, value in found.items()}
        content = found.pop(CONTENT_LAYER)
        photos = photos.repeat_interleave(times, dim=0)
        looks = self.looks.draw(len(photos), settings.mix_share, self.generator)
        target = looks.targets.to(self.device)
        is_photo = torch.rand(len(photos), generator=self.generator) < settings.photo_share
        is_photo = is_photo.to(self.device)
        own, style, strength = statistics_of(found), statistics_in(target), (~is_photo).float()
        restyled = {}
        for layer, value in found.items():
            mean, std = toward(own[layer], style[layer], strength)
            restyled[layer] = known_instance_norm(value, std, mean, own[layer])
        painted = leaky_clamp(self.model(restyled))
        features = self.vgg(painted, [CONTENT_LAYER, *STYLE_LAYERS])
        content_losses = content_loss(features[CONTENT_LAYER], content)
        style_losses = target.loss(features)
        objective = content_losses + style_weight * style_losses
        distance = (painted - photos).abs().mean(dim=(1, 2, 3))
        back = content_losses + settings.photo_weight * distance
        # The lowest possible loss differs tenfold between paintings; by the logarithm all improve alike.
        loss = torch.where(is_photo, back, objective.log()).mean()
        loss = loss + settings.variation_weight * total_variation(painted).mean()
        styled = (~is_photo).float()
        styled = styled / styled.sum().clamp_min(1)
        return loss, {
            "objective": (objective.log() * styled).sum().exp().item(),
            "content": (content_losses * styled).sum().item(),
            "style": (style_losses * styled).sum().item(),
            # Most steps have no such sample; so the mean over steps is right all the same.
            "photo": (distance * is_photo).mean().item() / max(settings.photo_share, 1e-9),
            "style_weight": style_weight,
        }
