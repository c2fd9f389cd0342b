"""Whether the end of a picture file is there."""

from __future__ import annotations

JPEG_START, JPEG_END = b'\xff\xd8\xff', b'\xff\xd9'
PNG_START, PNG_END = b'\x89PNG', b'IEND'
START_OF_SCAN = 0xDA


def is_cut_off(content: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: OpenCV 4 fills with grey, 5 refuses.

    Anything may follow the end: phones append a short video.

    Args:
        content: the whole file.

    Returns:
        False for other formats.
    """
    if content.startswith(JPEG_START):
        return content.find(JPEG_END, _first_scan(content)) < 0
    return content.startswith(PNG_START) and PNG_END not in content


def _first_scan(content: bytes) -> int:
    """Where a JPEG's pixels begin, behind its preview, which has an end of its own.

    0 where the segments before them can't be followed.
    """
    place = 2
    while content[place : place + 1] == b'\xff' and place + 4 <= len(content):
        if content[place + 1] == START_OF_SCAN:
            return place
        is_fill = content[place + 1] == 0xFF
        length = int.from_bytes(content[place + 2 : place + 4], 'big')
        place += 1 if is_fill else 2 + length
    return 0
