"""Attributes of an object that are those of one of its parts."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

__all__ = ["Held", "Seen"]

T = TypeVar("T")
H = TypeVar("H", bound="Seen[Any]")


class Seen(Generic[T]):
    """An attribute that one of an object's parts has, to be read only.

    Parameters
    ----------
    where
        The way to it from the object, with dots.
    doc
        What it is.
    """

    def __init__(self, where: str, doc: str) -> None:
        *self._way, self._name = where.split(".")
        self.__doc__ = doc

    def _part(self, whole: object) -> Any:
        for name in self._way:
            whole = getattr(whole, name)
        return whole

    @overload
    def __get__(self: H, whole: None, owner: type) -> H: ...

    @overload
    def __get__(self, whole: object, owner: type) -> T: ...

    def __get__(self, whole: object | None, owner: type) -> Any:
        return self if whole is None else getattr(self._part(whole), self._name)

    def __set__(self, whole: object, value: Any) -> None:
        raise AttributeError(f"{self._name} cannot be set")


class Held(Seen[T]):
    """The same, which may be set there, too."""

    def __set__(self, whole: object, value: T) -> None:
        setattr(self._part(whole), self._name, value)
