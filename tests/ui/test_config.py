"""Own keys, and the settings files that they and the options' defaults come from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from kdash.cli.dashboard import dashboard as dashboard_command
from kdash.cli.demo import demo
from kdash.cli.settings import load_settings, option_names
from kdash.ui.actions import ACTIONS
from kdash.ui.keys import BadKeys, key_name, own_keys, textual_key
from tests.ui.showing import screen_text
from tests.ui.spying import Spy, dashboard, footer, press

TABLE = [(action.id, action.keys) for action in ACTIONS]
NAMES = {"theme": "theme", "resync": "resync", "handler": "handlers", "kubeconfig": "kubeconfig", "ascii": "ascii_only",
         "metrics": "metrics_port"}


@pytest.mark.parametrize(("written", "key"), [
    ("G", "G"), ("z", "z"), ("F5", "f5"), ("/", "slash"), ("ctrl+e", "ctrl+e"),
    ("Ctrl+E", "ctrl+e"), ("PgUp", "pageup"),
    ("space", "space"), ("esc", "escape"), ("+", "plus"), ("?", "question_mark"), ("shift+F3", "shift+f3"),
    ("alt+x", "alt+x"), ("ctrl+/", "ctrl+slash"),
])
def test_keys_are_written_as_people_write_them(written: str, key: str) -> None:
    assert textual_key(written) == key


@pytest.mark.parametrize(("written", "words"), [
    ("spcae", "did you mean space"), ("hyper+x", "is no key"), ("ctrl+m", "is the same as enter"),
    ("ctrl+i", "is the same as tab"), ("ctrl+s", "it freezes terminals"), ("ctrl+b", "multiplexers"), ("", "is no key"),
    ("\x1b", "is no key"), ("漢", "is no key"),
])
def test_a_key_that_cannot_be_bound_says_why(written: str, words: str) -> None:
    with pytest.raises(BadKeys, match=words):
        textual_key(written)


def test_every_key_of_the_table_can_be_written() -> None:
    for _, keys in TABLE:
        for key in keys:
            if key_name(key) not in ("↑", "↓", "←", "→"):
                assert textual_key(key_name(key)) == key


@pytest.mark.parametrize(("wanted", "words"), [
    ({"zom": "z"}, 'no action "zom"; did you mean zoom'), ({"zoom": "r"}, "r is the key of both resync and zoom"),
    ({"zoom": 5}, "write a key in quotes"), ({"zoom": ["z", "spcae"]}, "zoom: "), ({"quit_now": "z"}, "the way out"),
    ({"zoom": "z", "wide": "z"}, "z is the key of both"),
])
def test_keys_in_conflict_are_refused_with_a_sentence(wanted: dict[str, object], words: str) -> None:
    with pytest.raises(BadKeys, match=words):
        own_keys(wanted, TABLE)


def test_two_actions_may_swap_their_keys() -> None:
    assert own_keys({"zoom": "w", "wide": "f", "pause": []}, TABLE) == {"zoom": ("w",), "wide": ("f",), "pause": ()}


async def test_own_keys_are_bound_shown_in_the_footer_and_in_the_help() -> None:
    spy = Spy()
    async with dashboard(spy, keys={"resync": ("f5",), "zoom": ()}) as (app, pilot):
        assert " f5 resync" in footer(app) and " f full" not in footer(app)
        await press(app, pilot, "r", "f")
        assert spy.orders == [] and not app.zoomed
        await press(app, pilot, "f5")
        assert spy.orders == [("resync_now",)]
        await press(app, pilot, "question_mark")
        assert "f5" in screen_text(app)


def files(tmp_path: Path, user: str = "", project: str = "") -> tuple[Path, Path]:
    folder = tmp_path / "project"
    folder.mkdir()
    if user:
        (tmp_path / "config.toml").write_text(user)
    if project:
        (folder / ".kdash.toml").write_text(project)
    return folder, tmp_path


def test_the_projects_file_counts_before_the_users(tmp_path: Path) -> None:
    settings = load_settings(NAMES, *files(tmp_path, 'theme = "mono"\nresync = "5s"\n[keys]\nzoom = "z"\n',
                                           'theme = "ansi"\n[keys]\nwide = "F2"\n'))
    assert settings.problem == ""
    assert settings.values == {"theme": "ansi", "resync": "5s"}
    assert settings.origins == {"theme": settings.project_file, "resync": settings.user_file}
    assert settings.keys == {"zoom": "z", "wide": "F2"}


@pytest.mark.parametrize(("user", "project", "words"), [
    ("teme = 1", "", 'there is no setting "teme"; did you mean "theme"'), ("theme = ", "", "is not valid TOML"),
    ('keys = "x"', "", "keys is a table"), ("[theme]\na = 1", "", "is a text, a number"),
    ("", 'kubeconfig = "evil"', 'a project\'s file cannot set "kubeconfig"'),
    ("", 'handler = ["x=evil.module:run"]', 'a project\'s file cannot set "handler"'),
    ("", 'handler = ["x=sleep:9s"]', 'a project\'s file cannot set "handler"'),
    ("", "metrics = 9999", 'a project\'s file cannot set "metrics"'),
    ("", 'record = "a.rec"', 'there is no setting "record"'),
])
def test_a_bad_file_is_one_sentence_with_its_path(tmp_path: Path, user: str, project: str, words: str) -> None:
    settings = load_settings(NAMES, *files(tmp_path, user, project))
    assert words in settings.problem and str(tmp_path) in settings.problem


def test_no_option_that_names_a_file_or_a_port_is_one_that_a_project_can_set(tmp_path: Path) -> None:
    """Also none that is added later."""
    folder, user = files(tmp_path)
    for command in (dashboard_command, demo):
        for option in command.params:
            if isinstance(option, click.Option) and (isinstance(option.type, click.Path) or option.metavar == "PORT"):
                name = next(each for each in option.opts if each.startswith("--"))[2:]
                (folder / ".kdash.toml").write_text(f'{name} = "1"')
                settings = load_settings(option_names((dashboard_command, demo)), folder, user)
                assert settings.problem and not settings.values, name


def test_no_files_mean_no_settings(tmp_path: Path) -> None:
    settings = load_settings(NAMES, tmp_path / "nowhere", tmp_path / "no" / "where")
    assert (settings.problem, settings.values, settings.keys, settings.found) == ("", {}, {}, [])
