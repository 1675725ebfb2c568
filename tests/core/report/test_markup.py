from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from core.report.markup import Markup, el, join


class Seen(HTMLParser):
    """What a browser makes of it: the elements, their attributes, the text."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("nobody asked for a comment")

    handle_decl = unknown_decl = handle_pi = handle_comment


NASTY = st.text(st.sampled_from("<>&\"'/=!- \\`abscriptonerror;\u3042\u202e")) | st.text(
    st.characters(codec="utf-8", exclude_characters="\r\x00")
)


@given(NASTY, NASTY)
def test_text_and_attributes_arrive_as_they_were_and_make_no_element(text: str, value: str) -> None:
    seen = Seen(el("p", "a", text, "b", title=value))
    assert seen.tags == ["p"]
    assert seen.attributes == [("title", value)]
    assert seen.text == f"a{text}b"


@given(NASTY)
def test_side_by_side_is_as_safe_as_inside(text: str) -> None:
    seen = Seen(join(text, el("b", text)))
    assert seen.tags == ["b"]
    assert seen.text == text + text


def test_markup_is_kept_and_nothing_is_left_out_silently() -> None:
    assert el("ul", el("li", "1 < 2"), None, Markup("<li>ours</li>")) == "<ul><li>1 &lt; 2</li><li>ours</li></ul>"


def test_attributes_are_named_and_numbers_short() -> None:
    assert el("img", cls="a", aria_label=None, width=1.5, height=2.0) == '<img class="a" width="1.5" height="2">'
