"""Services with live messages, to simulate: a hub that all instances share, and the ways in which hubs go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.model.clock import NS

PATHS = {"/ws": 101, "/events": 200}


class Listener(NamedTuple):
    """A connection: whose, on which instance, and how to reach it."""

    user: str
    local: Data
    deliver: Callable[[str], None]


class ChannelShop(Shop):
    """Messages go to all connections of their user, on any instance, a moment later; a connection is greeted first."""

    greets = True
    hub_lies_in_memory = False

    def hub(self) -> list[Listener]:
        where = self.local if self.hub_lies_in_memory else self.shared
        return where.setdefault("hub", [])  # type: ignore[no-any-return]

    def listen(self, asked: Asked, deliver: Callable[[str], None]) -> Said:
        user = self.user_of(asked)
        if asked.path not in PATHS or not user:
            return Said(404 if user else 401, {"error": "no stream for you"})
        self.hub().append(Listener(user, self.local, deliver))
        if self.greets:
            deliver(json.dumps({"ready": True}))
        return Said(PATHS[asked.path])

    def user_of(self, asked: Asked) -> str:
        sid = next((part[4:] for part in asked.cookie.split("; ") if part.startswith("sid=")), "")
        return str(self.sessions().get(sid, {}).get("user", ""))

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        if route != "POST /notify":
            return super().logged_in(route, sid, session, asked)
        self.publish(str(session["user"]), str(asked.body["text"]))
        return Said(202, {})

    def publish(self, user: str, text: str) -> None:
        self.later(0.002, lambda: self.fan_out(user, text))

    def fan_out(self, user: str, text: str) -> None:
        for listener in self.hub():
            if listener.user == user:
                self.send(listener, text)

    def send(self, listener: Listener, text: str) -> None:
        if not listener.local.get("dead"):
            listener.deliver(json.dumps({"text": text}))

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.world.at(self.world.now_ns() + int(seconds * NS), call)

    def every(self, name: str, times: int) -> bool:
        """True once in so many times."""
        self.shared[name] = self.shared.get(name, 0) + 1
        return bool(self.shared[name] % times == 0)


class QuietChannelShop(ChannelShop):
    """Right, and never says when one is subscribed; it delivers from 20 ms after the upgrade on."""

    greets = False

    def listen(self, asked: Asked, deliver: Callable[[str], None]) -> Said:
        since_ns = self.world.now_ns() + NS // 50
        return super().listen(asked, lambda text: deliver(text) if self.world.now_ns() >= since_ns else None)


class MemoryHubShop(ChannelShop):
    """Each instance knows only its own connections."""

    hub_lies_in_memory = True


class BufferedHubShop(ChannelShop):
    """Acknowledges, and hands a message on 50 ms later, if it still lives."""

    def publish(self, user: str, text: str) -> None:
        self.later(0.05, lambda: None if self.local.get("dead") else self.fan_out(user, text))


class LossyHubShop(ChannelShop):
    """Every 23rd message reaches nobody."""

    def publish(self, user: str, text: str) -> None:
        if not self.every("sent", 23):
            super().publish(user, text)


class ReorderingHubShop(ChannelShop):
    """Every fifth message takes much longer than those before and after it."""

    def publish(self, user: str, text: str) -> None:
        slow = self.every("sent", 5)
        self.later(0.3 if slow else 0.002, lambda: self.fan_out(user, text))


class LateHubShop(ChannelShop):
    """Every 23rd message takes longer than anyone should wait."""

    def publish(self, user: str, text: str) -> None:
        self.later(1.4 if self.every("sent", 23) else 0.002, lambda: self.fan_out(user, text))


class GossipingHubShop(ChannelShop):
    """Every 40th message reaches everyone."""

    def fan_out(self, user: str, text: str) -> None:
        everyone = self.every("sent", 40)
        for listener in self.hub():
            if everyone or listener.user == user:
                self.send(listener, text)


class RefusingChannelShop(ChannelShop):
    """Grants nobody a stream."""

    def listen(self, asked: Asked, deliver: Callable[[str], None]) -> Said:
        return Said(403, {"error": "origin not allowed"})


class MuteChannelShop(QuietChannelShop):
    """Grants every stream and says nothing on it."""

    def fan_out(self, user: str, text: str) -> None:
        """Nobody hears of it."""


for _name, _app in {
    "channel": ChannelShop,
    "channel-quiet": QuietChannelShop,
    "channel-memory": MemoryHubShop,
    "channel-buffered": BufferedHubShop,
    "channel-lossy": LossyHubShop,
    "channel-reordering": ReorderingHubShop,
    "channel-late": LateHubShop,
    "channel-gossiping": GossipingHubShop,
    "channel-refusing": RefusingChannelShop,
    "channel-mute": MuteChannelShop,
}.items():
    APPS.add(_name)(_app)
