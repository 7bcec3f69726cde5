"""The whole on this machine, on loopback, from the project's own files.

`all`: MLflow, two models, two services behind the gateway, Prometheus, Alertmanager and drift, as
far as the project has them. A program that this machine lacks is named, and what it would prove is
left out; with `--strict` that is a failure. `ask`: one prediction from a service that runs.
"""

import argparse
import collections
import csv
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

NAME = «parameters.name»
ROOT = pathlib.Path(__file__).parent.parent
WORK = ROOT / "build/prove"
JSON = {"content-type": "application/json"}
HAS_MONITORING = (ROOT / "observability/prometheus/rules.yml").exists()
HAS_DRIFT = (ROOT / "observability/prometheus/drift_rules.yml").exists()
HAS_AB = (ROOT / "compose.ab.yaml").exists()
# What Debian calls it, and what its maker does.
PROGRAMS = {
    "nginx": ["nginx"],
    "prometheus": ["prometheus"],
    "alertmanager": ["prometheus-alertmanager", "alertmanager"],
    "pushgateway": ["prometheus-pushgateway", "pushgateway"],
}
children: list[subprocess.Popen] = []
started = time.monotonic()


def say(text: str) -> None:
    """A line of the proof, with the second in which it was reached."""
    print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)


def program(name: str) -> str | None:
    """Where a program is."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    return next((found for one in PROGRAMS[name] if (found := shutil.which(one, path=path))), None)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(*command: str, **environment: str) -> None:
    """Starts a program, whose words go to a file."""
    log = (WORK / f"{len(children)}-{pathlib.Path(command[0]).name}.log").open("w")
    environment = os.environ | environment
    children.append(subprocess.Popen(command, cwd=WORK, env=environment, stdout=log, stderr=log))


def run(*command: str, code: int = 0, **environment: str) -> str:
    """Runs a program to its end, which has to be the one that is expected."""
    environment = os.environ | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode != code:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def get(url: str, body: dict | None = None, **headers: str) -> dict:
    """What an address answers, as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, JSON | headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else {"text": text}


def status(url: str, body: str | None = None) -> int:
    """The status with which it answers."""
    request = urllib.request.Request(url, body and body.encode(), JSON)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def until(what: str, holds, seconds: float = 120) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return say(what)
        except OSError:
            pass
        for child in children:
            if child.poll() is not None:
                raise SystemExit(f"{child.args[0]} ended: see {WORK}/*.log")
        time.sleep(0.3)
    raise SystemExit(f"not within {seconds:.0f} s: {what}")


def check(what: str, holds: bool) -> None:
    """Something that has to hold now."""
    if not holds:
        raise SystemExit(f"it does not hold: {what}")
    say(what)


def webhook(port: int) -> list[str]:
    """Takes the alerts; their names come into the list."""
    alerts: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            alerts.extend(alert["labels"]["alertname"] for alert in body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return alerts


def rows(folder: pathlib.Path) -> list[dict[str, float]]:
    """What a model was trained on."""
    with (folder / "reference.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def registry() -> tuple[str, dict[str, pathlib.Path]]:
    """An MLflow with two versions; its address, and what is served of each."""
    port = free_port()
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    store = [f"--backend-store-uri=sqlite:///{WORK}/mlflow.db", f"--artifacts-destination={WORK}/a"]
    server = ["mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    start(*server, *store, "--serve-artifacts", **quiet)
    uri = f"http://127.0.0.1:{port}"
    until("MLflow answers", lambda: status(f"{uri}/health") == 200)
    mine = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    folders = {"stable": WORK / "stable", "candidate": WORK / "candidate"}
    say(run(f"{NAME}-train", "--algorithm=logistic", **mine))
    run(f"{NAME}-promote", f"--export={folders['stable']}", **mine)
    say(run(f"{NAME}-train", "--algorithm=forest", **mine))
    candidate = ["--alias=challenger", f"--export={folders['candidate']}"]
    run(f"{NAME}-promote", *candidate, **mine)
    return uri, folders


def services(folders: dict[str, pathlib.Path]) -> dict[str, int]:
    """Both variants, each on a port of its own."""
    ports = {}
    (WORK / "captured").mkdir()
    for variant, folder in folders.items():
        ports[variant] = free_port()
        mine = {"VARIANT": variant, "MODEL_DIR": str(folder), "CAPTURE_DIR": f"{WORK}/captured"}
        start("serve", HOST="127.0.0.1", PORT=str(ports[variant]), **mine)
    for variant, port in ports.items():
        url = f"http://127.0.0.1:{port}/readyz"
        until(f"{variant} is ready", lambda url=url: status(url) == 200)
    return ports


def gateway(ports: dict[str, int], nginx: str) -> int:
    """The project's own gateway, with the addresses of this machine in it."""
    port = free_port()
    text = (ROOT / "gateway/nginx.conf").read_text()
    text = re.sub(r"\n *resolver [^\n]*", "", text).replace("/tmp/", f"{WORK}/nginx-")
    text = text.replace("listen 8000", f"listen 127.0.0.1:{port}")
    for variant, name in (("candidate", "api-candidate"), ("stable", "api")):
        text = text.replace(f" {name}:8080", f" 127.0.0.1:{ports[variant]}")
    (WORK / "nginx.conf").write_text(text)
    start(nginx, "-c", str(WORK / "nginx.conf"), "-e", "stderr", "-g", "daemon off;")
    until("the gateway answers", lambda: status(f"http://127.0.0.1:{port}/readyz") == 200)
    return port


def monitoring(ports: dict[str, int], programs: dict[str, str]) -> tuple[int, int, list[str]]:
    """Prometheus, Alertmanager, the push gateway; two of the ports, and the alerts that arrive."""
    import yaml

    port = {name: free_port() for name in ("prometheus", "alertmanager", "pushgateway", "hook")}
    config = yaml.safe_load((ROOT / "observability/prometheus/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    folder = ROOT / "observability/prometheus"
    config["rule_files"] = [str(folder / file) for file in config["rule_files"]]
    address = {name: [f"127.0.0.1:{number}"] for name, number in port.items()}
    managers = {"static_configs": [{"targets": address["alertmanager"]}]}
    config["alerting"]["alertmanagers"] = [managers]
    address["model"] = [f"127.0.0.1:{number}" for number in ports.values()]
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": address[job["job_name"]]}]
    (WORK / "prometheus.yml").write_text(yaml.safe_dump(config))
    config = yaml.safe_load((ROOT / "observability/alertmanager/alertmanager.yml").read_text())
    config["global"] = {}
    config["route"]["group_wait"] = "1s"
    hook = [{"url": f"http://127.0.0.1:{port['hook']}/"}]
    names = [receiver["name"] for receiver in config["receivers"]]
    config["receivers"] = [{"name": name, "webhook_configs": hook} for name in names]
    (WORK / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def listen(name: str) -> str:
        return f"--web.listen-address={address[name][0]}"

    storage = [f"--storage.path={WORK}/alertmanager", "--cluster.listen-address="]
    config_file = f"--config.file={WORK}/alertmanager.yml"
    start(programs["alertmanager"], config_file, *storage, listen("alertmanager"))
    if HAS_DRIFT:
        start(programs["pushgateway"], listen("pushgateway"))
    storage = [f"--storage.tsdb.path={WORK}/prometheus"]
    config_file = f"--config.file={WORK}/prometheus.yml"
    start(programs["prometheus"], config_file, *storage, listen("prometheus"))
    for name in programs.keys() - {"nginx"}:
        url = f"http://{address[name][0]}/-/ready"
        until(f"{name} is ready", lambda url=url: status(url) == 200)
    return port["prometheus"], port["pushgateway"], webhook(port["hook"])


def f1(uri: str, run_id: str) -> float:
    """How good a run's model is, as MLflow has it."""
    metrics = get(f"{uri}/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]["data"]["metrics"]
    return next(metric["value"] for metric in metrics if metric["key"] == "f1")


def ask(port: int, known: list[dict], count: int) -> collections.Counter:
    """Asks as many clients would; how often each variant answered."""
    said: collections.Counter = collections.Counter()
    for number in range(count):
        row = known[number % len(known)]
        client = {"x-client": str(number)}
        answer = get(f"http://127.0.0.1:{port}/predict", {"rows": [row]}, **client)
        said[answer["variant"]] += 1
    return said


def whole(strict: bool) -> None:
    """The whole, in order."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    wanted = ["nginx"]
    wanted += ["prometheus", "alertmanager"] if HAS_MONITORING else []
    wanted += ["pushgateway"] if HAS_DRIFT else []
    programs = {name: program(name) for name in wanted}
    lacking = [name for name, found in programs.items() if not found]
    if lacking:
        say(f"NOT PROVEN, this machine lacks: {', '.join(lacking)}")
        if strict:
            raise SystemExit(1)

    uri, folders = registry()
    ports = services(folders)
    known = rows(folders["stable"])
    front = gateway(ports, programs["nginx"]) if programs["nginx"] else ports["stable"]
    watched = HAS_MONITORING and not set(lacking) & set(PROGRAMS) - {"nginx"}
    if watched:
        prometheus, pushgateway, alerts = monitoring(ports, programs)

    said = ask(front, known, 300)
    check(f"300 clients are answered: {dict(said)}", sum(said.values()) == 300)
    if programs["nginx"]:
        share = re.search(r"(\d+)% \S+;", (ROOT / "gateway/nginx.conf").read_text())
        weight = int(share[1]) if share else 0
        off = abs(said["candidate"] - 3 * weight)
        check(f"the candidate has about {weight} of 100", off <= (30 if HAS_AB else 0))
        check("the figures stay inside", status(f"http://127.0.0.1:{front}/metrics") == 404)
    body = json.dumps({"rows": [known[0] | {next(iter(known[0])): float("nan")}]})
    check("what is no number is refused", status(f"http://127.0.0.1:{front}/predict", body) == 422)

    captured = WORK / "captured"
    drift = [f"{NAME}-drift", f"--reference={folders['stable']}/reference.csv"]
    drift.append(f"--current={captured}")
    if watched:
        query = "sum(model_requests_total%7Broute=%22/predict%22%7D)"
        url = f"http://127.0.0.1:{prometheus}/api/v1/query?query={query}"

        def seen() -> float:
            result = get(url)["data"]["result"]
            return float(result[0]["value"][1]) if result else 0.0

        until("Prometheus has seen all of them", lambda: seen() == 301)
    if watched and HAS_DRIFT:
        drift.append(f"--gateway=127.0.0.1:{pushgateway}")
    say(f"as usual: {run(*drift)}")
    for file in captured.iterdir():
        file.unlink()
    spread = {name: statistics.pstdev(row[name] for row in known) for name in known[0]}
    moved = [{name: value + spread[name] for name, value in row.items()} for row in known]
    ask(front, moved, 300)
    if watched and HAS_DRIFT:
        time.sleep(4)
        check("no alert so far", not alerts)
    say(f"moved by their spread: {run(*drift, code=1)}")
    if watched and HAS_DRIFT:
        until("the alert arrives", lambda: "ModelDrift" in alerts)
    mine = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    last = run(f"{NAME}-promote", f"--export={WORK}/champion", **mine)
    facts = [json.loads((folder / "facts.json").read_text()) for folder in folders.values()]
    merit = {one["version"]: f1(uri, one["run"]) for one in facts}
    champion = json.loads(last)["version"]
    check(f"of {merit} version {champion} is the champion", merit[champion] == max(merit.values()))
    say("proven" + (f", but for what needs {', '.join(lacking)}" if lacking else ""))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["all", "ask"])
    parser.add_argument("--strict", action="store_true", help="a program that lacks is a failure")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "model")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="the service that is asked")
    args = parser.parse_args()
    if args.what == "ask":
        print(json.dumps(get(f"{args.url}/predict", {"rows": rows(args.model)[:1]})))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        whole(args.strict)
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait(20)


if __name__ == "__main__":
    main()
