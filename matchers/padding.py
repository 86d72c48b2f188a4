"""Lengths that say little: what is sealed is filled up to one of few sizes first.

The length of a sealed part is open to whoever has the database. Unpadded, the lengths of note and list of tokens
together singled out 17 % of the records of a hospital of 1,000 (tests/privacy measures it).
"""


def padded(plain: bytes, least: int) -> bytes:
    """Return the bytes with zeros behind, so that they are 1, 1½, 2, 3, 4, 6, 8 … times `least` (even) bytes long.

    What reads them must tell zeros from content. Costs at most half of the space, about a fifth on average.
    """
    size, next_size = least, least * 3 // 2
    while size < len(plain):
        size, next_size = next_size, 2 * size
    return plain.ljust(size, b"\0")
