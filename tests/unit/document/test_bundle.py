"""Of a mimebundle the protocol shows one content."""

from rtu_magics.document import best_mimetype, bundle_content, is_binary
from rtu_magics.models import OutputContent

PNG = {"text/plain": "<Figure>", "image/png": "iVBORw0KGgo="}


def test_the_richest_representation_is_shown() -> None:
    assert best_mimetype({"text/plain": "df", "text/html": "<table>"}) == "text/html"
    assert best_mimetype(PNG) == "image/png"
    assert best_mimetype({"application/vnd.x+json": {}, "text/plain": "x"}) == "text/plain"
    assert best_mimetype({"application/vnd.x+json": {}}) == "application/vnd.x+json"
    assert best_mimetype({}) == "text/plain"


def test_the_content_is_a_string() -> None:
    assert bundle_content({"text/plain": ["a\n", "b"]}).raw == "a\nb"
    assert bundle_content({"application/json": {"a": "é"}}).raw == '{"a": "é"}'
    assert bundle_content({}).raw == ""


def test_what_is_binary_or_large_goes_by_link() -> None:
    def link(mimetype: str) -> str:
        return f"/blob/{mimetype}"

    assert bundle_content(PNG, link) == OutputContent(mimetype="image/png", url="/blob/image/png")
    large = {"text/plain": "x" * 20}
    assert bundle_content(large, link, max_inline=19).url == "/blob/text/plain"
    assert bundle_content(large, link, max_inline=20).raw == "x" * 20
    assert bundle_content(PNG, lambda mimetype: None).raw == "iVBORw0KGgo="
    assert bundle_content(PNG).raw == "iVBORw0KGgo="


def test_drawings_are_text() -> None:
    assert not is_binary("image/svg+xml")
    assert is_binary("image/png")
    assert is_binary("audio/wav")
    assert is_binary("application/pdf")
    assert not is_binary("text/html")
