"""The README shows what popkit really prints."""

from __future__ import annotations

import re

from tests.conftest import ROOT, popkit

README = (ROOT / "README.md").read_text()


def test_the_shown_output_is_the_real_one() -> None:
    shown = re.search(r"```console\n\$ popkit diagnose (\S+)\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    ran = popkit("diagnose", ROOT / shown[1])
    assert ran.stdout.decode() == shown[2]
    assert ran.returncode == 1


def test_every_command_it_names_exists() -> None:
    for command in set(re.findall(r"popkit (\w+) [A-Z]", README)):
        assert popkit(command, "--help").returncode == 0, command


def test_every_place_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
