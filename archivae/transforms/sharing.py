"""An object that only one process of a machine holds, and that the others call through Beam's `MultiProcessShared`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from apache_beam.utils.multi_process_shared import MultiProcessShared

Result = TypeVar("Result")

_ATTEMPTS = 3
_OWNER_GONE = (ConnectionError, EOFError)


class Shared:
    """What ``make`` gives, made by whichever process asks first; ``tag`` names it on this machine.

    When its process dies, another becomes the owner and the call is made again: calls must have no side effects. The
    object needs plain methods, as proxies have no attributes.
    """

    def __init__(self, make: Callable[[], Any], tag: str) -> None:
        self._make = make
        self._tag = f"archivae-{tag}"
        self._server: Any = None

    def call(self, call: Callable[[Any], Result]) -> Result:
        """What ``call`` gives for the shared object."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return call(self._server_or_heir())
            except _OWNER_GONE:
                self._server = None
        return call(self._server_or_heir())

    def _server_or_heir(self) -> Any:
        if self._server is None:
            self._server = MultiProcessShared(self._make, tag=self._tag, spawn_process=False).acquire()
        return self._server
