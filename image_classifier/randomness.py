"""Random numbers as a function of (seed, purpose, position, item): nothing to restore, nothing to race for.

Whoever asks for the same numbers gets the same numbers: in another thread, in another batch size, after a resume.
"""

import hashlib

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]


def key(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit key for one purpose; (0, 1) and (1, 0) do not collide as `seed + epoch` would."""
    text = "/".join(map(str, (seed, purpose, *position)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def bits(key_: int, items: npt.NDArray[np.integer]) -> Bits:
    """64 random bits per item: SplitMix64 (Steele, Lea, Flood 2014) evaluated at `key_` + item."""
    with np.errstate(over="ignore"):
        state = np.uint64(key_) + items.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def below(bound: int, random: Bits) -> npt.NDArray[np.int64]:
    """Integers in [0, bound) from the upper 32 bits; the bias is under bound / 2**32."""
    return (((random >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def order(key_: int, count: int) -> npt.NDArray[np.int64]:
    """A random order of `count` items."""
    return np.argsort(bits(key_, np.arange(count)), kind="stable").astype(np.int64)
