"""Tags are a function of field and value, computed in bulk; shingles are shared by shared runs."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from matchers.canonical import fold, fold_many
from matchers.kernel import Kernel
from model.errors import KeyUnusable

KEY = bytes(range(32))
VALUE = st.text(st.sampled_from("ab0123456789z@.张伟李é𠮷"), min_size=1, max_size=70)


def units_of(text: str) -> NDArray[np.uint16]:
    """Return the code units of a string."""
    return np.frombuffer(text.encode("utf-16-le"), np.uint16)


GOLDEN = {
    "1": 0xC419920AB323ABBA,
    "13812345678": 0x0B7DB26C5DE15776,
    "110101199001011234": 0x232799B4EDDC729A,
    "张伟": 0x3272FBDAC02BE6F2,
    "张伟x": 0xDFD7776ECEDA674D,
    "a" * 64: 0xFD5C0C859E13A9EC,
    "张" * 9: 0x1E1B2882B2926EC8,
    "1" * 9999 + "2": 0xC798D5063D57A22E,
    "𠮷é": 0xE4A9A882767613FC,
}
"""Tags under KEY of the field "phone": another answer would miss everything that is enrolled."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the loops before hypothesis looks at the clock."""
    kernel = Kernel(KEY)
    kernel.tags_of("f", ["1" * 20, "张"])
    kernel.shingles("f", fold("abcabc").units, 2, 2)


def test_tags_stay_what_they_are() -> None:
    """Known values have the tags that they had when they were enrolled."""
    assert Kernel(KEY).tags_of("phone", list(GOLDEN)).tolist() == list(GOLDEN.values())


def plainly(kernel: Kernel, field: str, window: list[int]) -> bytes:
    """Return the block of a window as the module's first sentences say it, one window at a time."""
    shown = [unit or 0xFFFF for unit in window]
    wide = max(shown) > 0xFF
    data = b"".join(unit.to_bytes(2 if wide else 1, "little") for unit in shown)
    blocks = -(-len(data) // 16)
    cipher, chain = kernel._encryptor(field, "wide" if wide else "narrow", blocks), bytes(16)
    for first in range(0, 16 * blocks, 16):
        part = data[first : first + 16].ljust(16, b"\0")
        chain = cipher.update(bytes(a ^ b for a, b in zip(chain, part, strict=True)))
    return chain


@given(
    st.lists(st.sampled_from([0, 10, 48, 57, 97, 255, 256, 0x5F20, 0x8001, 0xD842, 0xFFFF]), min_size=1, max_size=80),
    st.lists(st.tuples(st.integers(0, 79), st.integers(1, 70)), min_size=1, max_size=20),
    st.booleans(),
)
def test_every_window_is_packed_as_written(symbols: list[int], windows: list[tuple[int, int]], equal: bool) -> None:
    """Whatever stands in a window, at the end of the units or with borders, its block is that of the plain way."""
    units = np.array(symbols, np.uint16)
    starts = [start % len(symbols) for start, _ in windows]
    sizes = [min(size, len(symbols) - start) for start, (_, size) in zip(starts, windows, strict=True)]
    kernel = Kernel(KEY)
    lengths: NDArray[np.int64] | int = min(sizes) if equal else np.array(sizes)
    tags = kernel.tags("f", units, np.array(starts), lengths)
    for tag, start, size in zip(tags.tolist(), starts, sizes, strict=True):
        window = symbols[start : start + (min(sizes) if equal else size)]
        assert tag == int.from_bytes(plainly(kernel, "f", window)[:8], "little")
    values = ["".join(map(chr, symbols))] if not {0, 0xD842} & set(symbols) else []
    assert [bytes(row) for row in kernel.blocks_of("f", values)] == [plainly(kernel, "f", symbols)] * len(values)


@given(st.lists(VALUE, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_windows_and_strings_have_the_same_tags(values: list[str], random: object) -> None:
    """A value gets one tag, wherever it stands, whatever stands around it, alone or in bulk."""
    kernel = Kernel(KEY)
    text = "张x".join(values)
    sizes = np.array([len(units_of(value)) for value in values])
    starts = np.cumsum(sizes + 2) - sizes - 2
    tags = kernel.tags("phone", units_of(text), starts, sizes)
    assert tags.tolist() == kernel.tags_of("phone", values).tolist()
    assert tags.tolist() == [int(Kernel(KEY).tags_of("phone", [value])[0]) for value in values]


@given(st.lists(VALUE, min_size=2, max_size=40, unique=True))
def test_different_values_have_different_tags(values: list[str]) -> None:
    """Packing is injective: no two values, of whatever length or width, share a tag."""
    assert len(set(Kernel(KEY).tags_of("f", values).tolist())) == len(values)


def test_is_aes_of_the_packed_value() -> None:
    """One block is one AES call on the padded bytes; two blocks are chained under another key."""
    kernel = Kernel(KEY)
    for value, width, blocks in (("13812345678", "narrow", 1), ("1" * 17, "narrow", 2), ("张伟", "wide", 1)):
        encode = "latin-1" if width == "narrow" else "utf-16-le"
        data = value.encode(encode).ljust(16 * blocks, b"\0")
        cipher = kernel._encryptor("f", width, blocks)
        chain = bytes(16)
        for block in range(blocks):
            part = data[16 * block : 16 * block + 16]
            chain = cipher.update(bytes(a ^ b for a, b in zip(chain, part, strict=True)))
        assert int(kernel.tags_of("f", [value])[0]) == int.from_bytes(chain[:8], "little")


def test_field_and_key_separate() -> None:
    """The same value under another field or key has another tag."""
    tags = {
        int(kernel.tags_of(field, ["13812345678"])[0])
        for kernel in (Kernel(KEY), Kernel(bytes(32)))
        for field in ("phone", "mrn")
    }
    assert len(tags) == 4


def test_a_window_over_a_border_is_no_value() -> None:
    """A window that holds the unit between texts does not get the tag of the value before it."""
    whole, _ = fold_many(["ab", "cd"])
    kernel = Kernel(KEY)
    over = kernel.tags("f", whole.units, np.array([0, 0]), np.array([2, 3]))
    assert over[0] == kernel.tags_of("f", ["ab"])[0]
    assert over[1] != over[0]


def test_many_windows_agree_with_few() -> None:
    """Batches, crowded or sparse, in any order, give the tags of single windows."""
    random = np.random.default_rng(5)
    units = random.choice(np.array([48, 49, 97, 0x5F20, 0x4F1F], np.uint16), 60_000)
    units[::7] = 48
    starts = random.integers(0, 59_000, 40_000)
    sizes = random.integers(1, 65, 40_000)
    kernel = Kernel(KEY)
    tags = kernel.tags("f", units, starts, sizes)
    for index in range(0, 40_000, 997):
        text = units[starts[index] : starts[index] + sizes[index]].tobytes().decode("utf-16-le")
        assert tags[index] == kernel.tags_of("f", [text])[0]
    ordered = np.sort(starts)
    assert kernel.tags("f", units, ordered, 18).tolist() == kernel.tags("f", units, ordered[::-1], 18)[::-1].tolist()


def test_long_windows_are_chained() -> None:
    """A window of thousands of units has a tag, and its last unit counts."""
    kernel = Kernel(KEY)
    assert kernel.tags_of("f", ["1" * 9999 + "2"])[0] != kernel.tags_of("f", ["1" * 10000])[0]


def test_nothing_in_gives_nothing_out() -> None:
    """No windows, no values, no text: empty answers."""
    kernel = Kernel(KEY)
    none = np.zeros(0, np.int64)
    assert kernel.tags("f", units_of("abc"), none, none).size == 0
    assert kernel.tags_of("f", []).size == 0
    assert kernel.combine("f", none.view(np.uint64), none.view(np.uint64)).size == 0
    assert kernel.shingles("f", units_of("abc"), 4, 2)[0].size == 0


@pytest.mark.parametrize(("start", "length"), [(0, 0), (2, 2), (-1, 2)])
def test_a_window_outside_is_refused(start: int, length: int) -> None:
    """Empty windows and windows beyond the units raise instead of reading elsewhere."""
    with pytest.raises(ValueError, match="window"):
        Kernel(KEY).tags("f", units_of("abc"), np.array([start]), np.array([length]))


def test_combine_depends_on_order_field_and_both() -> None:
    """A conjunction's tag changes with each part, their order and the field."""
    kernel = Kernel(KEY)
    left, right = kernel.tags_of("name", ["张伟", "张伟", "李娜"]), kernel.tags_of("date", ["1", "2", "1"])
    tags = [kernel.combine("name+date", left, right), kernel.combine("name+date", right, left)]
    tags.append(kernel.combine("other", left, right))
    assert len(set(np.concatenate(tags).tolist())) == 9
    again = Kernel(KEY).combine("name+date", left[:1], right[:1])
    assert again[0] == tags[0][0]


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    """Only 32 bytes are a kernel key."""
    with pytest.raises(KeyUnusable):
        Kernel(bytes(size))


def test_the_key_is_not_shown() -> None:
    """Neither repr nor str shows the key."""
    assert KEY.hex() not in repr(Kernel(KEY))
    assert repr(KEY) not in str(Kernel(KEY))


def test_subkeys_are_aes_128() -> None:
    """The encryptor of a purpose encrypts as AES-128 under the derived subkey and is made once."""
    kernel = Kernel(KEY)
    encryptor = kernel._encryptor("f", "narrow", 1)
    assert kernel._encryptor("f", "narrow", 1) is encryptor
    zero = Cipher(algorithms.AES(bytes(16)), modes.ECB()).encryptor().update(bytes(16))
    assert encryptor.update(bytes(16)) != zero


RUN = st.text(st.sampled_from("患者女三日前发热咳嗽ab1\n"), max_size=60)


@given(
    RUN, RUN, RUN, RUN, st.text("患者女发热咳嗽胸闷abc", min_size=1, max_size=50), st.integers(1, 12), st.integers(1, 9)
)
def test_a_shared_run_shares_a_shingle(a: str, b: str, c: str, d: str, run: str, k: int, w: int) -> None:
    """Two texts that share w + k - 1 units share a shingle within the run."""
    run = run.ljust(w + k - 1, "热")
    kernel = Kernel(KEY)
    kept = []
    for before, after in ((a, b), (c, d)):
        units = fold(before + run + after).units
        tags, positions = kernel.shingles("note", units, k, w)
        start = len(fold(before))
        inside = (positions >= start) & (positions + k <= start + len(run))
        kept.append(set(tags[inside].tolist()))
    assert kept[0] & kept[1]


@given(st.lists(st.integers(0, 4), max_size=80), st.integers(1, 10), st.integers(1, 30))
def test_shingles_are_the_winnowed_ones(symbols: list[int], k: int, w: int) -> None:
    """Every position kept, and no other, is the rightmost smallest of w neighbours of its run, or of a short run."""
    units = np.array([(0, 10, 97, 98, 0x5F20)[symbol] for symbol in symbols], np.uint16)
    kernel = Kernel(KEY)
    tags, positions = kernel.shingles("f", units, k, w)
    every, _ = kernel.shingles("f", units, k, 1)
    valid = [i for i in range(len(units) - k + 1) if not {0, 10} & set(units[i : i + k].tolist())]
    rank = {i: (int(tag) >> 32, -i) for i, tag in zip(valid, every.tolist(), strict=True)}
    expected: set[int] = set()
    for first in valid:
        run = first
        while run in rank and run < first + w:
            run += 1
        window = range(first, run)
        if len(window) == w or (first - 1 not in rank and run not in rank):
            expected.add(min(window, key=lambda i: rank[i]))
    assert positions.tolist() == sorted(expected)
    assert tags.tolist() == [every[valid.index(i)] for i in positions.tolist()]


def test_one_character_for_ever_keeps_few_shingles() -> None:
    """A run of equal units keeps at most one shingle per step, and shingles of more than a batch agree."""
    kernel = Kernel(KEY)
    tags, positions = kernel.shingles("f", np.full(100_000, 0x5F20, np.uint16), 12, 9)
    assert len(set(tags.tolist())) == 1
    assert len(positions) <= 100_000


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_hostile_digits_are_linear_work(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes encrypted grow with the number of windows, not faster."""
    encrypted = []
    import matchers.kernel as module

    real = module._encrypt

    def counted(encryptor: object, blocks: NDArray[np.uint64]) -> NDArray[np.uint64]:
        encrypted.append(len(blocks) // 2)
        return real(encryptor, blocks)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_encrypt", counted)
    units = fold("7" * size).units
    kernel = Kernel(KEY)
    kernel.tags("f", units, np.arange(size - 40), np.arange(size - 40) % 40 + 1)
    kernel.shingles("f", units, 12, 9)
    assert sum(encrypted) <= 6 * size
