"""Mappings between parts, held against pairs worked out by hand."""

from __future__ import annotations

import itertools

from core.models.matching import mappings
from core.models.parts import Part


def parts(*paths: str, kind: str = "norm") -> list[Part]:
    return [Part(path, at, {"": path}, ((kind, (8,)),)) for at, path in enumerate(paths)]


def named(file: list[Part], net: list[Part], most: int = 50) -> list[dict[str, str]]:
    return [{theirs.path: ours.path for theirs, ours in pairs} for pairs in mappings(file, net, most)]


def test_one_role_goes_by_its_numbers_in_whatever_order_the_file_has_them() -> None:
    file = parts("b.10.n", "b.2.n", "b.1.n")
    assert named(file, parts("x0", "x1", "x2")) == [{"b.1.n": "x0", "b.2.n": "x1", "b.10.n": "x2"}]


def test_roles_of_as_many_parts_answer_to_one_another() -> None:
    file = parts("short.0", "layer.0", "layer.1", "layer.2")
    net = parts("s.0.conv", "s.1.conv", "s.0.down", "s.2.conv")
    assert named(file, net) == [
        {"short.0": "s.0.down", "layer.0": "s.0.conv", "layer.1": "s.1.conv", "layer.2": "s.2.conv"}
    ]


def test_two_roles_that_may_change_places_give_two_mappings_the_one_in_order_first() -> None:
    file = parts("l.0.before", "l.0.after", "l.1.before", "l.1.after")
    straight, crossed = named(file, parts("b.0.n1", "b.0.n2", "b.1.n1", "b.1.n2"))
    assert straight == {"l.0.before": "b.0.n1", "l.0.after": "b.0.n2", "l.1.before": "b.1.n1", "l.1.after": "b.1.n2"}
    assert crossed == {"l.0.before": "b.0.n2", "l.0.after": "b.0.n1", "l.1.before": "b.1.n2", "l.1.after": "b.1.n1"}


def test_what_one_kind_says_of_roles_holds_for_the_others() -> None:
    """Two kinds, each with two ways: together two and not four."""
    names = [f"l.{block}.{role}" for block in (0, 1) for role in ("one", "two")]
    file = [*parts(*names[:2], kind="a"), *parts(*names[2:], kind="b")]
    theirs = [f"b.{block}.{role}" for block in (0, 1) for role in ("first", "second")]
    net = [*parts(*theirs[:2], kind="a"), *parts(*theirs[2:], kind="b")]
    found = named(file, net)
    assert len(found) == 2
    assert {(pairs["l.0.one"][-5:], pairs["l.1.one"][-5:]) for pairs in found} == {
        ("first", "first"),
        ("econd", "econd"),
    }


def test_the_order_of_roles_within_a_block_holds_for_all_kinds() -> None:
    """Blocks of two widths, as of Swin, whose two norms are one role in the network: together two and not four."""
    roles = ("after", "before")
    file = [part for block, kind in enumerate("ab") for part in parts(*(f"l.{block}.{r}" for r in roles), kind=kind)]
    net = [part for block, kind in enumerate("ab") for part in parts(*(f"b.{block}.n{n}" for n in (1, 2)), kind=kind)]
    found = named(file, net)
    assert len(found) == 2
    assert {(pairs["l.0.before"][-2:], pairs["l.1.before"][-2:]) for pairs in found} == {("n1", "n1"), ("n2", "n2")}


def test_a_role_of_the_file_may_be_several_of_the_network() -> None:
    file = parts("down.0", "down.1", "s.0.norm", "s.1.norm", "s.2.norm")
    net = parts("stem.1", "stages.0.n", "stages.1.n", "stages.2.n", "head.down")
    assert {"down.0": "stem.1", "down.1": "head.down", "s.0.norm": "stages.0.n", "s.1.norm": "stages.1.n",
            "s.2.norm": "stages.2.n"} in named(file, net)  # fmt: skip


def test_every_mapping_is_one_to_one_and_no_more_are_given_than_asked_for() -> None:
    file, net = parts(*"abcd"), parts(*"wxyz")
    found = named(file, net)
    assert len(found) == 24
    assert all(sorted(pairs) == list("abcd") and sorted(pairs.values()) == list("wxyz") for pairs in found)
    assert len({tuple(sorted(pairs.items())) for pairs in found}) == len(found)
    assert found[0] == dict(zip("abcd", "wxyz", strict=True)), "the order of the file first"
    assert len(named(file, net, most=5)) == 5


def test_roles_that_do_not_answer_to_one_another_go_by_order() -> None:
    file = parts("a.0", "a.1", "b.0", "b.1", "b.2")
    net = parts("x.0", "y.0", "y.1", "y.2", "y.3")
    assert dict(itertools.chain.from_iterable(pairs.items() for pairs in named(file, net)[:1])) == {
        "a.0": "x.0", "a.1": "y.0", "b.0": "y.1", "b.1": "y.2", "b.2": "y.3",
    }  # fmt: skip


def test_names_that_contradict_one_another_are_not_searched_for_ever() -> None:
    """Nine kinds of four parts each, in any order; and two that say otherwise of the same roles. By hand: 24 ^ 9."""
    file, net = [], []
    for kind in "abcdefghi":
        file += parts(*(f"{kind}{letter}" for letter in "wxyz"), kind=kind)
        net += parts(*(f"{kind}.{number}" for number in range(4)), kind=kind)
    for kind, (many, one) in (("p", "rs"), ("q", "sr")):
        free = [f"free{letter}" for letter in "wxyz"]
        file += parts(f"{many}.0", f"{many}.1", f"{one}.0", *free, kind=kind)
        net += parts("u.0", "u.1", "v.0", *(f"m.{number}" for number in range(4)), kind=kind)
    found = mappings(file, net, 13)
    assert len(found) == 13, "more than can be told apart"
    assert all(theirs.kind == ours.kind for pairs in found for theirs, ours in pairs)
