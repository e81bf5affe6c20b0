"""A filter for requests that this instance has answered already: state that it may hold.

What it lets through twice, here or on another instance, does no harm, for the handlers behind it do the same thing
when called again. It only saves the shared store the work.
"""


class Seen:
    """The newest `most` keys. Forgetting one costs a needless call, nothing else."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._keys: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        self._keys[key] = None
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
