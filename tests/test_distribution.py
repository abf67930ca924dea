"""What is shipped beside the package agrees with it; wheel and sdist are built and installed by `.ci/run`."""

from pathlib import Path

import yaml

import latpred

ROOT = Path(__file__).parents[1]


def test_the_citation_has_the_version_and_the_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == latpred.__version__
    bibtex = (ROOT / "docs" / "cite.md").read_text(encoding="utf-8")
    for paper in citation["references"]:
        (identifier,) = (entry["value"] for entry in paper["identifiers"])
        assert identifier in bibtex
        assert paper["title"] in bibtex
        assert all(f"{author['family-names']}, {author['given-names']}" in bibtex for author in paper["authors"])


def test_the_workflow_runs_the_same_gate_on_every_supported_python():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    gate = workflow["jobs"]["gate"]
    assert gate["steps"][-1] == {"run": ".ci/run"}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for version in gate["strategy"]["matrix"]["python"]:
        assert f'"Programming Language :: Python :: {version}"' in project
    assert 'requires-python = ">=3.10"' in project
