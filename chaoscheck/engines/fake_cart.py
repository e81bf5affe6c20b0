"""Simulated shops with a cart: in a store that all instances share, and kept wrongly in five ways."""

from __future__ import annotations

from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.model.clock import NS

Cart = list[str]


@APPS.add("cart")
class CartShop(Shop):
    """One cart a user, as a list in the shared store; adding what is there already changes nothing."""

    def carts(self) -> Data:
        return self.shared.setdefault("carts", {})  # type: ignore[no-any-return]

    def cart(self, user: str) -> Cart:
        return list(self.carts().get(user, ()))

    def put(self, user: str, cart: Cart) -> None:
        self.carts()[user] = cart

    def add(self, user: str, sku: str) -> None:
        self.put(user, [*(item for item in self.cart(user) if item != sku), sku])

    def remove(self, user: str, sku: str) -> bool:
        cart = self.cart(user)
        self.put(user, [item for item in cart if item != sku])
        return sku in cart

    def logged_in(self, route: str, sid: str, session: Data, asked: Asked) -> Said:
        user = session["user"]
        if route == "GET /cart":
            return Said(200, {"items": self.cart(user)})
        if route == "POST /cart":
            self.add(user, asked.body["sku"])
            return Said(201, {})
        if route.startswith("DELETE /cart/"):
            self.remove(user, asked.path.removeprefix("/cart/"))
            return Said(204)
        return super().logged_in(route, sid, session, asked)


@APPS.add("cart-memory")
class MemoryCart(CartShop):
    """In the memory of the instance that took the element."""

    def carts(self) -> Data:
        return self.local.setdefault("carts", {})  # type: ignore[no-any-return]


@APPS.add("cart-tombstones")
class TombstoneCart(CartShop):
    """What was removed only the instance that removed it remembers: elsewhere, or after its death, it is back."""

    def tombstones(self) -> set[str]:
        return self.local.setdefault("tombstones", set())  # type: ignore[no-any-return]

    def cart(self, user: str) -> Cart:
        return [item for item in super().cart(user) if item not in self.tombstones()]

    def add(self, user: str, sku: str) -> None:
        self.put(user, [*self.carts().get(user, ()), sku])

    def remove(self, user: str, sku: str) -> bool:
        self.tombstones().add(sku)
        return True


@APPS.add("cart-cached")
class CachedCart(CartShop):
    """Each instance keeps what it read or wrote last for 60 ms, and nobody tells it that others changed it."""

    def cart(self, user: str) -> Cart:
        read_ns, cart = self.local.setdefault("cache", {}).get(user, (-NS, []))
        if self.world.now_ns() - read_ns < NS * 6 // 100:
            return list(cart)
        fresh = super().cart(user)
        self.local["cache"][user] = (self.world.now_ns(), fresh)
        return fresh

    def put(self, user: str, cart: Cart) -> None:
        super().put(user, cart)
        self.local.setdefault("cache", {})[user] = (self.world.now_ns(), cart)


@APPS.add("cart-racy")
class RacyCart(CartShop):
    """Reads the whole cart, thinks, and writes it back: of two writes at a time the later one undoes the earlier."""

    def put(self, user: str, cart: Cart) -> None:
        self.world.spend(0.002, 0.006)
        super().put(user, cart)


@APPS.add("cart-lazy")
class LazyCart(CartShop):
    """Reads the whole cart from the store and writes it back 30 ms after it answered: of two writes within that time
    the later one undoes the earlier. Meanwhile the instance shows what it is about to write."""

    def cart(self, user: str) -> Cart:
        return list(self.local.setdefault("coming", {}).get(user) or super().cart(user))

    def add(self, user: str, sku: str) -> None:
        self.put(user, [*super().cart(user), sku])

    def put(self, user: str, cart: Cart) -> None:
        coming, carts = self.local.setdefault("coming", {}), self.carts()
        coming[user] = cart
        self.world.at(self.world.now_ns() + NS * 3 // 100, lambda: carts.update({user: cart}) or coming.pop(user, None))


@APPS.add("cart-doubles")
class DoublingCart(CartShop):
    """Appends without looking, and every seventh add twice."""

    def add(self, user: str, sku: str) -> None:
        self.shared["added"] = self.shared.get("added", 0) + 1
        self.put(user, [*self.cart(user), sku, *([sku] if self.shared["added"] % 7 == 0 else [])])


@APPS.add("cart-global")
class GlobalCart(CartShop):
    """One cart for everybody: now and then a user is shown another's."""

    def cart(self, user: str) -> Cart:
        self.shared["reads"] = self.shared.get("reads", 0) + 1
        others = [each for each in self.carts() if each != user]
        if self.shared["reads"] % 37 == 0 and others:
            return [*super().cart(user), *self.carts()[others[-1]]]
        return super().cart(user)
