"""A jar keeps what a browser would that had opened the origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.steps.jar import Jar

HTTP, HTTPS = "http://127.0.0.1:8000", "https://www.shop.test"


def kept(origin: str, *set_cookies: str, path: str = "/") -> str:
    jar = Jar(origin)
    jar.absorb("/", set_cookies)
    return jar.header(path)


@pytest.mark.parametrize(
    ("origin", "cookie", "header"),
    [
        (HTTP, "a=1", "a=1"),
        (HTTP, "a=1; HttpOnly; SameSite=Strict; Path=/", "a=1"),
        (HTTP, "a=", "a="),
        (HTTP, 'a="x y"; Path=/', 'a="x y"'),
        (HTTP, "a=b=c==", "a=b=c=="),
        (HTTP, "a=1; Secure", ""),
        (HTTPS, "a=1; Secure", "a=1"),
        (HTTP, "a=1; Domain=127.0.0.1", "a=1"),
        (HTTP, "a=1; Domain=0.0.1", ""),
        (HTTPS, "a=1; Domain=shop.test", "a=1"),
        (HTTPS, "a=1; Domain=.SHOP.test", "a=1"),
        (HTTPS, "a=1; Domain=www.shop.test", "a=1"),
        (HTTPS, "a=1; Domain=test", ""),
        (HTTPS, "a=1; Domain=other.test", ""),
        (HTTPS, "a=1; Domain=hop.test", ""),
        (HTTPS, "a=1; Domain=x.www.shop.test", ""),
        (HTTPS, "__Host-a=1; Secure; Path=/", "__Host-a=1"),
        (HTTPS, "__Host-a=1; Secure; Path=/x", ""),
        (HTTPS, "__Host-a=1; Secure; Path=/; Domain=shop.test", ""),
        (HTTPS, "__Secure-a=1; Path=/", ""),
        (HTTP, "a=1; Max-Age=0", ""),
        (HTTP, "a=1; Max-Age=-5", ""),
        (HTTP, "a=1; Max-Age=soon", "a=1"),
        (HTTP, "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
        (HTTP, "a=1; Expires=Mon, 01-Jan-1601 00:00:00 GMT", ""),
        (HTTP, "a=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "a=1"),
        (HTTP, "a=1; Expires=never", "a=1"),
        (HTTP, "a=1; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1"),
        (HTTP, "no equals sign", ""),
        (HTTP, "=1", ""),
        (HTTP, "a=1\r\nX: y", ""),
        (HTTP, "", ""),
    ],
)
def test_cookie_is_kept_as_a_browser_would(origin: str, cookie: str, header: str) -> None:
    """Secure, Domain, prefixes and lifetimes decide, by the origin that the client opened."""
    assert kept(origin, cookie) == header


@pytest.mark.parametrize(
    ("scope", "path", "sent"),
    [
        ("/", "/x", True),
        ("/x", "/x", True),
        ("/x", "/x/y", True),
        ("/x/", "/x/y", True),
        ("/x", "/x?q=1", True),
        ("/x", "/xy", False),
        ("/x", "/", False),
        ("/x/", "/x", False),
    ],
)
def test_cookie_path_decides_where_it_goes(scope: str, path: str, sent: bool) -> None:
    """A path covers itself and what is below it, not its namesakes."""
    assert bool(kept(HTTP, f"a=1; Path={scope}", path=path)) is sent


def test_cookie_without_path_belongs_to_the_folder_it_came_from() -> None:
    """The default path is the request's folder."""
    jar = Jar(HTTP)
    jar.absorb("/admin/login?x=/y", ["a=1"])
    assert (jar.header("/admin/users"), jar.header("/")) == ("a=1", "")


def test_header_names_longer_paths_first_then_older() -> None:
    """The order that RFC 6265 asks for; a new value keeps its cookie's place."""
    jar = Jar(HTTP)
    jar.absorb("/", ["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/"])
    jar.absorb("/", ["a=9; Path=/"])
    assert jar.header("/x") == "b=2; a=9; c=3"


def test_cookie_lives_until_its_time_even_if_asked_before() -> None:
    """A header that was made once isn't sent when one of its cookies is over."""
    now = [1000.0]
    jar = Jar(HTTP, lambda: now[0])
    jar.absorb("/", ["short=1; Max-Age=10", "long=2"])
    assert jar.header("/") == "short=1; long=2"
    now[0] += 11
    assert (jar.header("/"), jar.names(), jar.value("short")) == ("long=2", ("long",), None)


def test_cookie_deleted_by_the_server_is_gone() -> None:
    """A logout that expires the cookie takes it out of the next request."""
    jar = Jar(HTTP)
    jar.absorb("/", ["sid=1; Path=/"])
    assert jar.header("/") == "sid=1"
    jar.absorb("/", ["sid=; Path=/; Max-Age=0"])
    assert (jar.header("/"), jar.values()) == ("", ())


def test_copy_is_apart_from_the_original() -> None:
    """What a copy learns doesn't reach the session's jar, nor the other way round."""
    jar = Jar(HTTP)
    jar.absorb("/", ["sid=mine; Path=/"])
    copy = jar.copy()
    copy.absorb("/", ["sid=fresh; Path=/"])
    assert (jar.header("/"), copy.header("/"), jar.empty().header("/")) == ("sid=mine", "sid=fresh", "")


@given(st.text(max_size=80), st.text(max_size=20))
def test_cookie_of_any_text_never_raises(line: str, path: str) -> None:
    """Hostile cookies are kept or refused, and what is sent of them has no line break in it."""
    jar = Jar(HTTP)
    jar.absorb("/" + path, [line, "a=1; " + line])
    assert not set("\r\n\0") & set(jar.header("/" + path))
