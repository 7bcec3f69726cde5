"""What an environment asks for (its manifests on standard input), against its budget.

Ends with 1 where it may cost more than it should. An autoscaler counts at its maximum; jobs, which
come and go, do not count; a price that nobody has looked at for half a year is told.
"""

import argparse
import datetime
import pathlib
import sys

import yaml

HOURS, OLD_DAYS = 730, 180
FACTORS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def amount(quantity: str | int | float) -> float:
    """A quantity of Kubernetes as a number: cores, or bytes."""
    text = str(quantity)
    number = text.rstrip("".join(set("".join(FACTORS))))
    return float(number) * (FACTORS[text[len(number) :]] if number != text else 1)


def asked(documents: list[dict]) -> dict[str, float]:
    """Cores, GiB of memory and GiB of storage that are asked for at most."""
    scalers = [d["spec"] for d in documents if d["kind"] == "HorizontalPodAutoscaler"]
    most = {spec["scaleTargetRef"]["name"]: spec["maxReplicas"] for spec in scalers}
    total = {"cpu": 0.0, "memory": 0.0, "storage": 0.0}
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] in ("Deployment", "StatefulSet"):
            count = most.get(document["metadata"]["name"], spec.get("replicas", 1))
            for container in spec["template"]["spec"]["containers"]:
                requests = container["resources"]["requests"]
                total["cpu"] += count * amount(requests["cpu"])
                total["memory"] += count * amount(requests["memory"]) / 2**30
        if document["kind"] == "PersistentVolumeClaim":
            total["storage"] += amount(spec["resources"]["requests"]["storage"]) / 2**30
    return total


def month(total: dict[str, float], price: dict) -> float:
    """What that costs a month."""
    hourly = total["cpu"] * price["cpu_hour"] + total["memory"] * price["memory_gib_hour"]
    return HOURS * hourly + total["storage"] * price["storage_gib_month"]


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("--budget", type=pathlib.Path, default="costs/budget.yaml")
    args = parser.parse_args(argv)
    budget = yaml.safe_load(args.budget.read_text())
    total = asked([document for document in yaml.safe_load_all(sys.stdin) if document])
    costs, limit = month(total, budget["price"]), budget["monthly"][args.environment]
    cost = f"{costs:.0f} of {limit} {budget['currency']} a month at most"
    parts = "{cpu:g} cores, {memory:g} GiB, {storage:g} GiB of storage".format(**total)
    print(f"{args.environment}: {cost}: {parts}")
    age = (datetime.datetime.now(datetime.UTC).date() - budget["price"]["as_of"]).days
    if age > OLD_DAYS:
        print(f"the prices in {args.budget} are {age} days old: look them up", file=sys.stderr)
    return int(costs > limit)


if __name__ == "__main__":
    raise SystemExit(main())
