"""Every command has a module, a sentence in the overview, and an example in its help."""

import importlib
import pkgutil

import pytest
from click.testing import CliRunner

from agents.cli import COMMANDS, define, inspect, run, tidecast

PACKAGES = {"define": define, "run": run, "inspect": inspect}
HELPERS = {("define", name) for name in ("load_options", "publish_steps", "publish_summary", "starter")}
"""Modules next to the commands that are not commands."""


def test_every_module_is_a_command() -> None:
    found = {
        (package, module.name)
        for package, parent in PACKAGES.items()
        for module in pkgutil.iter_modules(parent.__path__)
    }
    listed = {(package, name.replace("-", "_")) for name, (package, _) in COMMANDS.items()}
    assert found - HELPERS == listed, "COMMANDS in agents/cli/__init__.py lists every command, and nothing else"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself_by_an_example(name: str) -> None:
    package, sentence = COMMANDS[name]
    module = importlib.import_module(f"agents.cli.{package}.{name.replace('-', '_')}")
    assert sentence.endswith(".")
    if getattr(module.command, "context_settings", {}).get("ignore_unknown_options"):
        return  # passed to another program, which has its own help
    shown = CliRunner().invoke(tidecast, [name, "--help"], terminal_width=120)
    assert shown.exit_code == 0
    assert f"tidecast {name}" in shown.output.partition("Usage:")[2].partition("\n")[2], "give an example in the help"
