"""What the families share: a form, an architecture of whole numbers, and a place in the table of families."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from torch import nn

from archivae.errors import ModelError, UsageError
from archivae.models.protocol import Form


@dataclass(frozen=True)
class Sizes:
    """The whole numbers that, with the weights, make a network. Each family has its own."""

    def __post_init__(self) -> None:
        for name, count in self.asdict().items():
            least = 0 if name in _MAY_BE_ZERO else 1
            if count < least:
                raise UsageError(f"expected an architecture with {name} of at least {least}, found {count}")

    def asdict(self) -> dict[str, int]:
        return asdict(self)

    @classmethod
    def names(cls) -> list[str]:
        return [field.name for field in fields(cls)]


_MAY_BE_ZERO = {"attention", "spatial"}


class Family(nn.Module):
    """A network that is made of a form and sizes alone; its children are `Decoder` and more.

    ``conditional``: it can be asked for a class. Only then has its form labels.
    """

    name: ClassVar[str]
    conditional: ClassVar[bool] = False
    sizes_type: ClassVar[type[Sizes]]
    form: Form

    def __init__(self, form: Form, sizes: Any) -> None:
        super().__init__()
        if not form.height:
            raise ModelError(f"the family {self.name} works on pictures of one size, found {form}")
        self.form = form
        self.sizes = sizes
