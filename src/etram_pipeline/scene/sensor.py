"""The pixels of an event camera, and the pictures they see.

Each pixel stores the brightness at its last event and produces a new event whenever brightness has
changed by its own threshold since then. Only moving parts are redrawn from picture to picture.

Functions that are compiled together are in this one file, because Numba's cache detects changes by
file. Arrays are copied in loops, because a slice assignment takes seconds to compile and is slower.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int64, UInt64
from numba import njit

from etram_pipeline.scene.random_numbers import next_random, share, start_random
from etram_pipeline.scene.slab import Poses, Slab, Sprites

Row = Float32[np.ndarray, " W"]
Strips = Float32[np.ndarray, "3 C"]
Spans = Int64[np.ndarray, "K 2"]
Indices = Int64[np.ndarray, " K"]
Keys = UInt64[np.ndarray, " N"]

_LONGEST_STRIP, _HOT_STREAM = 8192, 1 << 20
_FAINT, _HALF, _ONE = np.float32(1e-4), np.float32(0.5), np.float32(1)


@no_type_check
@njit(cache=True, nogil=True)
def look(first_row: int, stop_row: int, slab: Slab) -> Keys:
    """Events of some rows over the pictures of a slab, as sortable keys.

    A key holds the time since the first picture, row, column and polarity, from the highest bits
    down. The state of these rows in `slab.pixels` is updated; other rows are unchanged. Random
    numbers depend only on row and picture, so any division of the sensor gives the same events.
    """
    # Unpacked once: compiled code counts references whenever a tuple is unpacked.
    settings, sprites, poses, pixels = slab
    width = pixels.background.shape[1]
    row = np.empty(width, np.float32)
    strips = np.empty((3, _LONGEST_STRIP), np.float32)
    spans = np.empty((len(sprites.first), 2), np.int64)
    here = np.empty(len(sprites.first), np.int64)
    most_per_pixel = settings.step_us // settings.refractory_us + 1
    keys, count = np.empty(1 << 14, np.uint64), 0
    for y in range(first_row, stop_row):  # outside, so that a row's state stays in the CPU cache
        for step in range(1, settings.num_steps + 1):
            keys = _make_room(keys, count + width)
            count = _make_noise(step, y, slab, keys, count)
            num_here = _find_sprites(step, y, poses, here)
            for i in range(_find_changes(step, y, here[:num_here], slab, spans)):
                first, stop = spans[i]
                for x in range(first, stop):
                    row[x] = pixels.background[y, x]
                for k in here[:num_here]:
                    if poses.first_column[step, k] < stop and poses.stop_column[step, k] > first:
                        _draw(row, (first, stop), (step, y, k), sprites, poses, strips)
                keys = _make_room(keys, count + (stop - first) * most_per_pixel)
                count = _compare(row, (first, stop), (step, y), slab, keys, count)
            keys = _make_room(keys, count + len(pixels.hot))
            count = _heat(step, y, slab, keys, count)
    return keys[:count]


@no_type_check
@njit(cache=True, nogil=True)
def expose(picture: Float32[np.ndarray, "H W"], sprites: Sprites, poses: Poses) -> None:
    """Draw the first pose of all sprites over `picture`, an array of H x W px."""
    height, width = picture.shape
    strips = np.empty((3, _LONGEST_STRIP), np.float32)
    for y in range(height):
        for k in range(len(sprites.first)):
            _draw(picture[y], (0, width), (0, y, k), sprites, poses, strips)


@no_type_check
@njit(cache=True, nogil=True)
def _find_sprites(step: int, y: int, poses: Poses, here: Indices) -> int:
    """Collect the sprites that cross a row; return their number."""
    count = 0
    for k in range(len(here)):
        if poses.first_row[step, k] <= y < poses.stop_row[step, k]:
            here[count] = k
            count += 1
    return count


@no_type_check
@njit(cache=True, nogil=True)
def _find_changes(step: int, y: int, here: Indices, slab: Slab, spans: Spans) -> int:
    """Collect the spans of a row that may differ from the previous picture; return their number."""
    sprites, poses, width = slab.sprites, slab.poses, slab.pixels.background.shape[1]
    count = 0
    for k in here:
        scale = poses.scale[step, k]
        v = int(np.floor((y + _HALF - poses.top[step, k]) / scale))
        if v < 0 or v >= sprites.rows[k]:
            continue
        begin, end = sprites.extents[sprites.first_extent[k] + v]
        now, former = poses.left[step, k], poses.former_left[step, k]
        first = max(int(min(now, former) + begin * scale) - 2, 0)
        stop = min(int(max(now, former) + (end + 1) * scale) + 3, width)
        if end < begin or stop <= first:
            continue
        i = count
        while i > 0 and spans[i - 1, 0] > first:
            spans[i, 0], spans[i, 1] = spans[i - 1]
            i -= 1
        spans[i, 0], spans[i, 1] = first, stop
        count += 1
    return _join(spans, count)


@no_type_check
@njit(cache=True, nogil=True)
def _join(spans: Spans, count: int) -> int:
    """Join adjacent spans, sorted by their start; return the number of remaining spans."""
    if count == 0:
        return 0
    last = 0
    for i in range(1, count):
        if spans[i, 0] <= spans[last, 1]:
            spans[last, 1] = max(spans[last, 1], spans[i, 1])
        else:
            last += 1
            spans[last, 0], spans[last, 1] = spans[i]
    return last + 1


@no_type_check
@njit(cache=True, nogil=True)
def _draw(
    row: Row,
    span: tuple[int, int],
    which: tuple[int, int, int],
    sprites: Sprites,
    poses: Poses,
    strips: Strips,
) -> None:
    """Draw one row of a sprite over a span of a row; `which` is step, row and sprite."""
    step, y, k = which
    left, scale, columns = poses.left[step, k], poses.scale[step, k], sprites.columns[k]
    inverse = _ONE / scale
    v = (y + _HALF - poses.top[step, k]) * inverse - _HALF
    first = max(span[0], int(np.ceil(left + 0.5 * scale - 0.5)))
    stop = min(span[1], int(np.ceil(left + (columns - 0.5) * scale - 0.5)))
    if v < 0 or v >= sprites.rows[k] - 1 or stop <= first:
        return
    begin = max(int((first + _HALF - left) * inverse - _HALF), 0)
    end = min(int((stop - _HALF - left) * inverse - _HALF) + 2, columns)
    _blend_rows(which, v, (begin, end), sprites, poses, strips)
    # Clipped to the first column of the strip because of rounding; the last column is repeated.
    start = max(np.float32((first + _HALF - left) * inverse - _HALF - begin), np.float32(0))
    colour, opacity, light = strips
    lit = sprites.lit[k]
    for i in range(stop - first):
        u = start + np.float32(i) * inverse
        at = np.uint32(u)  # unsigned indices need no check for negative values
        right = u - np.float32(at)
        after, rest, x = at + np.uint32(1), _ONE - right, np.uint32(first + i)
        below = row[x]
        if lit:
            below += rest * light[at] + right * light[after]
        clear = _ONE - (rest * opacity[at] + right * opacity[after])
        row[x] = below * clear + (rest * colour[at] + right * colour[after])


@no_type_check
@njit(cache=True, nogil=True)
def _blend_rows(
    which: tuple[int, int, int],
    v: float,
    span: tuple[int, int],
    sprites: Sprites,
    poses: Poses,
    strips: Strips,
) -> None:
    """Interpolate a sprite between two rows and between two frames of its animation."""
    step, _, k = which
    begin, end = span
    down = np.float32(v - int(v))
    up, blend = _ONE - down, poses.blend[step, k]
    rest, columns = _ONE - blend, sprites.columns[k]
    moving = blend > 0 and sprites.moving[sprites.first_extent[k] + int(v)]
    num_channels = 3 if sprites.lit[k] else 2
    for channel in range(num_channels):
        strip = strips[channel]
        plane = sprites.rows[k] * columns
        offset = sprites.first[k] + channel * plane + int(v) * columns + begin
        now = sprites.values[offset + poses.phase[step, k] * num_channels * plane :]
        upper, lower = now[: end - begin], now[columns : columns + end - begin]
        for i in range(end - begin):
            strip[i] = up * upper[i] + down * lower[i]
        if moving:
            later = sprites.values[offset + poses.next_phase[step, k] * num_channels * plane :]
            upper, lower = later[: end - begin], later[columns : columns + end - begin]
            for i in range(end - begin):
                strip[i] = rest * strip[i] + blend * (up * upper[i] + down * lower[i])
        strip[end - begin] = strip[end - begin - 1]


@no_type_check
@njit(cache=True, nogil=True)
def _compare(
    row: Row, span: tuple[int, int], where: tuple[int, int], slab: Slab, keys: Keys, count: int
) -> int:
    """Update the pixels of a row for a new picture and store their events; return their number."""
    pixels, settings = slab.pixels, slab.settings
    step, y = where
    since_us, base_us = (step - 1) * settings.step_us, settings.first_step * settings.step_us
    level_row, reference_row, last_row = pixels.level[y], pixels.reference[y], pixels.last_us[y]
    for x in range(span[0], span[1]):
        before = level_row[x]
        change = (row[x] - before) * np.float32(settings.follow)
        if abs(change) < _FAINT:
            continue
        after, reference = before + change, reference_row[x]
        level_row[x] = after
        rising = after > reference
        threshold = pixels.rise[y, x] if rising else -pixels.fall[y, x]
        while abs(after - reference) >= abs(threshold):
            reference += threshold
            passed = min(max((reference - before) / change, np.float32(0)), _ONE)
            t_us = since_us + min(int(passed * settings.step_us), settings.step_us - 1)
            if base_us + t_us - last_row[x] >= settings.refractory_us:
                last_row[x] = base_us + t_us
                keys[count] = (t_us << 33) | (y << 17) | (x << 1) | int(rising)
                count += 1
        reference_row[x] = reference
    return count


@no_type_check
@njit(cache=True, nogil=True)
def _make_room(keys: Keys, needed: int) -> Keys:
    """The list, or a longer copy of it."""
    if needed <= len(keys):
        return keys
    longer = np.empty(max(needed, 2 * len(keys)), np.uint64)
    for i in range(len(keys)):
        longer[i] = keys[i]
    return longer


@no_type_check
@njit(cache=True, nogil=True)
def _make_noise(step: int, y: int, slab: Slab, keys: Keys, count: int) -> int:
    """Add the background activity of a row during a step; return the number of events."""
    chance = min(slab.settings.noise_hz * slab.settings.step_us * 1e-6, 0.5)
    if chance <= 0:
        return count
    state = start_random(slab.settings.seed, slab.settings.first_step + step, y)
    gap, x = 1 / np.log1p(-chance), -1
    while True:
        state, bits = next_random(state)
        x += 1 + int(np.log(share(bits)) * gap)
        if x >= slab.pixels.level.shape[1]:
            return count
        state, bits = next_random(state)
        polarity = 1 if bits & np.uint64(7) < np.uint64(5) else 0
        count = _fire((step, y, x), bits, polarity, slab, keys, count)


@no_type_check
@njit(cache=True, nogil=True)
def _heat(step: int, row: int, slab: Slab, keys: Keys, count: int) -> int:
    """Add the events of the hot pixels of a row during a step; return the number of events."""
    for i in range(len(slab.pixels.hot)):
        y, x, rate_mhz = slab.pixels.hot[i]
        if y == row:
            moment = slab.settings.first_step + step
            state, bits = next_random(start_random(slab.settings.seed, moment, _HOT_STREAM + i))
            if share(bits) < rate_mhz * 1e-9 * slab.settings.step_us:
                _, bits = next_random(state)
                count = _fire((step, y, x), bits, 1, slab, keys, count)
    return count


@no_type_check
@njit(cache=True, nogil=True)
def _fire(
    where: tuple[int, int, int],
    bits: np.uint64,
    polarity: int,
    slab: Slab,
    keys: Keys,
    count: int,
) -> int:
    """Add a noise event, which sets the reference of the pixel to its current reading."""
    step, y, x = where
    pixels, settings = slab.pixels, slab.settings
    since_us = min(int((step - 1 + share(bits)) * settings.step_us), step * settings.step_us - 1)
    t_us = settings.first_step * settings.step_us + since_us
    if t_us - pixels.last_us[y, x] < settings.refractory_us:
        return count
    pixels.last_us[y, x] = t_us
    pixels.reference[y, x] = pixels.level[y, x]
    keys[count] = (since_us << 33) | (y << 17) | (x << 1) | polarity
    return count + 1
