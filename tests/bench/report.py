"""Turns what was measured into tables, prints them, and writes them into the page.

    report.py RESULTS PAGE

RESULTS is a folder with one JSON file for each part. Tables of parts that were not measured this time stay in the page
as they are.
"""

import json
import re
import sys
from pathlib import Path
from statistics import median

BEGIN, END = "<!-- measured:begin -->", "<!-- measured:end -->"
PARTS = {
    "noop": "Nothing to do",
    "plan": "Planning",
    "detect": "Looking at the machine",
    "conda": "Conda",
    "load": "Load",
    "first": "The first run",
    "size": "Size",
}


def seconds(value: float) -> str:
    if value < 0.1:
        return f"{value * 1000:.1f} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def verdict(measured: float, reach: float | None, aim: float | None, *, more_is_better: bool) -> str:
    def met(limit: float) -> bool:
        return measured >= limit if more_is_better else measured <= limit

    said = [
        f"{name} {'met' if met(limit) else 'missed'}"
        for name, limit in (("reach", reach), ("aim", aim))
        if limit is not None
    ]
    return ", ".join(said)


def times(value: float) -> str:
    return f"{value:.0f}×" if value >= 10 else f"{value:.2f}×"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 2) + ["---"], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shape(row: dict) -> list[str]:
    all_times = row["times"]
    spread = f"{seconds(min(all_times))} – {seconds(max(all_times))}"
    return [row["name"], seconds(median(all_times)), spread, str(len(all_times))]


def quick(rows: list[dict]) -> str:
    """The first row is aitk's; the others say how many times as long they take."""
    ours = median(rows[0]["times"])
    lines = []
    for index, row in enumerate(rows):
        if "times" not in row:
            lines.append([row["name"], "–", "–", "–", "–", "–", "–", row["missing"]])
            continue
        reach, aim = row.get("reach"), row.get("aim")
        if index == 0:
            said = verdict(ours, reach, aim, more_is_better=False)
            lines.append([*shape(row), "", seconds(reach) if reach else "", seconds(aim) if aim else "", said])
        else:
            # Of others more times as long is better; the same in another language takes so many times as long at the most.
            ratio, most = median(row["times"]) / ours, row.get("at_most")
            said = verdict(ratio, most or reach, aim, more_is_better=most is None)
            reach = f"≤ {most:.3g}×" if most else f"{reach:.3g}×" if reach else ""
            lines.append([*shape(row), times(ratio), reach, f"{aim:.3g}×" if aim else "", said])
    header = ["", "median", "fastest – slowest", "runs", "time / aitk's", "reach", "aim", ""]
    return table(header, lines)


def first(groups: list[dict]) -> str:
    told = []
    for group in groups:
        rounds = group["rounds"]
        columns = {
            "`aitk apply`": [r["aitk"] for r in rounds],
            "apt-get alone": [r["apt"] for r in rounds],
            "uv alone": [r["uv"] for r in rounds],
            "the checks alone": [r["checks"] for r in rounds],
        }
        floor = [max(r["apt"], r["uv"]) + r["checks"] for r in rounds]
        ratio = median(columns["`aitk apply`"]) / median(floor)
        lines = [[*shape({"name": name, "times": values}), "", "", "", ""] for name, values in columns.items()]
        lines.append([*shape({"name": "max(apt-get, uv) + checks", "times": floor}), "", "", "", ""])
        lines[0][4:] = [times(ratio), "1.25×", "1.05×", verdict(ratio, 1.25, 1.05, more_is_better=False)]
        header = [
            f"framework: {group['framework']}", "median", "fastest – slowest", "runs",
            "aitk / (max(apt-get, uv) + checks)", "reach", "aim", "",
        ]
        told.append(table(header, lines))
    told.append(size([
        {
            "name": f"most memory of `aitk apply`, framework: {group['framework']}",
            "bytes": group["memory"], "reach": 64, "aim": 32,
        }
        for group in groups
    ]))
    return "\n\n".join(told)


def size(rows: list[dict]) -> str:
    """All in MB of 10⁶ bytes; of several runs the one that took most."""
    lines = []
    for row in rows:
        value = max(row["bytes"]) / 1e6
        reach, aim = row["reach"], row["aim"]
        said = verdict(value, reach, aim, more_is_better=False)
        runs = str(len(row["bytes"]))
        lines.append([
            row["name"], f"{value:.1f} MB", runs, f"{reach} MB" if reach else "", f"{aim} MB" if aim else "", said,
        ])
    return table(["", "most", "runs", "reach", "aim", ""], lines)


def load(rows: list[dict]) -> str:
    """Each command with the fewest and with the most environments."""
    least, most = (pick(row["environments"] for row in rows) for pick in (min, max))
    few, many = ({row["command"]: row for row in rows if row["environments"] == count} for count in (least, most))
    lines = []
    for command, row in many.items():
        memory = max(row["bytes"]) / 1e6
        before, after = median(few[command]["times"]), median(row["times"])
        said = verdict(memory, 64, None, more_is_better=False)
        lines.append([f"`aitk {command}`", seconds(before), seconds(after), times(after / before), f"{memory:.1f} MB", "64 MB", said])
    header = ["environments:", str(least), str(most), "times", f"most memory with {most}", "reach", ""]
    return table(header, lines)


CONDA = {
    "cold": "Nothing in any cache:",
    "warm": "Built anew, all caches warm:",
    "again": "Nothing to do:",
    "memory": "Memory while solving, nothing in the cache:",
}


def conda(rows: list[dict]) -> str:
    """One table for each of CONDA."""
    told = []
    for name, title in CONDA.items():
        part = [row for row in rows if row["table"] == name]
        if part:
            told += [title, (size if name == "memory" else quick)(part)]
    return "\n\n".join(told)


def section(part: str, result: dict) -> str:
    told = {"conda": conda, "load": load, "first": first, "size": size}.get(part, quick)(result["rows"])
    return f"### {PARTS[part]}\n\n_{result['where']}_\n\n{told}\n"


def main() -> None:
    folder, page = Path(sys.argv[1]), Path(sys.argv[2])
    text = page.read_text()
    before, rest = text.split(BEGIN, 1)
    old, after = rest.split(END, 1)
    titles = {title: part for part, title in PARTS.items()}
    sections = {}
    for part in re.split(r"(?m)^(?=### )", old):
        title = part.partition("\n")[0].removeprefix("### ")
        if title in titles:
            sections[titles[title]] = part.strip() + "\n"
    for part in PARTS:
        file = folder / f"{part}.json"
        if file.exists():
            sections[part] = section(part, json.loads(file.read_text()))
            print(sections[part])
    inside = "\n".join(sections[part] for part in PARTS if part in sections)
    page.write_text(f"{before}{BEGIN}\n\n{inside}\n{END}{after}")


main()
