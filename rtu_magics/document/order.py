"""The order of a notebook's cells, as a ring of linked nodes.

A list would make every insertion, deletion and move cost as much as the notebook is long. Here each
is a handful of reference changes, whatever the number of cells.

One thread changes the order; others may read it meanwhile. A sequence number, odd while the ring is
being linked anew, tells a reader whether what it has just walked through is an order that there
was: the change costs two additions, and nobody waits for a lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ..models import CodeCell, MarkdownCell, RawCell

__all__ = ["Cell", "CellOrder", "Node"]

Cell: TypeAlias = CodeCell | MarkdownCell | RawCell


class Node:
    """A cell and its neighbours."""

    __slots__ = ("cell", "next", "prev")

    cell: Cell
    prev: Node
    next: Node


class CellOrder:
    """Cells in order; every change takes the same time.

    Attributes
    ----------
    root
        The node before the first cell and after the last. It holds no cell: inserting after it puts
        a cell on top.
    changes
        Grows with each change; odd while one is being made.

    Examples
    --------
    >>> order = CellOrder()
    >>> first = order.insert_after(order.root, CodeCell(id="a"))
    >>> last = order.insert_after(first, CodeCell(id="b"))
    >>> order.move_after(last, order.root)
    >>> [cell.id for cell in order]
    ['b', 'a']
    """

    __slots__ = ("changes", "root")

    def __init__(self) -> None:
        self.changes = 0
        self.root = root = Node()
        root.prev = root.next = root

    def insert_after(self, anchor: Node, cell: Cell) -> Node:
        """Put a cell after a node and return the new node."""
        node = Node()
        node.cell = cell
        self.changes += 1
        self._link(node, anchor)
        self.changes += 1
        return node

    def remove(self, node: Node) -> None:
        """Take a node out."""
        self.changes += 1
        self._unlink(node)
        self.changes += 1

    def move_after(self, node: Node, anchor: Node) -> None:
        """Put a node after another one, which must not be the node itself."""
        self.changes += 1
        self._unlink(node)
        self._link(node, anchor)
        self.changes += 1

    def replace(self, node: Node, cell: Cell) -> None:
        """Put another cell in a node's place."""
        self.changes += 1
        node.cell = cell
        self.changes += 1

    def snapshot(self) -> tuple[int, list[Cell]]:
        """Return the cells in an order that there was, and its number; from any thread."""
        while True:
            number = self.changes
            if number % 2 == 0:
                cells = list(self)
                if self.changes == number:
                    return number, cells

    @staticmethod
    def _unlink(node: Node) -> None:
        node.prev.next = node.next
        node.next.prev = node.prev

    @staticmethod
    def _link(node: Node, anchor: Node) -> None:
        following = anchor.next
        node.prev = anchor
        node.next = following
        anchor.next = node
        following.prev = node

    def __iter__(self) -> Iterator[Cell]:
        root = self.root
        node = root.next
        while node is not root:
            yield node.cell
            node = node.next
