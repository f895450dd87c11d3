"""Where one side of a bridge has changed, so that no more than that is compared; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Touched"]


@dataclass(slots=True)
class Touched:
    """What has changed since somebody looked.

    Attributes
    ----------
    cells, outputs
        Ids of cells with other content, and with other outputs, counts or execution states.
    replaced
        Ids of cells in whose place others were put.
    moved
        Ids of cells that somebody moved.
    order
        Whether cells came, went, moved or got another id.
    metadata
        Whether the notebook's metadata did.
    """

    cells: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    order: bool = False
    metadata: bool = False

    def __bool__(self) -> bool:
        return bool(self.cells or self.outputs or self.order or self.metadata)

    @property
    def content(self) -> bool:
        """Whether anything but outputs has changed."""
        return bool(self.cells or self.order or self.metadata)
