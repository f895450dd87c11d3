"""When to try a lost connection again."""

from __future__ import annotations

__all__ = ["Backoff"]


class Backoff:
    """Capped exponential delays with jitter.

    A connection counts as a success only once it was authenticated and then held for a while. One
    that is accepted and closed at once is a failure like a refused one, so such a server is not hit
    in a tight loop.

    Parameters
    ----------
    first, cap
        The first and the longest delay, in seconds, before jitter.
    factor
        How much longer each further delay is.
    stable
        How long an authenticated connection has to hold, in seconds, to count as a success.

    Examples
    --------
    >>> backoff = Backoff(first=0.5, cap=4)
    >>> [backoff.failed(chance=1.0) for _ in range(5)]
    [0.5, 1.0, 2.0, 4.0, 4.0]
    >>> backoff.lost(authenticated=True, lasted=60.0, chance=1.0)
    0.5
    """

    def __init__(
        self, first: float = 0.1, cap: float = 10.0, factor: float = 2.0, stable: float = 5.0
    ) -> None:
        self.first = first
        self.cap = cap
        self.factor = factor
        self.stable = stable
        self.failures = 0

    def failed(self, chance: float) -> float:
        """Count an attempt that made no connection; return the delay before the next, in seconds.

        Parameters
        ----------
        chance
            A random number from 0 to 1; the delay is half fixed and half chance.
        """
        # The exponent is bounded because years of failures must not overflow a float.
        longest = min(self.cap, self.first * self.factor ** min(self.failures, 64))
        self.failures += 1
        return longest * (0.5 + 0.5 * chance)

    def lost(self, *, authenticated: bool, lasted: float, chance: float) -> float:
        """Count a connection that ended; return the delay before the next attempt, in seconds.

        Parameters
        ----------
        authenticated
            Whether the server had accepted the token on it.
        lasted
            How long it was open, in seconds.
        chance
            A random number from 0 to 1.
        """
        if authenticated and lasted >= self.stable:
            self.failures = 0
        return self.failed(chance)
