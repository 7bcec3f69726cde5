"""Whether rows keep what contract.yaml promises: the part of ODCS 3.1 that a table needs."""

import pathlib

import pandas
import yaml

CONTRACT = pathlib.Path(__file__).with_name("contract.yaml")
TYPES = {
    "number": pandas.api.types.is_numeric_dtype,
    "integer": pandas.api.types.is_integer_dtype,
    "string": pandas.api.types.is_string_dtype,
    "boolean": pandas.api.types.is_bool_dtype,
    "date": pandas.api.types.is_datetime64_any_dtype,
    "timestamp": pandas.api.types.is_datetime64_any_dtype,
}
KNOWN = {"name", "logicalType", "description", "required", "unique", "logicalTypeOptions"}
# What rowCount may be held against.
COUNTS = {
    "mustBe": lambda has, limit: has == limit,
    "mustBeGreaterThan": lambda has, limit: has > limit,
    "mustBeLessThan": lambda has, limit: has < limit,
}


def read() -> dict:
    """The contract."""
    return yaml.safe_load(CONTRACT.read_text())


def columns() -> list[str]:
    """What it promises."""
    return [column["name"] for column in read()["schema"][0]["properties"]]


def broken(rows: pandas.DataFrame) -> list[str]:
    """Which promises the rows do not keep; what it does not understand is not kept either."""
    (table,) = read()["schema"]
    faults = []
    for rule in table.get("quality", []):
        (limit,) = [key for key in rule if key in COUNTS] or [None]
        if rule.get("metric") != "rowCount" or limit is None or len(rule) != 2:
            faults.append(f"nobody here can check {rule}")
        elif not COUNTS[limit](len(rows), rule[limit]):
            faults.append(f"{len(rows)} rows: {limit} {rule[limit]}")
    for column in table["properties"]:
        faults += [f"{column['name']}: {fault}" for fault in wrong(column, rows)]
    return faults


def wrong(column: dict, rows: pandas.DataFrame) -> list[str]:
    """The same of one column."""
    if column["name"] not in rows:
        return ["it is not there"]
    values, limits = rows[column["name"]], column.get("logicalTypeOptions", {})
    unknown = (column.keys() - KNOWN) | (limits.keys() - {"minimum", "maximum"})
    is_type = TYPES.get(column.get("logicalType"))
    checks = {
        f"nobody here can check {sorted(unknown)}": bool(unknown),
        f"it is no {column.get('logicalType')}": is_type is None or not is_type(values),
        "some are missing": column.get("required", False) and values.isna().any(),
        "some are there twice": column.get("unique", False) and values.duplicated().any(),
    }
    faults = [fault for fault, is_so in checks.items() if is_so]
    if not faults and "minimum" in limits and (values < limits["minimum"]).any():
        faults.append(f"some are below {limits['minimum']}")
    if not faults and "maximum" in limits and (values > limits["maximum"]).any():
        faults.append(f"some are above {limits['maximum']}")
    return faults


def hold(rows: pandas.DataFrame) -> None:
    """Nothing goes on where a promise is not kept."""
    if faults := broken(rows):
        raise SystemExit("the data contract is broken: " + "; ".join(faults))
