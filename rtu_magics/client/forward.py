"""An attribute of one object that another keeps."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

from typing_extensions import Self

__all__ = ["Forward"]

T = TypeVar("T")


class Forward(Generic[T]):
    """An attribute that stands on one object and is kept by a part of it.

    Parameters
    ----------
    part
        The attributes that lead to the part, with dots; empty for the object itself.
    name
        The attribute's name there.
    doc
        What it is.

    Examples
    --------
    >>> class Engine:
    ...     speed = 0
    >>> class Car:
    ...     speed = Forward[int]("engine", "speed", "How fast it goes.")
    ...
    ...     def __init__(self):
    ...         self.engine = Engine()
    >>> car = Car()
    >>> car.speed = 3
    >>> car.engine.speed, Car.speed.__doc__
    (3, 'How fast it goes.')
    """

    def __init__(self, part: str, name: str, doc: str) -> None:
        self.__doc__ = doc
        self._name = name
        self._part = attrgetter(part) if part else None
        self._get = attrgetter(f"{part}.{name}" if part else name)

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: type) -> T: ...
    def __get__(self, owner: object | None, kind: type) -> T | Self:
        if owner is None:
            return self
        value: T = self._get(owner)
        return value

    def __set__(self, owner: Any, value: T) -> None:
        setattr(owner if self._part is None else self._part(owner), self._name, value)
