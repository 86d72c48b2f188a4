"""The canonical form: what folds to what, and what holds for every text."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from matchers import canonical as module
from matchers import foldtables
from matchers.canonical import DIGIT, HAN, LATIN, LETTER, LINEBREAK, MASK, OTHER, SEPARATOR, canonical, fold, fold_many
from matchers.characters import class_of, digit_lookalike, fold_character, is_han, lookalike, simplified

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
    "a word with letters of many scripts": ("𝔐𝜶𝓁a𝔨ɑi Cr໐υc𝓱 ꭇ൦cꬲ", "malakai crouch roce"),
    "letters that look like a digit, beside digits": ("6🯵05Ꝛ11 45𖼻3 1Ƨ3 Ꝯ8 4З", "6505211 4533 123 98 43"),
    "letters that look like a digit, in a word": ("Ƨmith Зhang", "smith зhang"),
    "digits of other scripts among themselves and beside others": ("৪৭ ৪7 ੪1 1୨", "47 87 81 19"),
    "letters of disused scripts": ("𐐄𑢠𐋏𖼖", "ovhl"),
    "variants of Latin letters": ("ɓaƙi ɗan ʈ", "baki dan t"),
    "Greek capitals as capitals": ("ΝHello νHello", "nhello vhello"),
    "a Cyrillic check character behind digits": ("11010119900101123Х", "11010119900101123x"),
    "a Russian word stays": ("Анна Соколова", "анна соколова"),
    "a Russian word of lookalikes only stays": ("сосна рос", "сосна рос"),
    "a Russian word glued to a number stays": ("дом12", "дом12"),
    "Han ends a token": ("а张a", "а张a"),
    "emoji stay": ("😀a", "😀a"),
}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compile the pass and build the tables before hypothesis looks at the clock."""
    fold("a")


@pytest.mark.parametrize(("text", "expected"), FOLDS.values(), ids=FOLDS)
def test_folds_to(text: str, expected: str) -> None:
    """Each disguise folds to the plain form, and Python's text is what comes out."""
    assert canonical(text) == expected


TRICKY = st.one_of(
    st.text(max_size=60),
    st.text(st.sampled_from("৪൦ЗƧꞮб1ж٥𝜰Ꮞ᾽ΐ中a 12𖼻\U00050000"), max_size=40),
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


Unit = tuple[int, int, int]


def plainly(text: str) -> list[Unit]:
    """Fold as the rules read, character by character and token by token: unit, origin and class of each."""
    written: list[tuple[str, int, int, int]] = []
    for index, character in enumerate(text):
        answer = fold_character(character)
        for part in answer:
            original = character if len(answer) == 1 else part
            letter = lookalike(original) or lookalike(part)
            digit = digit_lookalike(original) or digit_lookalike(part)
            flags = class_of(part) if part < "\U00010000" else (HAN if is_han(ord(part)) else OTHER)
            decided = flags in (LETTER, DIGIT) and not "0" <= original <= "9" and bool(letter or digit)
            looks = ord(letter or "\0") | ord(digit or "\0") << 8 if decided else 0
            written.append((part, index, flags, looks))
    units: list[Unit] = []
    word: list[tuple[str, int, int, int]] = []
    for item in [*written, (" ", 0, 0, 0)]:
        if item[2] & (LATIN | DIGIT | LETTER):
            word.append(item)
            continue
        units += [unit for unread in word for unit in as_units(*read(word, *unread))]
        word = []
        units += as_units(item[0], item[1], item[2])
    return units[:-1]


def read(word: list[tuple[str, int, int, int]], part: str, origin: int, flags: int, looks: int) -> tuple[str, int, int]:
    """Return a character of a token as the token has it read."""
    latin, digit = any(item[2] == LATIN for item in word), any(item[2] == DIGIT for item in word)
    letter, numeral = chr(looks & 0xFF), chr(looks >> 8)
    if looks and flags == DIGIT:
        if any(item[2] == DIGIT and not item[3] for item in word):
            return numeral, origin, DIGIT
        if latin and letter != "\0":
            return letter, origin, LATIN
    elif looks and (latin or (digit and all(item[3] for item in word if item[2] == LETTER))):
        if digit and numeral != "\0":
            return numeral, origin, DIGIT
        if letter != "\0":
            return letter, origin, LATIN
    return part, origin, flags


def as_units(part: str, origin: int, flags: int) -> list[Unit]:
    """Return the code units of a character."""
    return [(int(unit), origin, flags) for unit in np.frombuffer(part.encode("utf-16-le"), np.uint16)]


def arrays(folded: module.Folded) -> list[Unit]:
    """Return folded text as the plain way gives it."""
    return list(zip(folded.units.tolist(), folded.origin.tolist(), folded.classes.tolist(), strict=True))


@given(TRICKY)
@example("a" * 70 + "٥б" + "\U0001d7d9" * 40)
@example("\ud83d\ude00a\ude00\ud83d1")
@example("\U000e0100\U00050000\U0010ffff中")
def test_agrees_with_the_rules_character_by_character(text: str) -> None:
    """Units, origins and classes are those of the rules read plainly."""
    assert arrays(fold(text)) == plainly(text)


@given(st.lists(TRICKY, min_size=1, max_size=5), st.integers(1, 60))
def test_agrees_with_the_rules_in_long_texts(parts: list[str], times: int) -> None:
    """Repeated up to thousands of characters, across passes and when the room runs out, the answer is the same."""
    text = "".join(parts) * times
    assert arrays(fold(text)) == plainly(text)


@given(TRICKY)
def test_short_values_fold_alike(text: str) -> None:
    """The short way for values gives what the pass gives."""
    assert canonical(text) == fold(text).text
    assert canonical(text[:9]) == fold(text[:9]).text


@pytest.mark.parametrize("piece", ["{}", "a{}1", "何{} "])
def test_every_character_folds_alike_in_short_values(piece: str) -> None:
    """Alone and between letters, each character has the same canonical form the short way and in a page."""
    texts = [piece.format(chr(code)) for code in (*range(0x11000), *range(0x1D400, 0x1D800))]
    folded, starts = fold_many(texts)
    ends = [*(starts[1:] - 1).tolist(), len(folded)]
    for text, start, end in zip(texts, starts.tolist(), ends, strict=True):
        assert canonical(text) == folded.units[start:end].tobytes().decode("utf-16-le"), hex(ord(text[0]))


@pytest.mark.parametrize("character", ["\u0301", "ﷺ", "😀", "\0", "\ud800", "а", "৪", "1"])
def test_a_million_of_one_character(character: str) -> None:
    """A million of the worst characters fold as one of them, beside others."""
    count = 1_000_000
    folded, starts = fold_many(["x1", character * count, "x1"])
    part = folded.units[starts[1] : starts[2] - 1].tobytes().decode("utf-16-le")
    expected = fold_character(character)
    assert part == expected * count
    assert folded.text.endswith("\0x1")
    size = len(expected.encode("utf-16-le")) // 2
    assert folded.origin[starts[1] : starts[2] - 1].tolist() == [i for i in range(count) for _ in range(size)]


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


def test_soft_digits_name_what_may_be_a_digit() -> None:
    """Hard digits, Han numerals, letters of any script that look like a digit, and nothing else."""
    table = foldtables.soft_digits()
    read = "".join(f"{value:x}"[-1] for value in table[list(map(ord, "07〇零一九幺两壹玖oqilzsbgƨꝯоЗ张xwж@"))])
    assert read == "0700191219001125892903fffff"


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
def test_hostile_text_is_linear_work(make: Callable[[int], str]) -> None:
    """Eight times the text takes about eight times as long, a small fraction of what a quadratic step would."""
    seconds = []
    for size in (250_000, 2_000_000):
        text = make(size)
        best = float("inf")
        for _ in range(3):
            begun = time.process_time()
            fold(text)
            best = min(best, time.process_time() - begun)
        seconds.append(best)
    assert seconds[1] <= 30 * seconds[0] + 0.2


def test_ten_million_of_anything_folds() -> None:
    """Ten megabytes of each kind of noise fold without an error."""
    assert len(fold("8" * 10_000_000)) == 10_000_000
    assert len(fold("e" + "\u0301" * 10_000_000)) == 1
    assert len(fold("\0" * 5_000_000 + "\ud800" * 5_000_000)) == 0
