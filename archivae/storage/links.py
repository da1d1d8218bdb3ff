"""Linked folders of a local disk: what lies behind one lies somewhere else."""

from __future__ import annotations

import os

from archivae.storage.names import scheme_of


class Links:
    """Tells which objects lie behind links, each folder looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def lead_to(self, uri: str, root: str) -> bool:
        """Whether a folder between the folder ``root`` and ``uri`` is a link. Both in their normal spelling; False in
        buckets."""
        return not scheme_of(uri) and self._is_linked(os.path.dirname(uri), root)

    def _is_linked(self, folder: str, root: str) -> bool:
        if len(folder) <= len(root):
            return False
        if folder not in self._known:
            self._known[folder] = os.path.islink(folder) or self._is_linked(os.path.dirname(folder), root)
        return self._known[folder]
