"""Vision transformers of any size (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929; DeiT, arXiv 2012.12877).

The names of the tensors are timm's. A file tells depth, widths, patches and the size of the images; only the number of
heads leaves no trace in the weights: each usual one is a candidate, and the clean images decide.
``vit-d6-w64-m128-p4-s32-h4``: depth, width, width of the MLP, pixels of a patch, of the image, heads; with ``-nobias``
queries, keys and values have no bias; with ``-mean`` there is no class token and the patches are averaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from core.models.index import Shapes

_NAME = re.compile(r"vit-d(\d{1,2})-w(\d{1,4})-m(\d{1,5})-p(\d{1,2})-s(\d{1,4})-h(\d{1,2})(-nobias)?(-mean)?")
HEADS = (1, 2, 3, 4, 6, 8, 12, 16)
WIDTHS = (8, 128)  # of one head
USUAL_HEAD_WIDTH = 64  # of nearly all published networks
ONLY_USUAL_FROM = 384  # from this width on, all that are published have heads of 64; to try others would take minutes


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        count, length, dim = x.shape
        q, k, v = self.qkv(x).view(count, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(count, length, dim))


class MLP(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Normalised before attention and MLP, each beside a shortcut."""

    def __init__(self, dim: int, hidden: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, 1e-6)
        self.attn = Attention(dim, heads, bias)
        self.norm2 = nn.LayerNorm(dim, 1e-6)
        self.mlp = MLP(dim, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Patches(nn.Module):
    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Takes images (n, channels, size, size) and no others.

    Args:
        num_classes: outputs. depth: blocks. dim: width. hidden: of the MLP. patch, size: pixels. heads: of attention.
        bias: of queries, keys and values. mean: no class token, the mean of all patches instead.
        channels: of the input.
    """

    def __init__(
        self, num_classes: int, depth: int, dim: int, hidden: int, patch: int, size: int, heads: int,
        bias: bool = True, mean: bool = False, channels: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cls_token = None if mean else nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + (not mean), dim))
        self.patch_embed = Patches(channels, dim, patch)
        self.blocks = nn.Sequential(*(Block(dim, hidden, heads, bias) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, 1e-6)
        self.head = nn.Linear(dim, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1)
        x = self.norm(self.blocks(x + self.pos_embed))
        return self.head(x.mean(1) if self.cls_token is None else x[:, 0])


def build_vit(arch: str, num_classes: int, channels: int = 3) -> nn.Module | None:
    """The network of that name; None if it is no such name."""
    found = _NAME.fullmatch(arch)
    if found is None:
        return None
    depth, dim, hidden, patch, size, heads = map(int, found.groups()[:6])
    if min(depth, dim, hidden, patch, size, heads) < 1 or dim % heads or size % patch:
        return None
    return VisionTransformer(
        num_classes, depth, dim, hidden, patch, size, heads, not found[7], bool(found[8]), channels
    )  # fmt: skip


def size_of(arch: str) -> tuple[int, int] | None:
    """Height and width of its images; None of any other network."""
    found = _NAME.match(arch)
    return (int(found[5]), int(found[5])) if found else None


def options(shapes: Shapes) -> Iterator[tuple[str, int, int]]:
    """Names, classes and channels of the transformers whose shapes these are, by whatever names.

    One for each number of heads that is usual, first the one that gives heads of 64.
    """
    fours = [shape for shape in shapes.values() if len(shape) == 4]
    if len(fours) != 1 or fours[0][2] != fours[0][3] or fours[0][1] not in (1, 3):
        return
    dim, channels, patch, _ = fours[0]
    tables = [tuple(shape) for shape in shapes.values() if len(shape) == 2]
    depth = tables.count((3 * dim, dim))
    hidden = {a for a, b in tables if b == dim and tables.count((a, dim)) >= depth and tables.count((dim, a)) >= depth}
    hidden -= {dim, 3 * dim} if tables.count((3 * dim, dim)) == depth else set()
    if not depth or len(hidden) != 1:
        return
    bias = sum(tuple(shape) == (3 * dim,) for shape in shapes.values()) >= depth
    tokens = {_length(shape, dim) for shape in shapes.values()} - {0}
    heads = [count for count in HEADS if dim % count == 0 and WIDTHS[0] <= dim // count <= WIDTHS[1]]
    heads.sort(key=lambda count: abs(dim // count - USUAL_HEAD_WIDTH))
    heads = heads[:1] if dim >= ONLY_USUAL_FROM and dim % USUAL_HEAD_WIDTH == 0 else heads
    for classes in sorted({a for a, b in tables if b == dim and tables.count((a, b)) == 1 and a > 1}):
        for length in tokens - {1}:
            mean = 1 not in tokens
            side = round((length - (not mean)) ** 0.5)
            if side * side + (not mean) != length:
                continue
            for count in heads:
                ends = ("" if bias else "-nobias") + ("-mean" if mean else "")
                (mlp,) = hidden
                yield f"vit-d{depth}-w{dim}-m{mlp}-p{patch}-s{side * patch}-h{count}{ends}", classes, channels


def _length(shape: Sequence[int], dim: int) -> int:
    """Of (1, length, dim), as position embeddings and tokens are; 0 of everything else."""
    return shape[1] if len(shape) == 3 and shape[0] == 1 and shape[2] == dim else 0
