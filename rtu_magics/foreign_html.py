"""Other people's HTML, as it may stand in one's own page: `cleaned`.

A front end runs what a cell's outputs bring along: scripts, event handlers, frames. What came from
somebody whose outputs are not trusted is therefore built anew from what it says: text, tables,
lists, links to click, pictures that came with it. Nothing that was written is passed on as it was;
only elements, attributes and properties of the lists below are written, each value escaped. What
loads something (addresses of pictures, styles, fonts) would tell a foreign server who reads it, and
what has a name or a class could stand for something of the page. Pure: strings in, strings out.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from .foreign import shown

__all__ = ["LONGEST", "cleaned", "without_tex_links"]

LONGEST = 2_000_000  # characters of one output
_DEEPEST = 100  # elements in each other


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = frozenset(["br", "col", "hr", "img"])
_KEPT = _VOID | _names(
    """a abbr b bdi blockquote caption cite code colgroup dd del details dfn div dl dt em figcaption
    figure h1 h2 h3 h4 h5 h6 i ins kbd li mark ol p pre q s samp section small span strong sub
    summary sup table tbody td tfoot th thead time tr u ul var"""
)
# What stands in these is not text of the page, or is read by other rules than those of HTML.
_WITHOUT_CONTENT = _names(
    """applet audio canvas datalist embed frameset iframe map math noembed noframes noscript object
    option plaintext script select style svg template textarea title video xmp"""
)
_NUMBERS = frozenset(["colspan", "rowspan", "span", "start", "width", "height"])
_WORDS = {
    "align": frozenset(["left", "right", "center", "justify"]),
    "valign": frozenset(["top", "middle", "bottom", "baseline"]),
    "scope": frozenset(["row", "col", "rowgroup", "colgroup"]),
    "dir": frozenset(["ltr", "rtl", "auto"]),
    "open": frozenset(["", "open"]),
}
_TEXTS = frozenset(["alt", "title"])
_CLASSES = frozenset(["dataframe"])  # how front ends know pandas' tables

_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x20]+", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp|svg\+xml);base64,[A-Za-z0-9+/=\s]+")
_PROPERTIES = _names(
    """background-color border border-bottom border-collapse border-color border-left border-right
    border-spacing border-style border-top border-width color font-family font-size font-style
    font-variant font-weight line-height max-width min-width padding padding-bottom padding-left
    padding-right padding-top text-align text-decoration text-indent text-transform vertical-align
    white-space width word-break"""
)
_VALUE = re.compile(r"(?:[\w\s#.,%+-]|(?:rgb|rgba|hsl|hsla)\([\d\s.,%/]*\))*")
# Commands by which TeX in a page links, loads, names or styles something (MathJax, KaTeX).
_TEX = re.compile(
    r"\\(?=\s*(?:href|url|class|cssId|style|data|require|unicode|includegraphics|mmlToken|bbox|html))"
)


def cleaned(html: str) -> str:
    r"""Return HTML that says what another one says, and neither runs nor loads anything.

    Parameters
    ----------
    html
        A fragment, or a whole page.

    Returns
    -------
    str
        Well-formed. Of one that is longer than `LONGEST`, the beginning.

    Examples
    --------
    >>> cleaned('<b onclick="x()">one<script>two()</script></b><img src="http://x/y.png" alt="y">')
    '<b>one</b>[picture: y]'
    """
    writer = _Writer()
    writer.feed(html[:LONGEST])
    writer.close()
    return writer.written()


def without_tex_links(tex: str) -> bool:
    r"""Return whether TeX only says formulas: it links to, loads and styles nothing.

    Examples
    --------
    >>> without_tex_links(r"$\frac12$"), without_tex_links(r"\href{javascript:x()}{y}")
    (True, False)
    """
    return _TEX.search(tex) is None


class _Writer(HTMLParser):
    """Writes what it is fed anew."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._texts: list[str] = []  # which no element that is written parts
        self._open: list[str] = []
        self._left_out: list[str] = []  # elements whose content is left out, the outermost first

    def written(self) -> str:
        """Return all of it, with every element closed."""
        self._write("".join(f"</{tag}>" for tag in reversed(self._open)))
        return "".join(self._parts)

    def _write(self, element: str) -> None:
        if self._texts:
            self._parts.append(_text("".join(self._texts)))
            self._texts.clear()
        self._parts.append(element)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WITHOUT_CONTENT:
            self._left_out.append(tag)
        if self._left_out or tag not in _KEPT:
            return
        if tag == "img":
            self._write(_picture(dict(attrs)))
            return
        if tag not in _VOID:
            if len(self._open) >= _DEEPEST:
                return
            self._open.append(tag)
        self._write(f"<{tag}{_attributes(tag, attrs)}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # "/>" ends nothing in HTML but what has no content anyhow.
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._left_out:
            if tag in self._left_out:
                del self._left_out[self._left_out.index(tag) :]
        elif tag in self._open:
            while True:
                last = self._open.pop()
                self._write(f"</{last}>")
                if last == tag:
                    break

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self._texts.append(data)


def _text(text: str) -> str:
    # An element in a command is the end of it: the page's TeX sees none there.
    pieces = _TEX.split(shown(text, lines=True))
    return "\\<span></span>".join(escape(piece, quote=False) for piece in pieces)


def _attributes(tag: str, attrs: list[tuple[str, str | None]]) -> str:
    found: dict[str, str] = {}
    for name, value in attrs:
        kept = _attribute(tag, name, value or "")
        if kept is not None:
            found.setdefault(name, kept)
    if "href" in found:
        found |= {"target": "_blank", "rel": "noopener noreferrer nofollow"}
    return "".join(f' {name}="{escape(value)}"' for name, value in found.items())


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute, None if it is left out."""
    if name in _NUMBERS:
        return value if re.fullmatch(r"[0-9]{1,4}", value) else None
    if name in _WORDS:
        return value.lower() if value.lower() in _WORDS[name] else None
    if name in _TEXTS:
        return shown(value)
    if name == "class":
        return " ".join(one for one in value.split() if one in _CLASSES) or None
    if name == "href" and tag == "a":
        return value.strip() if _LINK.fullmatch(value.strip()) else None
    if name == "style":
        return _style(value) or None
    return None


def _style(text: str) -> str:
    found = []
    for one in text.split(";"):
        name, _, value = one.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in _PROPERTIES and value and _VALUE.fullmatch(value):
            found.append(f"{name}: {value}")
    return "; ".join(found)


def _picture(attrs: dict[str, str | None]) -> str:
    source, alt = (attrs.get("src") or "").strip(), attrs.get("alt") or ""
    if not _PICTURE.fullmatch(source):
        name = shown(alt, width=100)
        return escape(f"[picture: {name}]" if name else "[picture]", quote=False)
    kept = {"src": "".join(source.split()), "alt": shown(alt, width=1000)}
    for name in ("width", "height"):
        value = attrs.get(name) or ""
        if re.fullmatch(r"[0-9]{1,4}", value):
            kept[name] = value
    return f"<img{''.join(f' {name}={chr(34)}{escape(v)}{chr(34)}' for name, v in kept.items())}>"
