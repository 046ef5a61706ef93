from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploytrail.errors import Refused
from deploytrail.tlog import note
from deploytrail.tlog.cosignature import CosigningKey
from deploytrail.tlog.note import Note, Signature, SigningKey, Verifier
from tests.tlog.trees import KEY, OTHER, flips

TEXT = "deploy 42 approved\n\nby two people\n"
GOOD = note.assemble(TEXT, [KEY.sign(TEXT)])
WITNESS = CosigningKey.from_seed("witness.example.org/w", bytes(range(7, 39)))

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32) if c != 10]),
    max_size=60,
).map(lambda text: text + "\n")


def refused_with(code: str, data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        note.check(note.parse(data), [KEY.verifier])
    assert refused.value.code == code


@given(texts)
def test_notes_are_read_back(text: str) -> None:
    data = note.assemble(text, [KEY.sign(text), OTHER.sign(text)])
    read = note.parse(data)
    assert read.text == text
    assert note.assemble(read.text, [signature.line() for signature in read.signatures]) == data
    assert note.check(read, [OTHER.verifier, KEY.verifier]) == [KEY.verifier, OTHER.verifier]


def test_every_flipped_byte_is_found() -> None:
    for bit in range(8):
        for at in range(len(GOOD)):
            data = GOOD[:at] + bytes((GOOD[at] ^ 1 << bit,)) + GOOD[at + 1 :]
            with pytest.raises(Refused):
                note.check(note.parse(data), [KEY.verifier])


def test_every_missing_and_doubled_byte_is_found() -> None:
    for at in range(len(GOOD)):
        for data in (GOOD[:at] + GOOD[at + 1 :], GOOD[: at + 1] + GOOD[at:], GOOD[:at]):
            if data != GOOD:
                with pytest.raises(Refused):
                    note.check(note.parse(data), [KEY.verifier])


LINE = KEY.sign(TEXT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        LINE.encode(),
        (TEXT + LINE).encode(),
        (TEXT + "\n" + LINE)[:-1].encode(),
        (TEXT + "\n" + LINE + "\n").encode(),
        (TEXT + "\n" + LINE + "x").encode(),
        (TEXT + "\n" + LINE + "x\n").encode(),
        (TEXT + "\n" + LINE + " ").encode(),
        (TEXT + "\n" + LINE).replace("\n", "\r\n").encode(),
        (TEXT + "\n" + LINE[:-1] + "\r\n").encode(),
        (TEXT + "\n" + LINE[:-1] + " \n").encode(),
        (TEXT + "\n" + LINE[:-1] + "\u2028").encode(),
        (TEXT + "\u2028" + LINE).encode(),
        (TEXT + "\u2029\n" + LINE).encode(),
        (TEXT + "\x85" + LINE).encode(),
        (TEXT + "\n " + LINE).encode(),
        (TEXT + "\n" + LINE.replace("— ", "—  ")).encode(),
        (TEXT + "\n" + LINE.replace("— ", "—\t")).encode(),
        (TEXT + "\n" + LINE.replace("— ", "- ")).encode(),
        (TEXT + "\n" + LINE.replace("— ", "– ")).encode(),
        (TEXT + "\n" + LINE.replace("=", "")).encode(),
        (TEXT + "\n" + LINE.replace("\n", "=\n")).encode(),
        (TEXT + "\n" + LINE).encode("utf-16"),
        b"\xff" + GOOD,
        GOOD.replace("—".encode(), b"\xe2\x80"),
        b"\xed\xa0\x80" + GOOD,
        b"\xc0\x8a" + GOOD,
        *(GOOD.replace(b"42", bytes((control,))) for control in range(32) if control != 10),
    ],
)
def test_bytes_that_are_no_note(data: bytes) -> None:
    refused_with("bad-input", data)


def test_a_byte_order_mark_belongs_to_the_text() -> None:
    refused_with("untrue", b"\xef\xbb\xbf" + GOOD)


@pytest.mark.parametrize("line_end", ["\u2028", "\u2029", "\x85", "\u00a0", "\x7f"])
def test_what_python_takes_for_a_line_end_is_none(line_end: str) -> None:
    text = f"one{line_end}two\n"
    data = note.assemble(text, [KEY.sign(text)])
    assert note.parse(data).text == text


def test_lenient_base64_is_refused() -> None:
    """The last character before the padding has two bits that no byte takes."""
    data = GOOD.decode()
    assert data.endswith("=\n")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = len(data.rstrip("\n").rstrip("=")) - 1
    for low_bits in (1, 2, 3):
        other = alphabet[alphabet.index(data[last]) ^ low_bits]
        refused_with("bad-input", (data[:last] + other + data[last + 1 :]).encode())


def test_the_text_ends_at_the_last_empty_line() -> None:
    """Signatures that stand inside the text are text."""
    text = GOOD.decode() + "more\n"
    data = note.assemble(text, [OTHER.sign(text)])
    assert note.parse(data).text == text
    refused_with("untrue", data)


def test_size_and_count_are_limited() -> None:
    line = Signature("a", 1, b"s").line()
    assert len(note.parse(f"x\n\n{line * 100}".encode()).signatures) == 100
    refused_with("bad-input", f"x\n\n{line * 101}".encode())
    refused_with("bad-input", b"x" * (note.MAX_BYTES - len(GOOD) + 1) + GOOD)
    refused_with("untrue", b"x" * (note.MAX_BYTES - len(GOOD)) + GOOD)


# Which signatures count.


def test_unknown_keys_are_ignored() -> None:
    stranger = Signature("stranger.example.org", 7, b"not even a signature").line()
    same_name = Signature(KEY.verifier.name, 7, b"not even a signature").line()
    same_id = Signature("stranger.example.org", KEY.verifier.key_id, b"nor this").line()
    data = note.assemble(TEXT, [stranger, same_name, LINE, same_id])
    assert note.check(note.parse(data), [KEY.verifier]) == [KEY.verifier]


def test_a_note_that_no_trusted_key_signed_is_refused() -> None:
    refused_with("untrue", note.assemble(TEXT, [OTHER.sign(TEXT)]))
    with pytest.raises(Refused) as refused:
        note.check(note.parse(GOOD), [])
    assert refused.value.code == "untrue"


@pytest.mark.parametrize(
    "wrong", [KEY.sign("another\n"), Signature(KEY.verifier.name, KEY.verifier.key_id, b"s").line()]
)
def test_one_wrong_signature_of_a_known_key_refuses_the_note(wrong: str) -> None:
    for lines in ([OTHER.sign(TEXT), wrong], [wrong, OTHER.sign(TEXT)], [LINE, wrong], [wrong, LINE]):
        data = note.assemble(TEXT, lines)
        with pytest.raises(Refused) as refused:
            note.check(note.parse(data), [KEY.verifier, OTHER.verifier])
        assert refused.value.code == "untrue"


def test_a_wrong_cosignature_of_a_known_witness_refuses_the_note() -> None:
    text = f"{KEY.verifier.name}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    line = WITNESS.sign(text, 5)
    moved = Signature.parse(line[:-1])
    later = Signature(moved.name, moved.key_id, (6).to_bytes(8, "big") + moved.signature[8:]).line()
    trusted = [KEY.verifier, WITNESS.verifier]
    assert note.check(note.parse(note.assemble(text, [KEY.sign(text), line])), trusted) == trusted
    with pytest.raises(Refused) as refused:
        note.check(note.parse(note.assemble(text, [KEY.sign(text), later])), trusted)
    assert refused.value.code == "untrue"


def test_a_key_counts_once() -> None:
    data = note.assemble(TEXT, [LINE, LINE])
    assert note.check(note.parse(data), [KEY.verifier, KEY.verifier]) == [KEY.verifier]


def test_two_keys_that_cannot_be_told_apart_are_refused() -> None:
    twin = Verifier.__new__(Verifier)
    for field in ("name", "key_id", "kind"):
        object.__setattr__(twin, field, getattr(KEY.verifier, field))
    object.__setattr__(twin, "public", OTHER.verifier.public)
    with pytest.raises(Refused) as refused:
        note.check(note.parse(GOOD), [KEY.verifier, twin])
    assert refused.value.code == "bad-input"


def test_a_signature_is_bound_to_the_text_and_its_last_newline() -> None:
    for text in (TEXT + "\n", TEXT[:-2] + "\n", TEXT.upper()):
        with pytest.raises(Refused) as refused:
            note.check(Note(text, note.parse(GOOD).signatures), [KEY.verifier])
        assert refused.value.code == "untrue"


# Writing.


@pytest.mark.parametrize("text", ["", "x", "x\r\n", "x\ty\n", "\0\n", "\ud800\n"])
def test_texts_that_cannot_be_signed(text: str) -> None:
    for write in (KEY.sign, lambda text: note.assemble(text, [LINE])):
        with pytest.raises(Refused) as refused:
            write(text)
        assert refused.value.code == "bad-input"


@pytest.mark.parametrize(
    "lines", [[], [""], ["\n"], [LINE[:-1]], ["more\n", LINE], [LINE, "\n", LINE], [LINE, "more\n\n", LINE]]
)
def test_lines_that_would_not_make_a_note(lines: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        note.assemble(TEXT, lines)
    assert refused.value.code == "bad-input"


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(Refused):
        SigningKey.from_seed("a", bytes(length))


def test_flips_cover_the_note() -> None:
    """The tool that other tests lean on changes every byte once."""
    changed = flips(GOOD)
    assert [sum(a != b for a, b in zip(data, GOOD, strict=True)) for data in changed] == [1] * len(GOOD)
