"""The canonical form: what folds to what, and what holds for every text."""

import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from matchers import canonical as module
from matchers import foldtables
from matchers.canonical import DIGIT, HAN, LATIN, LETTER, LINEBREAK, MASK, OTHER, SEPARATOR, canonical, fold, fold_many
from matchers.characters import class_of, fold_character, simplified

FOLDS = {
    "full width": ("１１０１０１１９９０", "1101011990"),
    "circled and negative circled digits": ("①❷⓷⓪❿", "123010"),
    "Arabic-Indic, Devanagari and mathematical digits": ("٣३𝟛", "333"),
    "keycaps": ("1️⃣3️⃣8️⃣", "138"),
    "zero width, bidi marks, soft hyphen, NUL, controls": ("1\u200b3\u202e8\u00ad0\0\x01\ufeff1", "13801"),
    "tag characters": ("a\U000e0041b", "ab"),
    "a stack of combining marks": ("1\u0336\u0335\u20dd3a\u0301\u0302\u0303", "13a"),
    "accents, composed or not": ("Żółw Æsir e\u0301 é", "zolw aesir e e"),
    "sharp s and ligatures": ("Straße ﬁ", "strasse fi"),
    "mathematical, circled, squared and small-capital letters": ("𝓐ⓑ🄲🅓ᴇ", "abcde"),
    "traditional and variant Han": ("張偉乾淨說黃", "张伟干净说黄"),
    "radicals that NFKC repairs and those it leaves": ("⼼⻢⺠⻔", "心马民门"),
    "compatibility ideographs": ("\uf9e1\U0002f800", "李丽"),
    "spaces of every width": ("a\u3000b\u2003c\u00a0d", "a b c d"),
    "line ends": ("a\r\vb\u2028c", "a\n\nb\nc"),
    "dashes": ("138–1234—5678−9", "138-1234-5678-9"),
    "masks": ("138●●■★1234 張×三", "138****1234 张*三"),
    "circle and zero": ("二○二三", "二〇二三"),
    "half-width kana with its mark": ("ｶﾞ", "カ"),
    "Hangul, composed or not": ("\uac01", "\u1100\u1161\u11a8"),
    "unit signs grow": ("37℃ 5㎡ ½", "37°c 5m2 1/2"),
    "lone surrogates": ("1\ud8003\udc00", "13"),
    "Cyrillic in a Latin token": ("pаtient@exаmple.org", "patient@example.org"),
    "Greek capitals as capitals": ("ΝHello νHello", "nhello vhello"),
    "a Cyrillic check character behind digits": ("11010119900101123Х", "11010119900101123x"),
    "a Russian word stays": ("Анна Соколова", "анна соколова"),
    "a Russian word of lookalikes only stays": ("сосна рос", "сосна рос"),
    "a Russian word glued to a number stays": ("дом12", "дом12"),
    "Han ends a token": ("а张a", "а张a"),
    "emoji stay": ("😀a", "😀a"),
}


@pytest.mark.parametrize(("text", "expected"), FOLDS.values(), ids=FOLDS)
def test_folds_to(text: str, expected: str) -> None:
    """Each disguise folds to the plain form, and Python's text is what comes out."""
    assert canonical(text) == expected


TRICKY = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("аАΝνнН2Aa z\u0301\u200b\0\n℃…😀𝟙𝒜張㍿\ud800\udc00ﷺþ가\u115f\U000e0041〇*"), max_size=60),
)


@given(TRICKY)
@example("Нн2a")
@example("\u1fb3\u0345Ω")
def test_folding_twice_is_folding_once(text: str) -> None:
    """The canonical form is a fixed point, can be encoded, and holds no border."""
    once = canonical(text)
    assert canonical(once) == once
    assert "\0" not in once
    once.encode()


@given(TRICKY)
def test_agrees_with_the_rules_character_by_character(text: str) -> None:
    """But for lookalikes, the arrays say what `fold_character` says of each character, in order."""
    folded = fold(text)
    expected, origin = "", []
    for index, character in enumerate(text):
        answer = fold_character(character)
        expected += answer
        origin += [index] * (len(answer.encode("utf-16-le")) // 2)
    assert folded.origin.tolist() == origin
    same = [
        a == b or ("a" <= a <= "z" and unicodedata.name(b)[:5] in ("GREEK", "CYRIL", "ARMEN"))
        for a, b in zip(folded.text, expected, strict=True)
    ]
    assert all(same)


@given(st.lists(TRICKY, min_size=1, max_size=8))
def test_a_batch_holds_each_text_as_folded_alone(texts: list[str]) -> None:
    """Units, origins and classes of every text in a batch are those of the text alone."""
    whole, starts = fold_many(texts)
    ends = [*(starts[1:] - 1).tolist(), len(whole)]
    assert len(starts) == len(texts)
    for text, start, end in zip(texts, starts.tolist(), ends, strict=True):
        alone = fold(text)
        for part, other in ((whole.units, alone.units), (whole.origin, alone.origin), (whole.classes, alone.classes)):
            assert part[start:end].tolist() == other.tolist()


def test_batches_longer_than_one_pass_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch cut into passes is the batch in one pass."""
    texts = ["张三 138\n", "", "pаypal ℃ 😀", "x" * 50, "\0"] * 9
    one, starts = fold_many(texts)
    monkeypatch.setattr(module, "_BATCH", 64)
    many, others = fold_many(texts)
    assert starts.tolist() == others.tolist()
    assert one.units.tolist() == many.units.tolist()
    assert one.origin.tolist() == many.origin.tolist()


def test_texts_longer_than_one_pass_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text cut at line ends is the text in one pass."""
    text = "张三 138\npаypal ℃ 😀😀\n" * 40
    one = fold(text)
    monkeypatch.setattr(module, "_BATCH", 64)
    many = fold(text)
    assert one.units.tolist() == many.units.tolist()
    assert one.origin.tolist() == many.origin.tolist()
    assert one.classes.tolist() == many.classes.tolist()


@given(TRICKY, st.integers(100, 400))
def test_something_odd_in_a_long_text_changes_nothing_around_it(text: str, padding: int) -> None:
    """The slower way for a stretch and the fast way for the rest join without a seam."""
    plain = "plain text 123 "
    folded = fold(plain * padding + text + " tail")
    assert folded.text == plain * padding + canonical(text) + " tail"
    assert folded.origin[: len(plain) * padding].tolist() == list(range(len(plain) * padding))
    assert folded.origin[-5:].tolist() == list(
        range(len(plain) * padding + len(text), len(plain) * padding + len(text) + 5)
    )


def test_tables_hold_the_rules() -> None:
    """Every character of the first plane, and every assigned one beyond, is in the tables as the rules say."""
    codes = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0x20000, 0x40000, 7), *range(0xE0000, 0xE1010)]
    whole, starts = fold_many([chr(code) for code in codes])
    ends = [*(starts[1:] - 1).tolist(), len(whole)]
    for code, start, end in zip(codes, starts.tolist(), ends, strict=True):
        answer = fold_character(chr(code))
        assert end - start == len(answer.encode("utf-16-le")) // 2, hex(code)
        if end - start == 1:
            assert whole.units[start] == ord(answer), hex(code)
            assert whole.classes[start] == class_of(answer), hex(code)


def test_no_texts_make_an_empty_batch() -> None:
    """An empty batch has no units and no starts."""
    whole, starts = fold_many([])
    assert len(whole) == len(starts) == 0


def test_simplified_is_not_a_circle() -> None:
    """No traditional character comes back through its simplified form."""
    for character in simplified():
        fold_character(character)


def test_classes() -> None:
    """Each unit carries the flags of what it is."""
    folded = fold("1张z\n*〇 -а😀𠮷@")
    assert folded.classes.tolist() == [
        DIGIT, HAN, LATIN, LINEBREAK, MASK, HAN | MASK, SEPARATOR, SEPARATOR, LETTER, OTHER, OTHER, HAN, HAN, OTHER,
    ]  # fmt: skip


def test_without_keeps_the_origin() -> None:
    """What is left after dropping separators still points into the text."""
    left = module.without(fold("13 8-\u200b1２"), SEPARATOR)
    assert left.text == "13812"
    assert left.origin.tolist() == [0, 1, 3, 6, 7]


def test_text_is_not_shown() -> None:
    """The repr of folded text is its length."""
    assert repr(fold("secret")) == "Folded(6 units)"


def test_digest_names_the_tables() -> None:
    """The digest is the same for the same tables."""
    assert foldtables.digest() == foldtables.digest()
    assert len(foldtables.digest()) == 64


HOSTILE: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "7" * n,
    "combining marks": lambda n: "a" + "\u0301\u0323" * (n // 2),
    "one letter": lambda n: "x" * n,
    "one growing character": lambda n: "ﷺ" * n,
    "lone surrogates": lambda n: "\ud800" * n,
    "NUL": lambda n: "\0" * n,
    "emoji": lambda n: "😀" * n,
    "lookalikes": lambda n: "а" * n + "1",
    "every other word odd": lambda n: "a а1 " * (n // 5),
    "blanks and marks": lambda n: " \u0301" * (n // 2),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_linear_work(make: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the text makes at most about ten times the array elements and stretches looked at."""
    handled: list[int] = []
    real = module._fold_odd

    def counted(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        handled.append(len(raw))
        return real(raw)

    monkeypatch.setattr(module, "_fold_odd", counted)
    sizes = []
    for size in (50_000, 500_000):
        handled.clear()
        fold(make(size))
        assert len(handled) <= size // 100_000 + 1
        sizes.append(sum(handled))
    assert sizes[1] <= 11 * max(sizes[0], 1)


def test_ten_million_of_anything_folds() -> None:
    """Ten megabytes of each kind of noise fold without an error."""
    assert len(fold("8" * 10_000_000)) == 10_000_000
    assert len(fold("e" + "\u0301" * 10_000_000)) == 1
    assert len(fold("\0" * 5_000_000 + "\ud800" * 5_000_000)) == 0
