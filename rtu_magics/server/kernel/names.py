"""Which kernel a notebook is run on, by what somebody asks for and what the notebook says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import KernelUnknown
from ...models import installed_name

__all__ = ["choose_kernel", "language_of"]


def choose_kernel(
    wanted: str | None, metadata: Mapping[str, Any], default: str, languages: Mapping[str, str]
) -> tuple[str, str | None]:
    """Return the name of the kernel to start, and what people have to be told of that choice.

    Parameters
    ----------
    wanted
        What somebody asks for by name, None for the notebook's own.
    metadata
        The notebook's.
    default
        The server's default kernel, for a notebook that says nothing.
    languages
        The language of every installed kernel, by its name.

    Raises
    ------
    KernelUnknown
        Nothing that is installed fits.
    """
    if wanted is not None:
        return _by_name(wanted, languages), None
    spec = metadata.get("kernelspec")
    named = spec.get("name") if isinstance(spec, Mapping) else None
    named = named if isinstance(named, str) and named else None
    found = installed_name(named, languages) if named is not None else None
    if found is not None:
        return found, None
    language = language_of(metadata)
    if not language:
        return _by_name(named or default, languages), None
    fits = sorted(name for name, one in languages.items() if one.lower() == language.lower())
    if not fits:
        what = f"no kernel named {named[:80]!r}, and none" if named else "no kernel"
        raise KernelUnknown(f"{what} for {language[:40]}; {_listed(languages)}")
    chosen = default if default in fits else fits[0]
    if named is not None:
        return chosen, (
            f"the notebook names the kernel {named[:80]}, which is not installed here: "
            f"{chosen} speaks {language[:40]}, too"
        )
    if chosen == default:
        return chosen, None
    return chosen, f"the notebook names no kernel: {chosen} speaks {language[:40]} as it does"


def language_of(metadata: Mapping[str, Any]) -> str | None:
    """Return the language that a notebook says it is in, None if it says none."""
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        part = metadata.get(key)
        language = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(language, str) and language.strip():
            return language.strip()
    return None


def _by_name(name: str, languages: Mapping[str, str]) -> str:
    found = installed_name(name, languages)
    if found is None:
        raise KernelUnknown(f"no kernel named {name[:80]!r}; {_listed(languages)}")
    return found


def _listed(languages: Mapping[str, str]) -> str:
    return f"installed: {', '.join(sorted(languages)) or 'none'}"
