"""The commonest image file by a short way: a JPEG of three 8-bit components that carries nothing else."""

import struct

START = b"\xff\xd8\xff"
_SKIPPED = {0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # tables, the restart interval, JFIF, a comment
_FRAMES = {0xC0, 0xC2}  # baseline, progressive
_FRAME = struct.Struct(">BHHB")  # bits, height, width, components
_SCAN = 0xDA


def plain_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of such a file; None for any other, with EXIF, a colour transform or an odd header, say."""
    if not content.startswith(START):
        return None
    size, at = None, 2
    while at + 10 <= len(content) and content[at] == START[0]:
        marker = content[at + 1]
        if marker == _SCAN:
            return size
        if marker in _FRAMES and size is None:
            bits, height, width, components = _FRAME.unpack_from(content, at + 4)
            if (bits, components) != (8, 3) or not width or not height:
                return None
            size = width, height
        elif marker not in _SKIPPED:
            return None
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None
