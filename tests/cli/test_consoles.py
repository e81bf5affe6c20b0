"""The two streams: in a locale without our signs, and where colours aren't wanted."""

from __future__ import annotations

import io

import pytest

from chaoscheck.cli.consoles import output, talk


class Stream(io.TextIOWrapper):
    """A terminal of some locale, whose bytes can be looked at."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def bytes(self) -> bytes:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1"])
@pytest.mark.parametrize(("console", "name"), [(output, "stdout"), (talk, "stderr")])
def test_locale_without_our_signs_gets_plain_ones(
    monkeypatch: pytest.MonkeyPatch, encoding: str, console: type, name: str
) -> None:
    """A verdict that can't be printed is no verdict; what else can't be written is a question mark."""
    stream = Stream(encoding)
    monkeypatch.setattr(f"sys.{name}", stream)
    console().print("✗ login … ▁█ 長")
    assert stream.bytes() == b"x login ~ 1# ?\n"


def test_utf8_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given less than their terminal shows."""
    stream = Stream("utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    output().print("✗ login")
    assert stream.bytes().decode() == "✗ login\n"


@pytest.mark.parametrize(("value", "plain"), [("1", True), ("", False)])
def test_no_color_is_heeded_when_it_says_something(monkeypatch: pytest.MonkeyPatch, value: str, plain: bool) -> None:
    """An empty NO_COLOR is none; a set one takes bold and dim away as well."""
    stream = Stream("utf-8")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", value)
    output().print("x", style="bold red")
    assert (b"\x1b" not in stream.bytes()) is plain
