"""Whoever is woken by an alert finds its page."""

import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted(ROOT.glob("observability/prometheus/*rules.yml"))
RULES = [
    rule
    for file in FILES
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_its_page(rule):
    file, anchor = rule["annotations"]["runbook"].split("#")
    assert anchor == rule["alert"].lower()
    assert f"## {rule['alert']}\n" in (ROOT / file).read_text()


def test_there_are_alerts():
    assert len(RULES) >= 4
