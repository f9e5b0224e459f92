"""Ways in which a file is damaged: functions of its bytes and of random numbers, which give other bytes."""

import random
from collections.abc import Callable

Damage = Callable[[bytes, random.Random], bytes]
_HEADER = 64  # bytes


def _bits(content: bytes, rng: random.Random) -> bytes:
    """1 to 32 bits flipped."""
    damaged = bytearray(content)
    for _ in range(2 ** rng.randrange(6)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _zeroed(length: int) -> Damage:
    """A run of zeros, as a disk leaves it."""

    def damage(content: bytes, rng: random.Random) -> bytes:
        start, size = _stretch(content, rng, length)
        return content[:start] + bytes(size) + content[start + size :]

    return damage


def _random_run(content: bytes, rng: random.Random) -> bytes:
    start, size = _stretch(content, rng, 256)
    return content[:start] + rng.randbytes(size) + content[start + size :]


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    start, size = _stretch(content, rng, rng.choice((1, 16, 512, 4096)))
    return content[:start] + content[start + size :]


def _doubled(content: bytes, rng: random.Random) -> bytes:
    start, size = _stretch(content, rng, rng.choice((16, 512, 4096)))
    return content[: start + size] + content[start:]


def _truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _header(content: bytes, rng: random.Random) -> bytes:
    """1 to 4 bytes at the beginning are others."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        damaged[rng.randrange(min(_HEADER, len(damaged)))] = rng.randrange(256)
    return bytes(damaged)


def _swapped(content: bytes, rng: random.Random) -> bytes:
    """Two blocks of 512 bytes in each other's place."""
    size = min(512, len(content) // 4)
    first = rng.randrange(len(content) // 2 - size)
    second = rng.randrange(len(content) // 2, len(content) - size)
    a, b = content[first : first + size], content[second : second + size]
    return content[:first] + b + content[first + size : second] + a + content[second + size :]


def _appended(content: bytes, rng: random.Random) -> bytes:
    return content + rng.randbytes(rng.choice((1, 100, 5000)))


def _stretch(content: bytes, rng: random.Random, length: int) -> tuple[int, int]:
    """Start and length of a stretch, at most a quarter of the file, behind the first 200 bytes where it fits."""
    size = min(length, len(content) // 4)
    return rng.randrange(min(200, len(content) - size), len(content) - size + 1), size


DAMAGES: dict[str, Damage] = {
    "bits": _bits,
    "zeroed-64": _zeroed(64),
    "zeroed-512": _zeroed(512),
    "zeroed-4096": _zeroed(4096),
    "random-run": _random_run,
    "cut-out": _cut_out,
    "doubled": _doubled,
    "truncated": _truncated,
    "header": _header,
    "swapped": _swapped,
    "appended": _appended,
}
