from __future__ import annotations

import argparse

import pytest

from core.cli import options
from core.errors import BadInput


def parsed(*arguments: str) -> argparse.Namespace:
    parser = options.Parser(prog="tool", formatter_class=options.Help)
    options.add_settings(parser, "--set", "a setting")
    options.add_settings(parser, "--attack-set", "a setting of the attack")
    options.add_seed(parser, "of the order")
    options.add_json(parser)
    parser.add_argument("--clean-budget", type=options.budget, default=0.05)
    parser.add_argument("--defences", type=options.names, default=[])
    return parser.parse_args(list(arguments))


def test_settings_are_gathered_as_numbers_lists_and_words_each_under_its_own_name() -> None:
    given = parsed("--set", "epochs=2", "--set", "lr=[0.1,0.01]", "--set", "name=none=all", "--attack-set", "side=3")
    assert given.settings == {"epochs": 2, "lr": [0.1, 0.01], "name": "none=all"}
    assert given.attack_set == {"side": 3}


def test_true_and_false_are_read_as_json_and_as_python_write_them() -> None:
    given = parsed(*(f"--set={name}={name}" for name in ("true", "True", "false", "False", "TRUE")))
    assert given.settings == {"true": True, "True": True, "false": False, "False": False, "TRUE": "TRUE"}


def test_settings_of_one_call_are_not_those_of_the_next() -> None:
    parser = options.Parser()
    options.add_settings(parser, "--set", "a setting")
    assert parser.parse_args(["--set", "epochs=2"]).settings == {"epochs": 2}
    assert parser.parse_args([]).settings == {}


@pytest.mark.parametrize(("text", "budget"), [("0.05", 0.05), ("5%", 0.05), ("1e-2", 0.01), ("500", 500), ("-3", -3)])
def test_a_budget_is_a_share_or_a_number_of_images(text: str, budget: float) -> None:
    given = parsed(f"--clean-budget={text}").clean_budget
    assert given == pytest.approx(budget)
    assert isinstance(given, type(budget))


def test_names_are_split_at_commas_and_empty_ones_left_out() -> None:
    assert parsed("--defences", "fp, nc,,").defences == ["fp", "nc"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "epochs"], "'epochs' is not of the form NAME=VALUE"),
        (["--set", "=2"], "'=2' is not of the form NAME=VALUE"),
        (["--clean-budget", "some"], "'some' is neither a share"),
        (["--clean-budget", "five%"], "'five%' is neither a share"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parsed(*arguments)
    err = capsys.readouterr().err
    assert left.value.code == options.BAD_INPUT
    assert said in err
    assert err.endswith("see tool --help\n")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("text", ["0", str(2**32 - 1)])
def test_a_seed_is_what_every_generator_takes(text: str) -> None:
    assert parsed("--seed", text).seed == int(text)


@pytest.mark.parametrize("text", ["-1", str(2**32)])
def test_a_seed_beyond_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parsed("--seed", text)
    assert caught.value.code == "bad_seed"
    assert text in caught.value.message


def test_help_shows_defaults_that_say_something() -> None:
    parser = options.Parser(formatter_class=options.Help)
    options.add_seed(parser, "of the order")
    options.add_json(parser)
    options.add_settings(parser, "--set", "a setting")
    text = parser.format_help()
    assert "of the order (default: 0)" in text
    assert text.count("default") == 1
