"""How it works: for an engineer, in a few minutes, with the glossary that also feeds the help on every page."""

from __future__ import annotations

import streamlit as st

from dashboard import glossary, i18n
from dashboard.glossary import TERMS
from dashboard.i18n import t

PARTS = ("what", "map", "cure", "limits")
SOURCES = (
    ("Model-Contrastive Learning for Backdoor Elimination (MCL)", "ACM MM 2023", "https://arxiv.org/abs/2205.04411"),
    ("Neural Cleanse", "IEEE S&P 2019", "https://doi.org/10.1109/SP.2019.00031"),
    (
        "Better Trigger Inversion Optimization in Backdoor Scanning",
        "CVPR 2022",
        "https://doi.org/10.1109/CVPR52688.2022.01301",
    ),
    ("BadNets", "2017", "https://arxiv.org/abs/1708.06733"),
    ("Blended", "2017", "https://arxiv.org/abs/1712.05526"),
    ("SIG", "ICIP 2019", "https://arxiv.org/abs/1902.11237"),
    ("WaNet", "ICLR 2021", "https://arxiv.org/abs/2102.10369"),
    ("Label-consistent backdoor attacks", "2019", "https://arxiv.org/abs/1912.02771"),
    ("Input-aware dynamic backdoor attack", "NeurIPS 2020", "https://arxiv.org/abs/2010.08138"),
    ("LF", "ICCV 2021", "https://arxiv.org/abs/2104.03413"),
    ("SSBA", "ICCV 2021", "https://arxiv.org/abs/2012.03816"),
    ("Adap-Blend, Adap-Patch", "ICLR 2023", "https://openreview.net/forum?id=_wSHsgrVali"),
    ("Bypassing Backdoor Detection Algorithms in Deep Learning", "EuroS&P 2020", "https://arxiv.org/abs/1905.13409"),
    ("Deferred Backdoor Functionality Attacks", "2024", "https://openreview.net/forum?id=S5JCqTJyKj"),
    ("UMAP", "2018", "https://arxiv.org/abs/1802.03426"),
)


def page() -> None:
    """Four short parts, the words and figures, the sources."""
    st.title(t("about.title"), anchor=False)
    with st.container(key="prose"):
        halves = st.columns(2, gap="large")
    for number, part in enumerate(PARTS):
        with halves[number // 2]:
            st.subheader(i18n.t(f"about.{part}_title"), anchor=False)
            st.markdown(i18n.t(f"about.{part}"))
    st.subheader(t("about.terms_title"), anchor=False)
    with st.container(key="terms"):
        for key in TERMS:
            term = glossary.term(key)
            st.markdown(f"**{term.name}**  \n{term.text}")
    st.subheader(t("about.sources_title"), anchor=False)
    st.markdown("\n".join(f"- [{title}]({url}), {where}" for title, where, url in SOURCES))
