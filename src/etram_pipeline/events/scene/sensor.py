"""The pixels of an event camera, and the pictures they look at.

Each pixel remembers the brightness at its last event and makes a new event whenever brightness has
changed by its own threshold since. Only what moves is drawn anew from one picture to the next.

All compiled functions live in this one file, because the compiler's cache notices changes by file.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from etram_pipeline.events.scene.slab import Clock, Pixels, Poses, Sprites


@njit(cache=True, nogil=True)
@no_type_check
def look(first_row, stop_row, clock, sprites, poses, pixels):
    """Events of some rows over a stretch of pictures, as sortable keys.

    A key holds the time since the first picture, row, column and polarity, from the highest bits
    down. The rows' state in `pixels` moves on; other rows are not touched, and random numbers
    depend on row and picture alone, so that any division of the sensor gives the same events.
    """
    width = pixels.background.shape[1]
    row = np.empty(width, np.float32)
    strips = np.empty((3, 8192), np.float32)
    spans = np.empty((len(sprites.first), 2), np.int64)
    here = np.empty(len(sprites.first), np.int64)
    most = clock.step_us // clock.refractory_us + 1
    keys, count = np.empty(1 << 14, np.uint64), 0
    for step in range(1, clock.num_steps + 1):
        for y in range(first_row, stop_row):
            keys = _make_room(keys, count + width)
            count = _make_noise(y, step, clock, pixels, keys, count)
            num_here = _find_sprites(y, step, poses, here)
            num_spans = _find_changes(y, step, sprites, poses, here[:num_here], width, spans)
            for i in range(num_spans):
                first, stop = spans[i]
                row[first:stop] = pixels.background[y, first:stop]
                for k in here[:num_here]:
                    _draw(row, first, stop, y, k, step, sprites, poses, strips)
                keys = _make_room(keys, count + (stop - first) * most)
                count = _compare(row, first, stop, y, step, clock, pixels, keys, count)
        keys = _make_room(keys, count + len(pixels.hot))
        count = _heat(first_row, stop_row, step, clock, pixels, keys, count)
    return keys[:count]


@njit(cache=True, nogil=True)
@no_type_check
def expose(picture, sprites, poses):
    """Draw everybody's first pose over `picture`."""
    height, width = picture.shape
    strips = np.empty((3, 8192), np.float32)
    for y in range(height):
        for k in range(len(sprites.first)):
            _draw(picture[y], 0, width, y, k, 0, sprites, poses, strips)


@njit(cache=True)
@no_type_check
def _find_sprites(y, step, poses, here):
    """Numbers of the sprites that cross a row; returns how many they are."""
    count = 0
    for k in range(len(here)):
        if poses.first_row[step, k] <= y < poses.stop_row[step, k]:
            here[count] = k
            count += 1
    return count


@njit(cache=True)
@no_type_check
def _find_changes(y, step, sprites, poses, here, width, spans):
    """Columns of a row that may differ from the picture before; returns their number."""
    count = 0
    for k in here:
        scale = poses.scale[step, k]
        v = int(np.floor((y + 0.5 - poses.top[step, k]) / scale))
        if v < 0 or v >= sprites.rows[k]:
            continue
        begin, end = sprites.extents[sprites.first_extent[k] + v]
        if end < begin:
            continue
        now, former = poses.left[step, k], poses.former_left[step, k]
        first = max(int(min(now, former) + begin * scale) - 2, 0)
        stop = min(int(max(now, former) + (end + 1) * scale) + 3, width)
        if stop <= first:
            continue
        i = count
        while i > 0 and spans[i - 1, 0] > first:
            spans[i] = spans[i - 1]
            i -= 1
        spans[i, 0], spans[i, 1] = first, stop
        count += 1
    return _join(spans, count)


@njit(cache=True)
@no_type_check
def _join(spans, count):
    """Join spans that meet, sorted by their beginning; returns how many remain."""
    if count == 0:
        return 0
    last = 0
    for i in range(1, count):
        if spans[i, 0] <= spans[last, 1]:
            spans[last, 1] = max(spans[last, 1], spans[i, 1])
        else:
            last += 1
            spans[last] = spans[i]
    return last + 1


@njit(cache=True)
@no_type_check
def _draw(row, first, stop, y, k, step, sprites, poses, strips):
    """Put one row of a sprite into a row of the picture, between two columns."""
    scale = poses.scale[step, k]
    inverse = np.float32(1) / scale
    v = (y + np.float32(0.5) - poses.top[step, k]) * inverse - np.float32(0.5)
    if v < 0 or v >= sprites.rows[k] - 1:
        return
    columns = sprites.columns[k]
    left = poses.left[step, k]
    first = max(first, int(np.ceil(left + 0.5 * scale - 0.5)))
    stop = min(stop, int(np.ceil(left + (columns - 0.5) * scale - 0.5)))
    if stop <= first:
        return
    u_first = (first + np.float32(0.5) - left) * inverse - np.float32(0.5)
    u_last = (stop - np.float32(0.5) - left) * inverse - np.float32(0.5)
    begin = max(int(u_first), 0)
    end = min(int(u_last) + 2, columns)
    channels = 3 if sprites.lit[k] else 2
    _blend_rows(int(v), v - int(v), begin, end, channels, k, step, sprites, poses, strips)
    for x in range(first, stop):
        u = (x + np.float32(0.5) - left) * inverse - np.float32(0.5) - begin
        i = min(max(int(u), 0), end - begin - 2)
        right = min(max(u - np.float32(i), np.float32(0)), np.float32(1))
        rest = np.float32(1) - right
        below = row[x]
        if channels == 3:
            below += rest * strips[2, i] + right * strips[2, i + 1]
        clear = np.float32(1) - (rest * strips[1, i] + right * strips[1, i + 1])
        row[x] = below * clear + (rest * strips[0, i] + right * strips[0, i + 1])


@njit(cache=True)
@no_type_check
def _blend_rows(v, down, begin, end, channels, k, step, sprites, poses, strips):
    """Interpolate a sprite between rows `v` and `v + 1` and between phases of its animation."""
    columns = sprites.columns[k]
    plane = sprites.rows[k] * columns
    blend = poses.blend[step, k]
    up = np.float32(1) - down
    for channel in range(channels):
        a = sprites.first[k] + (poses.phase[step, k] * 3 + channel) * plane + v * columns
        b = sprites.first[k] + (poses.next_phase[step, k] * 3 + channel) * plane + v * columns
        upper, lower = sprites.values[a + begin : a + end], sprites.values[a + columns + begin :]
        strip = strips[channel]
        if blend == 0 or not sprites.moving[sprites.first_extent[k] + v]:
            for i in range(end - begin):
                strip[i] = up * upper[i] + down * lower[i]
            continue
        next_upper, next_lower = sprites.values[b + begin :], sprites.values[b + columns + begin :]
        rest = np.float32(1) - blend
        for i in range(end - begin):
            now = up * upper[i] + down * lower[i]
            strip[i] = rest * now + blend * (up * next_upper[i] + down * next_lower[i])


@njit(cache=True)
@no_type_check
def _compare(row, first, stop, y, step, clock, pixels, keys, count):
    """Let pixels follow a new picture, and note their events."""
    begin_us = (clock.first_step + step - 1) * clock.step_us
    follow = np.float32(clock.follow)
    for x in range(first, stop):
        before = pixels.level[y, x]
        change = (row[x] - before) * follow
        if abs(change) < np.float32(1e-4):
            continue
        after = before + change
        pixels.level[y, x] = after
        reference = pixels.reference[y, x]
        rising = after > reference
        threshold = pixels.rise[y, x] if rising else pixels.fall[y, x]
        sign = np.float32(1) if rising else np.float32(-1)
        while sign * (after - reference) >= threshold:
            reference += sign * threshold
            share = min(max((reference - before) / change, np.float32(0)), np.float32(1))
            t_us = begin_us + min(int(share * clock.step_us), clock.step_us - 1)
            if t_us - pixels.last_us[y, x] >= clock.refractory_us:
                pixels.last_us[y, x] = t_us
                count = _note(t_us, y, x, rising, clock, keys, count)
        pixels.reference[y, x] = reference
    return count


@njit(cache=True)
@no_type_check
def _make_room(keys, needed):
    """The list, or a longer one that begins with it."""
    if needed <= len(keys):
        return keys
    longer = np.empty(max(needed, 2 * len(keys)), np.uint64)
    longer[: len(keys)] = keys
    return longer


@njit(cache=True)
@no_type_check
def _note(t_us, y, x, rising, clock, keys, count):
    """Write an event after the others; returns their number."""
    since_us = t_us - clock.first_step * clock.step_us
    keys[count] = (since_us << 33) | (y << 17) | (x << 1) | (1 if rising else 0)
    return count + 1


@njit(cache=True)
@no_type_check
def _fire(t_us, y, x, rising, clock, pixels, keys, count):
    """An event without a cause: the pixel takes what it reads as its new reference."""
    if t_us - pixels.last_us[y, x] < clock.refractory_us:
        return count
    pixels.last_us[y, x] = t_us
    pixels.reference[y, x] = pixels.level[y, x]
    return _note(t_us, y, x, rising, clock, keys, count)


@njit(cache=True)
@no_type_check
def _make_noise(y, step, clock, pixels, keys, count):
    """Background activity of a row during a step."""
    chance = clock.noise_hz * clock.step_us * 1e-6
    if chance <= 0:
        return count
    state = _start_random(clock, step, y)
    width = pixels.level.shape[1]
    gap = 1 / np.log1p(-min(chance, 0.5))
    x = -1
    while True:
        state, number = _next_random(state)
        x += 1 + int(np.log(_share(number)) * gap)
        if x >= width:
            return count
        state, number = _next_random(state)
        t_us = (clock.first_step + step - 1) * clock.step_us + int(_share(number) * clock.step_us)
        rising = number & np.uint64(7) < np.uint64(5)
        count = _fire(min(t_us, _end_us(step, clock)), y, x, rising, clock, pixels, keys, count)


@njit(cache=True)
@no_type_check
def _heat(first_row, stop_row, step, clock, pixels, keys, count):
    """Events of hot pixels during a step."""
    for i in range(len(pixels.hot)):
        y, x, rate_mhz = pixels.hot[i]
        if first_row <= y < stop_row:
            state, number = _next_random(_start_random(clock, step, 70_000 + i))
            if _share(number) < rate_mhz * 1e-9 * clock.step_us:
                state, number = _next_random(state)
                begin_us = (clock.first_step + step - 1) * clock.step_us
                t_us = begin_us + int(_share(number) * clock.step_us)
                t_us = min(t_us, _end_us(step, clock))
                count = _fire(t_us, y, x, True, clock, pixels, keys, count)
    return count


@njit(cache=True)
@no_type_check
def _end_us(step, clock):
    return (clock.first_step + step) * clock.step_us - 1


@njit(cache=True)
@no_type_check
def _start_random(clock, step, stream):
    """State of a generator that belongs to one row and step.

    Source: Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """
    seed = np.uint64(clock.seed) * np.uint64(0x9E3779B97F4A7C15)
    state, number = _next_random(seed ^ np.uint64(clock.first_step + step))
    return number ^ (np.uint64(stream) * np.uint64(0xD1B54A32D192ED03))


@njit(cache=True)
@no_type_check
def _next_random(state):
    state += np.uint64(0x9E3779B97F4A7C15)
    number = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state, number ^ (number >> np.uint64(31))


@njit(cache=True)
@no_type_check
def _share(number):
    """A random number in the half-open interval from 0, excluded, to 1."""
    return ((number >> np.uint64(11)) + 1) * (1 / 9007199254740992)
