"""What skipping places without events saves in the first stage of RVT nano.

    python -m benchmarks.sparse_work                              # the embedded scene
    python -m benchmarks.sparse_work street.raw crossing.raw      # other recordings, too

Where its receptive field holds no event, the first convolution gives 0, and the normalisation after
it the same vector everywhere. A window of attention in which all cells are this vector gives one
result, whatever its place. Both can therefore be computed once, and only the other places one by
one. Later stages are never empty: their inputs carry memories of all windows before.

The first table lists the shares of empty places. The second one lists times as ratios to those of
the detector as it is, measured in turn in one process: first the limit that no skipping can pass,
in which convolution and attention of these windows cost nothing, then a prototype. The last column
is the largest relative difference of the prototype's predictions and gradients in float32.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.hardware import describe_cpu
from benchmarks.parts import REFERENCE, detection, ratio, seconds, training
from benchmarks.small_scene import SmallScene
from benchmarks.training_step import NUM_CLASSES, make_batch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, max_pool2d, pad
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.events.encode import encode
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import regular
from etram_pipeline.models.attention import merge, partition
from etram_pipeline.models.backbones.maxvit import AttentionPair, DownsamplingLayer
from etram_pipeline.models.detector import total_loss
from etram_pipeline.models.detectors.rvt import RVT
from etram_pipeline.models.resizing import pad_to_multiple

WINDOWS_OF_A_TILE = 2
"""Windows of attention along each side of a tile of the convolution."""

LANES, CLIP_LENGTH = 2, 2
WARM_UP = 3
STAGE = "backbone.stages.0"
SCENES = {"day": "train/train_day_0001", "night": "train/train_night_0001"}
Frames = Shaped[Tensor, "N C H W"]


class TiledStem(nn.Module):
    """The first convolution and its normalisation, of the tiles that hold events."""

    def __init__(self, layer: DownsamplingLayer, size_multiple: int) -> None:
        super().__init__()
        self.convolution, self.norm, self._multiple = layer.convolution, layer.norm, size_multiple

    @override
    def forward(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N h w D"]:
        stride, margin = self.convolution.stride[0], int(self.convolution.padding[0])
        apart = [WINDOWS_OF_A_TILE * side // self._multiple * stride for side in images.shape[-2:]]
        sides = [side + 2 * margin + 1 - stride for side in apart]  # neighbouring tiles overlap
        padded = pad(images, (margin, 0, margin, 0))
        is_event = (padded != 0).any(1, keepdim=True)
        is_filled = max_pool2d(is_event.float(), sides, apart)[:, 0] > 0
        tiles = padded.unfold(2, sides[0], apart[0]).unfold(3, sides[1], apart[1])
        filled = tiles.permute(0, 2, 3, 4, 5, 1)[is_filled].movedim(-1, 1)
        reduced = conv2d(filled, self.convolution.weight, stride=stride).movedim(1, -1)
        parts = _scattered(self.norm(reduced), is_filled.flatten(), self.norm.bias)
        height, width = (side // stride for side in images.shape[-2:])
        return merge(parts, (height, width), "window")


class SkippingPair(nn.Module):
    """Attention within the windows that hold events, then on grids, none of which is empty."""

    def __init__(self, pair: AttentionPair, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.window, self.grid, self.norm = pair.window, pair.grid, norm

    @override
    def forward(
        self, maps: Float[Tensor, "N H W D"], part_size: tuple[int, int]
    ) -> Float[Tensor, "N H W D"]:
        empty = self.norm.bias.to(maps.dtype)
        parts = partition(maps, part_size, "window")
        is_filled = (parts != empty).flatten(1).any(1)
        computed = self.window(
            torch.cat([parts[is_filled], empty.expand(1, *part_size, -1)]), part_size
        )
        attended = _scattered(computed[:-1], is_filled, computed[-1])
        height, width = maps.shape[1:3]
        result: Tensor = self.grid(merge(attended, (height, width), "window"), part_size)
        return result


class Constant(nn.Module):
    """In place of the first convolution: its result where there is no event, at no cost."""

    def __init__(self, layer: DownsamplingLayer) -> None:
        super().__init__()
        self.stride, self.bias = layer.convolution.stride, layer.norm.bias

    @override
    def forward(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N h w D"]:
        size = (side // step for side, step in zip(images.shape[-2:], self.stride, strict=True))
        return self.bias.expand(len(images), *size, -1)


class Unchanged(nn.Module):
    """In place of attention within windows, at no cost."""

    @override
    def forward(
        self, maps: Float[Tensor, "N H W D"], _: tuple[int, int]
    ) -> Float[Tensor, "N H W D"]:
        return maps


def _scattered(
    computed: Float[Tensor, "filled h w D"],
    is_filled: Bool[Tensor, " all"],
    rest: Float[Tensor, "..."],
) -> Float[Tensor, "all h w D"]:
    """What was computed, at its places, and the same for all others."""
    places = is_filled.nonzero()[:, 0]
    rest = rest.to(computed.dtype).expand(len(is_filled), *computed.shape[1:])
    return rest.index_copy(0, places, computed)


def free(detector: RVT) -> None:
    """Leave out what could be skipped, whether it is empty or not."""
    layer, _ = _first_stage(detector)
    detector.set_submodule(f"{STAGE}.downsample", Constant(layer))
    detector.set_submodule(f"{STAGE}.blocks.0.window", Unchanged())


def skip_windows(detector: RVT) -> None:
    """Skip windows of attention without events."""
    layer, pair = _first_stage(detector)
    detector.set_submodule(f"{STAGE}.blocks.0", SkippingPair(pair, layer.norm))


def skip_windows_and_tiles(detector: RVT) -> None:
    """Skip windows of attention and tiles of the convolution without events."""
    layer, _ = _first_stage(detector)
    skip_windows(detector)
    detector.set_submodule(f"{STAGE}.downsample", TiledStem(layer, detector.size_multiple))


def _first_stage(detector: RVT) -> tuple[DownsamplingLayer, AttentionPair]:
    layer = next(part for part in detector.modules() if isinstance(part, DownsamplingLayer))
    return layer, next(part for part in detector.modules() if isinstance(part, AttentionPair))


VARIANTS: dict[str, Callable[[RVT], None]] = {
    "limit": free,
    "windows": skip_windows,
    "windows and tiles": skip_windows_and_tiles,
}


def main() -> None:
    """Print both tables."""
    arguments = parse_arguments()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="sparse-work-") as temporary:
        scene = SmallScene(Path(arguments.folder or temporary))
        parameters = scene.parameters(REFERENCE)
        stored = scene.preprocessed(parameters).frames
        windows = {
            f"scene by {time}": torch.from_numpy(stored[key].read(0, stored[key].num_windows))
            for time, key in SCENES.items()
        }
    representation = parameters["representation"]
    windows |= {path.stem: encoded(path, representation) for path in arguments.recordings}
    multiple = parameters["detector"].build(1, 1).size_multiple
    places = ("cells", "windows of attention", "grids", "tiles")
    print(f"| recording | size | windows | {' | '.join(f'empty {each}' for each in places)} |")
    print("|---" * (len(places) + 3) + "|")
    for name, frames in windows.items():
        height, width = frames.shape[-2:]
        shares = [f"{100 * share:.0f} %" for share in empty_shares(frames, multiple)]
        print(f"| {name} | {height} x {width} | {len(frames)} | {' | '.join(shares)} |")
    print(f"\n{describe_cpu()}, 1 thread")
    columns = [f"{of}: {name}" for of in ("step", "one window") for name in VARIANTS]
    print(f"| recording | {' | '.join(columns)} | difference |")
    print("|---" * (len(columns) + 2) + "|")
    for name, frames in windows.items():
        print(
            f"| {name} | {' | '.join(compare(frames, parameters, arguments.repeats))} |", flush=True
        )


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", nargs="*", type=Path, default=[])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--folder", help="where recordings of the scene are kept for the next run")
    return parser.parse_args()


def encoded(path: Path, representation: RepresentationConfig) -> Frames:
    """Representations of all windows of a recording."""
    recording = open_recording(path)
    plan = regular.Config().plan(np.zeros(0, np.int64), 0, recording)
    images = encode(recording, plan, representation.build(recording.height, recording.width))
    return torch.from_numpy(np.stack(list(images)))


def empty_shares(frames: Frames, size_multiple: int) -> Iterator[float]:
    """Shares of places that depend on no event: cells, windows, grids, and tiles."""
    has_event = (pad_to_multiple(frames, size_multiple) != 0).any(1, keepdim=True).float()
    height, width = has_event.shape[-2:]
    part = height // size_multiple, width // size_multiple
    cells = max_pool2d(has_event, kernel_size=7, stride=4, padding=3)
    yield 1 - cells.mean().item()
    windows = max_pool2d(cells, part)
    yield 1 - windows.mean().item()
    depends = interpolate(windows, scale_factor=part).movedim(1, -1)
    yield 1 - partition(depends, part, "grid").flatten(1).amax(1).mean().item()
    yield 1 - max_pool2d(windows, WINDOWS_OF_A_TILE).mean().item()


def compare(frames: Frames, parameters: Mapping[str, Any], repeats: int) -> list[str]:
    """Cells of the second table for the windows of a recording."""
    settings = parameters["train"]
    torch.manual_seed(0)
    plain = parameters["detector"].build(frames.shape[1], NUM_CLASSES)
    batch = make_batch(CLIP_LENGTH, LANES, *frames.shape[-2:])
    chosen = frames[torch.arange(CLIP_LENGTH * LANES) % len(frames)]
    batch = replace(batch, frames=chosen.unflatten(0, (CLIP_LENGTH, LANES)))
    detectors = {"plain": plain} | {name: deepcopy(plain) for name in VARIANTS}
    for name, change in VARIANTS.items():
        change(detectors[name])
    outputs = [results(deepcopy(each), batch) for each in detectors.values()]
    steps = {name: training(each, [batch], settings) for name, each in detectors.items()}
    passes = {name: detection(each, frames) for name, each in detectors.items()}
    ratios = []
    for functions in (steps, passes):
        rounds = [
            {name: seconds(run) for name, run in functions.items()}
            for _ in range(WARM_UP + repeats)
        ]
        times = {name: [each[name] for each in rounds[WARM_UP:]] for name in functions}
        ratios += [ratio(times[name], times["plain"]) for name in VARIANTS]
    different = max(
        ((ours - theirs).abs().max() / theirs.abs().max()).item()
        for skipping in outputs[2:]
        for ours, theirs in zip(skipping, outputs[0], strict=True)
    )
    return [*ratios, f"{different:.0e}"]


def results(detector: RVT, batch: SequenceBatch) -> list[Tensor]:
    """Predictions for all windows, and all gradients of a training step."""
    detector.train()
    with torch.no_grad():
        predictions, _ = detector(batch.frames)
    losses, _ = detector.losses(batch, ())
    total_loss(losses).backward()
    gradients = [weight.grad for weight in detector.parameters() if weight.grad is not None]
    return [predictions, torch.cat([gradient.flatten() for gradient in gradients])]


if __name__ == "__main__":
    main()
