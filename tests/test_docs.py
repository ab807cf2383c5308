"""What the documents show of the charts is what the charts are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparkads.workflows import WORKFLOWS
from statewright.diagram import markdown, mermaid

ROOT = Path(__file__).parents[1]
CHARTS = {workflow.chart.__name__: workflow.chart for workflow in WORKFLOWS.values()}
DOCUMENTS = ["README.md", "docs/lifecycle.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_picture_and_table_of_a_chart_is_as_the_chart_is(document):
    text = (ROOT / document).read_text()
    for kind, name in re.findall(r"<!-- (chart|table): (\w+) -->", text):
        shown = f"```mermaid\n{mermaid(CHARTS[name])}```" if kind == "chart" else markdown(CHARTS[name])
        assert f"<!-- {kind}: {name} -->\n{shown}" in text, f"{document}: make the {kind} of {name} anew"


@pytest.mark.parametrize("name", ["VideoCodeChart", "SparkAdChart", "PostChart", "IdentityChart"])
def test_the_lifecycle_tells_of_every_state_and_every_arrow(name):
    text = (ROOT / "docs/lifecycle.md").read_text()
    workflow = next(workflow for workflow in WORKFLOWS.values() if workflow.chart.__name__ == name)
    for word in (*workflow.decisions.states, *workflow.decisions.events):
        assert word.replace("_", " ") in text


def test_every_decision_is_listed():
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text()
    for decision in folder.glob("0*.md"):
        assert decision.name in listed
        assert decision.read_text().splitlines()[0].removeprefix("# ") in listed
