from __future__ import annotations

from core.models.parts import parts_of, same_parts, structures_in

CONV: dict[str, tuple[int, ...]] = {
    "a.conv.weight": (8, 3, 3, 3), "a.norm.weight": (8,), "a.norm.bias": (8,), "a.norm.running_mean": (8,),
    "a.norm.running_var": (8,), "a.norm.num_batches_tracked": (), "head.weight": (5, 8), "head.bias": (5,),
}  # fmt: skip


def test_what_belongs_to_one_module_is_one_part() -> None:
    parts = {part.path: part for part in parts_of(CONV)}
    assert list(parts) == ["a.conv", "a.norm", "head"]
    assert set(parts["a.norm"].tensors) == {"weight", "bias", "running_mean", "running_var", "counter"}
    assert parts["head"].kind == (("bias", (5,)), ("weight", (5, 8)))


def test_names_of_other_frameworks() -> None:
    theirs = {"n.gamma": (8,), "n.beta": (8,), "n.moving_mean": (8,), "n.moving_variance": (8,)}
    ours = {"m.weight": (8,), "m.bias": (8,), "m.running_mean": (8,), "m.running_var": (8,)}
    assert same_parts(parts_of(theirs), parts_of(ours))
    (scale,) = parts_of({"block.gamma": (8, 1, 1)})
    assert (scale.path, scale.kind) == ("block.gamma", (("", (8,)),)), "a gamma alone scales a layer"


def test_projections_of_torchs_attention_are_one_module() -> None:
    (part,) = parts_of({"attn.in_proj_weight": (24, 8), "attn.in_proj_bias": (24,)})
    assert part.path == "attn.in_proj"
    assert same_parts([part], parts_of({"qkv.weight": (24, 8), "qkv.bias": (24,)}))


def test_roles_and_numbers() -> None:
    (part,) = parts_of({"layer2.10.conv1.weight": (1, 2)})
    assert (part.role, part.numbers) == ("layer#.#.conv#", (2, 10, 1))


def test_classes_channels_and_the_first_kernel_do_not_count() -> None:
    def of(more: dict[str, tuple[int, ...]]) -> set[str]:
        return {hashed for hashed, _, _ in structures_in(CONV | more)}

    (first,) = of({})
    assert of({"head.weight": (9, 8), "head.bias": (9,), "a.conv.weight": (8, 1, 7, 7)}) == {first}
    assert of({"a.norm.weight": (16,)}) != {first}
    assert [(classes, tuple(stem or ())) for _, classes, stem in structures_in(CONV)] == [(5, (8, 3, 3, 3))]


def test_a_file_of_countless_shapes_is_not_hashed_for_hours() -> None:
    many = {f"{at}.weight": (at + 2, at + 3) for at in range(600)}
    assert list(structures_in(CONV | many)) == []
    assert list(structures_in(CONV | {f"{at}.weight": (2, 3) for at in range(6000)})) == []
