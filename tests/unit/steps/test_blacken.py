"""Secrets are gone from a file wherever they stand in it, and nothing else in it is another."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.steps.blacken import blacken
from chaoscheck.steps.mask import expression

SECRETS = ["hunter2-long", "hunter2-long-and-longer", "pw", "zwölf-Monde", "two\nlines of it"]


def blackened(tmp_path: Path, data: bytes, *, chunk: int = 1 << 20) -> tuple[bytes, int]:
    path = tmp_path / "web.log"
    path.write_bytes(data)
    count = blacken(path, SECRETS, chunk=chunk)
    return path.read_bytes(), count


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"a hunter2-long b", b"a ************ b"),
        (b"hunter2-long-and-longer", b"***********************"),
        (b"pw=pw; spw and pwd stay", b"**=**; spw and pwd stay"),
        ("zwölf-Monde, ölf".encode(), b"************, \xc3\xb6lf"),
        (b"\xff\x00two\nlines of it\xfe", b"\xff\x00***************\xfe"),
        (b"nothing \xff here\r\n", b"nothing \xff here\r\n"),
        (b"", b""),
    ],
)
def test_secret_in_a_file_is_overwritten_and_other_bytes_stay(tmp_path: Path, data: bytes, left: bytes) -> None:
    """Also what spans lines, and beside bytes that are no text."""
    assert blackened(tmp_path, data)[0] == left


PIECES = st.sampled_from([*(secret.encode() for secret in SECRETS), b"hunter2", b"-long", b" ", b"x", b"\n", b"\xff"])


@given(pieces=st.lists(PIECES, max_size=12), chunk=st.integers(1, 40))
def test_secret_that_chunks_split_is_found_as_in_one_piece(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], chunk: int
) -> None:
    """Whatever is read at a time, the file comes out as if it had been read at once."""
    data = b"".join(pieces)
    whole = re.sub(expression(SECRETS).encode(), lambda found: b"*" * len(found[0]), data)
    folder = tmp_path_factory.mktemp("cut")
    assert blackened(folder, data, chunk=chunk)[0] == whole


def test_short_secret_at_a_chunks_edge_stands_by_itself_only_where_it_does(tmp_path: Path) -> None:
    """What comes before and after the cut still decides whether it is a word of its own."""
    path = tmp_path / "web.log"
    for chunk in range(1, 12):
        path.write_bytes(b"pws spw pw pws pw")
        assert blacken(path, ["pw"], chunk=chunk) == 2
        assert path.read_bytes() == b"pws spw ** pws **"


def test_file_that_is_still_written_to_goes_on(tmp_path: Path) -> None:
    """It is the same file afterwards: a process that was left running (--keep) appends where it did."""
    path = tmp_path / "web.log"
    with path.open("ab", buffering=0) as service:
        service.write(b"hunter2-long\n")
        assert blacken(path, SECRETS) == 1
        service.write(b"and on\n")
    assert path.read_bytes() == b"************\nand on\n"


def test_setting_that_is_no_text_is_overwritten_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"is \xe9t\xe9-key-9 here")
    assert blacken(path, [os.fsdecode(b"\xe9t\xe9-key-9")]) == 1
    assert path.read_bytes() == b"is ********* here"


def test_no_secrets_leave_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"as it is")
    path.chmod(0o444)
    assert blacken(path, ["", ""]) == 0
