"""Painting a population in one pass over blocks of pixels: what `trompe.encodings.cppn.compiled` hands to numba.

Plain functions on arrays, written the way a compiler of loops likes them; `trompe.encodings.cppn.render` is the same in
readable. Everything is float32: a bare literal would make the arithmetic float64 and halve the speed.
"""

from typing import Any, no_type_check

import numpy as np

BLOCK = 112
"""Pixels at a time: seven vectors of 16, so that 28 x 28 and 224 x 224 come out even and all nodes fit into L1."""
GREY, HSV, HLS = 0, 1, 2
"""What the outputs mean."""
FUNCTIONS = ("sine", "sigmoid", "gaussian", "linear", "steep")
INPUTS = 4
CONSTANT = 3
"""As in `functions` and `genome`, written again: the cache of compiled code is told of changes of this file only."""

_SINE, _SIGMOID, _GAUSSIAN, _LINEAR, _STEEP = 0, 1, 2, 3, 4
_f = np.float32
_ZERO, _HALF, _ONE, _TWO, _SIX = _f(0.0), _f(0.5), _f(1.0), _f(2.0), _f(6.0)
_THIRD, _CLIP, _FIVE, _TOP = _f(1.0 / 3.0), _f(3.0), _f(5.0), _f(255.0)
_LOG2_E, _LOW, _HIGH = _f(1.4426950408889634), _f(-126.0), _f(126.0)
_HUE_TURNS = _f(2.0 * 255.0 / 360.0)
_RED, _GREEN, _BLUE = _f(0.5), _f(2.0 / 3.0 + 0.5), _f(1.0 / 3.0 + 0.5)
_BIAS, _SHIFT = np.int32(127), np.int32(23)
_ODD = np.int32(1)

# pi in four parts of few bits, so that multiples of the first are exact up to arguments of about 200,000.
_PER_PI = _f(0.3183098861837907)
_PI_A, _PI_B, _PI_C, _PI_D = (
    _f(3.140625),
    _f(9.670257568359375e-4),
    _f(6.277114152908325e-7),
    _f(1.2154201256553421e-10),
)
# sin(r) / r in r^2 up to r = pi / 2, off by 4e-9 at most; 2^f for f in -1/2 .. 1/2, by 2e-9.
_S1, _S2, _S3, _S4 = (
    _f(-0.16666658222675323),
    _f(0.008333050645887852),
    _f(-1.9809075456578285e-4),
    _f(2.60522483586e-6),
)
_E1, _E2, _E3 = _f(0.6931471824645996), _f(0.24022652208805084), _f(0.05550327152013779)
_E4, _E5, _E6 = _f(0.009617994539439678), _f(0.001340043148957193), _f(1.5478018030989915e-4)


@no_type_check
def sine(p):
    """sin(p)."""
    turns = np.rint(p * _PER_PI)
    r = p - turns * _PI_A
    r = r - turns * _PI_B
    r = r - turns * _PI_C
    r = r - turns * _PI_D
    s = r * r
    value = r + r * s * (_S1 + s * (_S2 + s * (_S3 + s * _S4)))
    return -value if np.int32(turns) & _ODD else value


@no_type_check
def power_of_two(q):
    """2^q, for q in -126 .. 126."""
    whole = np.rint(q)
    f = q - whole
    value = _ONE + f * (_E1 + f * (_E2 + f * (_E3 + f * (_E4 + f * (_E5 + f * _E6)))))
    scale = np.int32((np.int32(whole) + _BIAS) << _SHIFT).view(np.float32)
    return value * scale


@no_type_check
def sigmoid(p):
    """tanh(p / 2)."""
    return _ONE - _TWO / (_ONE + power_of_two(min(max(p * _LOG2_E, _LOW), _HIGH)))


@no_type_check
def gaussian(p):
    """exp(-p^2)."""
    return power_of_two(max(-(p * p) * _LOG2_E, _LOW))


@no_type_check
def channel(turned, low, chroma):
    """One primary, as `trompe.encodings.cppn.colour` makes it, on the 8-bit grid."""
    away = abs(turned - np.floor(turned) - _HALF)
    return on_grid(low + chroma * min(max(_TWO - _SIX * away, _ZERO), _ONE))


@no_type_check
def on_grid(value):
    """The nearest k / 255."""
    return min(max(np.rint(value * _TOP), _ZERO), _TOP) / _TOP


@no_type_check
def is_whole(function, source, target):
    """Whether every connection of a network begins and ends at a node: machine code does not look where it reads."""
    slots = len(function)
    for link in range(len(source)):
        begin, end = source[link] - INPUTS, target[link] - INPUTS
        if begin >= slots or (begin >= 0 and function[begin] < 0) or (begin >= -INPUTS and not 0 <= end < slots):
            return False
    return True


@no_type_check
def sort_links(source, target, weight, starts, origin, strength, bias):
    """Bring connections that go to the same slot together, each slot's in their order; what is absent is left out.

    Args:
        source: Node that each comes from.
        target: Node that it goes to.
        weight: Decoded.
        starts: Where the connections into each slot begin in the next two; filled in, as are these.
        origin: Nodes that they come from.
        strength: Their weights.
        bias: Of each slot: what it hears from the constant input.
    """
    starts[:], bias[:] = 0, _ZERO
    for link in range(len(source)):
        if source[link] == CONSTANT:
            bias[target[link] - INPUTS] += weight[link]
        elif source[link] >= 0:
            starts[target[link] - INPUTS + 2] += 1
    for slot in range(len(bias)):
        starts[slot + 2] += starts[slot + 1]
    for link in range(len(source)):
        if source[link] >= 0 and source[link] != CONSTANT:
            slot = target[link] - INPUTS
            origin[starts[slot + 1]], strength[starts[slot + 1]] = source[link], weight[link]
            starts[slot + 1] += 1


@no_type_check
def order_slots(outputs, starts, origin, order):
    """Slots that the outputs depend on, each after those it hears: depth first from the outputs.

    Args:
        outputs: How many.
        starts: From `sort_links`.
        origin: From there.
        order: The slots; filled in.

    Returns:
        How many of them there are.
    """
    seen, at, stack = np.zeros(len(order), np.uint8), starts.copy(), np.empty(len(order), np.int64)
    count = 0
    for output in range(outputs):
        if seen[output]:
            continue
        seen[output], stack[0], depth = 1, output, 1
        while depth:
            slot = stack[depth - 1]
            if at[slot] == starts[slot + 1]:
                order[count] = slot
                count, depth = count + 1, depth - 1
                continue
            heard = origin[at[slot]] - INPUTS
            at[slot] += 1
            if heard >= 0 and not seen[heard]:
                seen[heard], stack[depth], depth = 1, heard, depth + 1
    return count


@no_type_check
def add_up(state, total, start, first, last, origin, strength):
    """The weighted sum of what a node hears, over a block; up to four connections a pass."""
    link = first + (last - first) % 4
    if link - first == 0:
        for i in range(BLOCK):
            total[i] = start
    elif link - first == 1:
        a, u = origin[first], strength[first]
        for i in range(BLOCK):
            total[i] = start + u * state[a, i]
    elif link - first == 2:
        a, b, u, v = origin[first], origin[first + 1], strength[first], strength[first + 1]
        for i in range(BLOCK):
            total[i] = start + u * state[a, i] + v * state[b, i]
    else:
        a, b, c = origin[first], origin[first + 1], origin[first + 2]
        u, v, w = strength[first], strength[first + 1], strength[first + 2]
        for i in range(BLOCK):
            total[i] = start + u * state[a, i] + v * state[b, i] + w * state[c, i]
    while link < last:
        a, b, c, d = origin[link], origin[link + 1], origin[link + 2], origin[link + 3]
        u, v, w, x = strength[link], strength[link + 1], strength[link + 2], strength[link + 3]
        for i in range(BLOCK):
            total[i] += u * state[a, i] + v * state[b, i] + w * state[c, i] + x * state[d, i]
        link += 4


@no_type_check
def activate(total, function, made):
    """What a node makes of its sum."""
    if function == _SINE:
        for i in range(BLOCK):
            made[i] = sine(total[i])
    elif function == _SIGMOID:
        for i in range(BLOCK):
            made[i] = sigmoid(total[i])
    elif function == _GAUSSIAN:
        for i in range(BLOCK):
            made[i] = gaussian(total[i])
    elif function == _LINEAR:
        for i in range(BLOCK):
            made[i] = min(max(total[i], -_CLIP), _CLIP) * _THIRD
    elif function == _STEEP:
        for i in range(BLOCK):
            made[i] = sigmoid(total[i] * (_TWO * _FIVE))


@no_type_check
def grey(state, level):
    """From what the output says to the level of a pixel."""
    for i in range(BLOCK):
        level[i] = on_grid(abs(state[INPUTS, i]))


@no_type_check
def hsv(state, red, green, blue):
    """From hue, saturation and value to the levels of the channels."""
    for i in range(BLOCK):
        hue, saturation, value = abs(state[INPUTS, i]), abs(state[INPUTS + 1, i]), abs(state[INPUTS + 2, i])
        chroma = value * saturation
        low = value - chroma
        red[i] = channel(hue + _RED, low, chroma)
        green[i] = channel(hue + _GREEN, low, chroma)
        blue[i] = channel(hue + _BLUE, low, chroma)


@no_type_check
def hls(state, red, green, blue):
    """From hue, lightness and saturation to the levels of the channels."""
    for i in range(BLOCK):
        hue, lightness = abs(state[INPUTS, i]) * _HUE_TURNS, abs(state[INPUTS + 1, i])
        chroma = (_ONE - abs(_TWO * lightness - _ONE)) * abs(state[INPUTS + 2, i])
        low = lightness - _HALF * chroma
        red[i] = channel(hue + _RED, low, chroma)
        green[i] = channel(hue + _GREEN, low, chroma)
        blue[i] = channel(hue + _BLUE, low, chroma)


@no_type_check
def paint(function, source, target, weight, inputs, meaning, images):
    """Fill in the images of some networks, each whatever its neighbours are.

    Args:
        function: As in `CppnGenomes`, (n, slots); so are source and target, (n, connections).
        source: Where connections come from.
        target: Where they go to.
        weight: Decoded, (n, connections).
        inputs: What the input nodes hold, (4, pixels), at least a block of them.
        meaning: Of the outputs: `GREY`, `HSV` or `HLS`.
        images: (n, channels, pixels), filled in.

    Returns:
        0; 1 where a connection begins or ends where there is no node.
    """
    n, slots = function.shape
    links, outputs, pixels = source.shape[1], images.shape[1], images.shape[2]
    order, starts, bias = np.empty(slots, np.int64), np.empty(slots + 2, np.int64), np.empty(slots, np.float32)
    origin, strength = np.empty(links, np.int64), np.empty(links, np.float32)
    state, total = np.zeros((INPUTS + slots, BLOCK), np.float32), np.empty(BLOCK, np.float32)
    for row in range(n):
        if not is_whole(function[row], source[row], target[row]):
            return 1
        sort_links(source[row], target[row], weight[row], starts, origin, strength, bias)
        count = order_slots(outputs, starts, origin, order)
        for block in range(-(-pixels // BLOCK)):
            begin = min(block * BLOCK, pixels - BLOCK)  # the last one paints some pixels again, to the same bits
            for node in range(CONSTANT):
                given = inputs[node, begin : begin + BLOCK]
                for i in range(BLOCK):
                    state[node, i] = given[i]
            for k in range(count):
                slot = order[k]
                add_up(state, total, bias[slot], starts[slot], starts[slot + 1], origin, strength)
                activate(total, function[row, slot], state[slot + INPUTS])
            red = images[row, 0, begin : begin + BLOCK]
            green = images[row, outputs // 2, begin : begin + BLOCK]
            blue = images[row, outputs - 1, begin : begin + BLOCK]
            if meaning == GREY:
                grey(state, red)
            elif meaning == HSV:
                hsv(state, red, green, blue)
            else:
                hls(state, red, green, blue)
    return 0


HELPERS: tuple[Any, ...] = (
    sine, power_of_two, sigmoid, gaussian, channel, on_grid, is_whole, sort_links, order_slots, add_up, activate,
    grey, hsv, hls,
)  # fmt: skip
"""What `paint` calls."""
