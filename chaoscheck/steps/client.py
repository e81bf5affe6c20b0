"""A user's client: the names it knows and its cookie jar."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaoscheck.steps.calls import Router
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.listen import Ear


@dataclass(slots=True, kw_only=True)
class Client:
    """One session's client. `names` holds $user, $password and all that steps took; mutable, owned by one session.

    A guest sends no credentials but those that a step itself has. `objects` keeps what the `do` of each (promise,
    object) took, for a client that made several. `ears` are its open streams, by promise, which a copy has none of;
    `listens` is where it opens them, if elsewhere than it sends.
    """

    session: str
    jar: Jar
    names: dict[str, str] = field(default_factory=dict)
    logged_in: bool = False
    is_guest: bool = False
    objects: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    ears: dict[str, Ear] = field(default_factory=dict)
    listens: Router | None = None

    def copy(self) -> Client:
        """The same user at another browser with the same cookies: what it does there doesn't touch this jar."""
        return Client(
            session=self.session,
            jar=self.jar.copy(),
            names=dict(self.names),
            logged_in=self.logged_in,
            is_guest=self.is_guest,
            objects=dict(self.objects),
        )

    def guest(self) -> Client:
        """Someone with an empty jar, who knows the public names but took nothing from the session."""
        return Client(
            session=self.session,
            jar=self.jar.empty(),
            names=dict(self.names),
            is_guest=True,
            objects=dict(self.objects),
        )
