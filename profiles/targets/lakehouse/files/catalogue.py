"""What is in the lakehouse, for people: each table, its columns, and what it was made of."""

import pathlib

import contract
import lakehouse
import lineage
from deltalake import DeltaTable
from lineage import ROOT

FILE = ROOT / "catalogue/README.md"
# What the contract speaks of is the same in these.
PROMISED = ("silver", "gold")


def table(name: str) -> list[str]:
    """The page's part on one table."""
    delta = DeltaTable(f"{lakehouse.LAKE}/{name}")
    promised = contract.read()["schema"][0]["properties"] if name in PROMISED else []
    promised = {column["name"]: column.get("description", "promised") for column in promised}
    made, *_ = lineage.chain(name)
    source = ", ".join(f"{one} {version}".strip() for one, version in made.get("of", {}).items())
    rows = delta.to_pyarrow_dataset()
    lines = [f"## {name}", "", f"{rows.count_rows()} rows, version {delta.version()}"]
    lines[-1] += f", made of {source}." if source else "."
    lines += ["", "| column | type | what the contract says |", "|---|---|---|"]
    for field in rows.schema:
        lines.append(f"| {field.name} | {field.type} | {promised.get(field.name, '')} |")
    return [*lines, ""]


def write() -> pathlib.Path:
    """Writes the catalogue."""
    about = contract.read()
    lines = [f"# {lineage.NAME}", "", about["description"]["purpose"], ""]
    lines += [f"What silver and gold promise: governance/contract.yaml, {about['version']}.", ""]
    for name in lakehouse.TABLES:
        lines += table(name)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("\n".join(lines))
    return FILE
