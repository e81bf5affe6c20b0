"""Bearer tokens: minted by one instance, accepted by all, refused by all once revoked, and telling nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from chaoscheck.errors import PlanError
from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import (
    KINDS,
    TRIES,
    Bench,
    Hand,
    Inspection,
    Kind,
    Told,
    Words,
    acknowledged,
    answered,
    requests,
)
from chaoscheck.promises.legible import FEW, readable, unsigned
from chaoscheck.steps.render import names_needed, names_taken
from chaoscheck.steps.template import Template

MAX_SIZE = 4096
"""Bytes, where the plan says nothing: a header or a cookie that is longer is refused by many a server."""
READ_BACK = 8
"""Exposed tokens that one turn uses at most; the rest is the next turn's."""
SOME = 3
"""So many tokens a session mints at one a turn; then ever more slowly, for each is used again at the end."""
MOST = 12
"""Tokens that a session holds at most, valid or revoked."""
REVOKED_SHARE = 0.25
"""Of the turns that find a valid token, those that revoke it."""
MARGIN_S = 0.005
AGAIN_S = 0.4
"""A revoked token is tried again after so long: the time that tells a lag from a list of one's own."""

_TOLD = frozenset({Outcome.OK.value, Outcome.GONE.value})
_OTHER = str.maketrans(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "5678901234nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)


@KINDS.add("token")
class TokenKind(Kind):
    """An object is a token, named by the value of the call that minted it."""

    name: ClassVar[str] = "token"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    options: ClassVar[frozenset[str]] = frozenset({"grace", "max_size", "personal"})
    default_of: ClassVar[str] = "value"
    undoes: ClassVar[bool] = True
    words: ClassVar[Words] = Words(
        one="token",
        many="tokens",
        lives="what tells a good token (its key, or the list of those given out) lives in the instance that minted it",
        died="what tells a good token (its key, or the list of those given out) lived in the instance that was killed",
        store="give all instances one shared signing key (from a secret, not made at start), or keep opaque tokens in "
        "a store that all of them ask",
        broken={
            "LOST": "refused though valid",
            "FLICKER": "refused for a while though valid",
            "WRONG_USER": "gave another user's identity",
            "REVOKED_ACCEPTED": "accepted after they had been revoked",
            "TOO_LARGE": "larger than allowed",
            "READABLE": "with personal or secret data that anyone can read",
            "UNSIGNED": "that anyone can make",
        },
        because={"REVOKED_ACCEPTED": "an instance doesn't know of revocations that another one acknowledged"},
        fixes={
            **dict.fromkeys(
                ("LOST", "FLICKER"),
                "give all instances and all their processes one shared signing key (from a secret, not made at start), "
                "or keep opaque tokens in a store that all of them ask",
            ),
            "WRONG_USER": "take the identity from the token of this very request: no global, no cache keyed by "
            "anything but the whole token, no object that requests share",
            "REVOKED_ACCEPTED": "keep revocations in a shared list that every instance asks before it accepts (or is "
            "told of before the revocation is acknowledged), or give tokens short lives; and let the plan's grace say "
            "how late is in time",
            "TOO_LARGE": "carry an id instead of data: roles, settings and profiles belong in a store, looked up by "
            "the token's subject",
            "READABLE": "signing hides nothing: put opaque ids in tokens and look the rest up, or encrypt the payload",
            "UNSIGNED": "sign tokens with a key, and refuse alg: none and any algorithm but your own",
        },
        valued=False,
    )  # fmt: skip

    @classmethod
    def check(cls, terms: Promise) -> str:
        """What is minted must be taken, and used; the plan's own words must be readable."""
        if not names_taken(terms.do):
            return 'do must take the token: take: {token: "json:token"}'
        if not _carried(terms, "see"):
            return f"see must send what do takes ({_listed(terms)}), for example headers: {_example(terms)}"
        if terms.undo and not _carried(terms, "undo"):
            return f"undo must say which token it revokes ({_listed(terms)})"
        if terms.grace is not None and not terms.undo:
            return "grace is the time that a revocation may take: without undo there is none"
        try:
            for word in terms.personal or ():
                Template(word)
        except PlanError as error:
            return f"personal: {error.message}"
        return ""

    def requests_a_turn(self) -> float:
        return 1.6 * requests(self.terms.see) + requests(self.terms.do)

    def patience_s(self) -> float:
        return self.terms.grace or 0.0

    def begin(self, hand: Hand) -> None:
        self._mint(hand)

    def turn(self, hand: Hand) -> None:
        """Use what a death put at risk first, then one that is valid and one that was revoked; then change one."""
        exposed = hand.exposed()[:READ_BACK]
        for obj in exposed or self._drawn(hand):
            if hand.alive():
                hand.see(obj, "")
        if not hand.alive():
            return
        valid, revoked = hand.certain(), hand.retired()
        room = len(valid) + len(revoked) < MOST
        if self.terms.undo and valid and len(revoked) < MOST // 2 and hand.draw() < REVOKED_SHARE:
            hand.undo(valid[int(hand.draw() * len(valid))], "")
        elif not valid or (room and hand.draw() * (1 + (len(valid) + len(revoked)) / SOME) < 1):
            self._mint(hand)

    def end(self, hand: Hand) -> None:
        """Tokens outlive the session that asked for them."""

    def object_of(self, session: str, value: str) -> str:
        return value

    def inspect(self, taken: Mapping[str, str], account: Mapping[str, str]) -> Inspection | None:
        """What `see` sends of what `do` took, as its holder sees it."""
        tokens = [taken[name] for name in sorted(_carried(self.terms, "see")) if taken.get(name)]
        if not tokens:
            return None
        size = sum(len(token.encode()) for token in tokens)
        most = MAX_SIZE if self.terms.max_size is None else self.terms.max_size
        found = [what for token in tokens for what in readable(token, account, self.terms.personal or ())]
        more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
        problems = {
            "TOO_LARGE": f"{size} bytes, {most} are allowed" if size > most else "",
            "READABLE": "; ".join(found[:FEW]) + more,
            "UNSIGNED": next((why for token in tokens if (why := unsigned(token))), ""),
        }
        return Inspection(size=size, problems={name: what for name, what in problems.items() if what})

    # Controls.

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """Without a token, and with one that nobody gave out, nobody is known; with a new one its user is."""
        value = bench.new_value()
        done = acknowledged(bench, value, where)
        nothing = dict.fromkeys(names_taken(self.terms.do), "")
        if done is None:
            refused = Told(holds=None, note="no mint was acknowledged", told=TRIES, missed=TRIES)
            return [("fail", _use(bench, where, {"no": nothing})), ("hold", refused)]
        forged = {"no": nothing, "another": {name: text.translate(_OTHER) for name, text in done.taken.items()}}
        reads = [read.op for read in answered(lambda: bench.see(value, where), bench)]
        missed = [op for op in reads if op.outcome != Outcome.OK]
        note = f"{missed[0].outcome} {missed[0].status}: {missed[0].excerpt}" if missed else ""
        held = Told(holds=bool(reads) and not missed, note=note, obj=value, told=len(reads), missed=len(missed))
        return [("fail", _use(bench, where, forged)), ("hold", held)]

    # The matrix, beside "mint on i, use on j".

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Revoked on one, it must be refused on the other once the grace is over. None without `undo`."""
        if not self.terms.undo:
            return None
        value = bench.new_value()
        if acknowledged(bench, value, writer) is None:
            return Told(holds=None, note="no mint was acknowledged", obj=value)
        if not any(bench.see(value, reader, fresh=True).op.outcome == Outcome.OK for _ in range(TRIES)):
            return Told(holds=None, note="not told: the token itself was not accepted there", obj=value)
        undone = bench.undo(value, writer).op
        if undone.outcome != Outcome.OK:
            return Told(holds=None, note=f"the revocation was not acknowledged ({undone.outcome})", obj=value)
        bench.wait((self.terms.grace or 0.0) + MARGIN_S)
        return self._refused(bench, value, writer, reader)

    def _refused(self, bench: Bench, value: str, writer: str, reader: str) -> Told:
        own = writer == reader
        reads = bench.see_at_once(value, reader) if own else [bench.see(value, reader, fresh=True) for _ in range(2)]
        told = [read.op for read in reads if read.op.outcome in _TOLD]
        accepted = [op for op in told if op.outcome == Outcome.OK]
        if not told:
            return Told(holds=None, note="no answer told anything of it", obj=value)
        if not accepted:
            return Told(holds=True, note="", obj=value, told=len(told))
        bench.wait(AGAIN_S)
        healed = bench.see(value, reader, fresh=True).op.outcome == Outcome.GONE
        known = bench.see(value, writer).op.outcome == Outcome.GONE or (own and len(accepted) < len(told))
        later = "refused" if healed else "accepted"
        note = (
            f"{len(accepted)} of {len(told)} uses of a revoked token were accepted; {later} later on {reader}; "
            f"{writer} {'refuses' if known else 'accepts'} it"
        )
        return Told(
            holds=False, note=note, obj=value, told=len(told), missed=len(accepted), healed=healed, writer_has=known,
            anomaly="REVOKED_ACCEPTED",
        )  # fmt: skip

    # Small things.

    @staticmethod
    def _mint(hand: Hand) -> None:
        value = hand.new_value()
        hand.do(value, value)

    @staticmethod
    def _drawn(hand: Hand) -> list[str]:
        """One of each sort."""
        sorts = [tokens for tokens in (hand.certain(), hand.retired()) if tokens]
        return [tokens[int(hand.draw() * len(tokens))] for tokens in sorts]


def _carried(terms: Promise, action: str) -> frozenset[str]:
    """The names that this action sends, of those that `do` takes."""
    sent = frozenset[str]().union(*(names_needed(step) for step in terms.action(action)))
    return sent & names_taken(terms.do)


def _listed(terms: Promise) -> str:
    return " or ".join(f"${name}" for name in sorted(names_taken(terms.do)))


def _example(terms: Promise) -> str:
    return f"{{Authorization: Bearer ${min(names_taken(terms.do))}}}"


def _use(bench: Bench, where: str, forged: Mapping[str, Mapping[str, str]]) -> Told:
    """None of them is good."""
    reads = [
        (name, read.op)
        for name, given in forged.items()
        for read in answered(partial(bench.see, bench.new_value(), where, given=given), bench)
    ]
    held = [(name, op) for name, op in reads if op.outcome == Outcome.OK]
    name, op = held[0] if held else reads[-1] if reads else ("", None)
    return Told(
        holds=bool(held),
        note=f"with {name} token: {op.status} {op.excerpt or op.seen}".rstrip() if op is not None else "no answer",
        told=len(reads),
        missed=len(reads) - len(held),
        by_expect=any(op.outcome == Outcome.UNRECOGNISED for _, op in reads),
    )
