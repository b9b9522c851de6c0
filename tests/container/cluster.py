"""The cluster of docker-compose.yml under test: its containers, and Cairn inside and outside.

Used by container_test.py and steps.py alone.
"""

import hashlib
import json
import os
import random
import select
import socket
import subprocess
import time

from host import Failure, run, wait_until

PROJECT = "cairn-container-test"
IMAGE = "cairn-container-test:prebuilt"
MIB = 1 << 20


def content_of(seed, size):
    return random.Random(seed).randbytes(size)


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class Cluster:
    def __init__(self, engine, root, build):
        self.engine = engine
        self.root = root
        self.client = build / "bin" / "cairn"
        self.files = {}  # path -> SHA-256 of what was acknowledged
        rpc_port, http_port = free_ports()
        self.rpc = f"127.0.0.1:{rpc_port}"
        self.settings = {"CAIRN_IMAGE": IMAGE, "CAIRN_RPC_PORT": str(rpc_port),
                         "CAIRN_HTTP_PORT": str(http_port), "CAIRN_PUBLISH": "127.0.0.1"}
        plugin = run("docker", "compose", "version", check=False).returncode == 0
        self.program = ["docker", "compose"] if plugin else ["docker-compose"]

    # --- containers ---

    def docker(self, *arguments, **options):
        return self.engine.docker(*arguments, **options)

    def compose(self, *arguments, **options):
        options.setdefault("timeout", 300)
        return run(*self.program, "--project-name", PROJECT, "--project-directory", self.root,
                   "--file", self.root / "docker-compose.yml",
                   "--file", self.root / "tests/container/compose.yml",
                   *arguments, env=self.engine.env | self.settings, **options)

    def up(self, *arguments):
        self.compose("up", "-d", "--no-build", *arguments, "namenode", "datanode-a", "datanode-b")

    def containers(self, *services):
        """Their ids, by service and number, stopped ones included; of all DataNodes by default."""
        found = []
        for service in services or ("datanode-a", "datanode-b", "datanode-small"):
            ids = self.docker("ps", "-aq", "--no-trunc",
                              "--filter", f"label=com.docker.compose.project={PROJECT}",
                              "--filter", f"label=com.docker.compose.service={service}").stdout
            number = "com.docker.compose.container-number"
            found += sorted(ids.split(),
                            key=lambda i: int(self.inspect(i)["Config"]["Labels"][number]))
        return found

    def namenode(self):
        return self.containers("namenode")[0]

    def inspect(self, container):
        return json.loads(self.docker("inspect", container).stdout)[0]

    def state(self, container):
        return self.inspect(container)["State"]

    def address(self, container):
        networks = self.inspect(container)["NetworkSettings"]["Networks"]
        return networks.get(f"{PROJECT}_default", {}).get("IPAddress", "")

    def inside(self, container, *command, **options):
        return self.docker("exec", "-i", container, *command, **options)

    def node_id(self, container):
        """What the DataNode in it calls itself; None while it does not serve."""
        ready = self.inside(container, "cat", "/run/cairn/ready.json", check=False)
        return json.loads(ready.stdout)["id"] if ready.returncode == 0 else None

    def remove(self):
        """All containers, networks and volumes of the project, of earlier runs too."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

    # --- Cairn ---

    def outside_env(self):
        env = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
        return dict(env, CAIRN_NAMENODE=self.rpc)

    def cairn(self, *arguments, **options):
        """On the host: the NameNode by its published port, DataNodes by their own addresses."""
        return run(self.client, *arguments, env=self.outside_env(), **options)

    def json_of(self, *arguments):
        """None while the NameNode does not answer."""
        done = self.cairn("--timeout", "5s", *arguments, "--json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def nodes(self):
        return self.json_of("admin", "nodes") or []

    def whole(self, healthy):
        """So many healthy nodes, and every block has all its good replicas."""
        report, health = self.json_of("admin", "report"), self.json_of("admin", "health")
        return (report is not None and health is not None
                and report["cluster"]["nodes_healthy"] == healthy
                and not report["cluster"]["safe_mode"]
                and health["replication_health_score"] == 100
                and not any(health[kind] for kind in (
                    "under_replicated_blocks", "missing_blocks", "corrupt_blocks")))

    def addresses_match(self):
        """The NameNode knows every DataNode that runs under its container's address, and no node
        that only was healthy a moment ago."""
        known = {node["id"]: node["address"] for node in self.nodes()
                 if node["status"] == "healthy"}
        running = {self.node_id(container): f"{self.address(container)}:9866"
                   for container in self.containers()
                   if self.state(container)["Running"]}
        return known == running

    def settle(self, healthy=4, seconds=240):
        """A copy of a node that then died itself may be ordered again only after 120 s."""
        wait_until(f"{healthy} healthy nodes, each known at its container's address, all blocks "
                   "whole, health 100", seconds,
                   lambda: self.whole(healthy) and self.addresses_match())

    def sha_of(self, path):
        """Read on the host."""
        with subprocess.Popen([self.client, "cat", path], env=self.outside_env(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as reader:
            found = hashlib.sha256()
            while piece := reader.stdout.read(MIB):
                found.update(piece)
            return found.hexdigest() if reader.wait(60) == 0 else None

    def sha_inside(self, path):
        done = self.inside(self.namenode(), "bash", "-o", "pipefail", "-c",
                           'cairn cat "$0" | sha256sum', path)
        return done.stdout.split()[0]

    def check_files(self):
        """Every acknowledged file, byte by byte."""
        for path, expected in self.files.items():
            if self.sha_of(path) != expected:
                raise Failure(f"{path} is not what was acknowledged")

    def diagnose(self):
        """What a person would look at after a failure."""
        for command in (("ps", "-a"), ("stats", "--no-stream")):
            print(self.docker(*command, check=False).stdout, flush=True)
        print(self.cairn("admin", "report", check=False).stdout, flush=True)
        for container in self.containers("namenode", "datanode-a", "datanode-b", "datanode-small"):
            logs = self.docker("logs", "--tail", "25", container, check=False)
            print(f"-- {self.inspect(container)['Name']}\n{logs.stdout}{logs.stderr}", flush=True)


class SlowPut:
    """A put on the host whose input comes when the test says so: `cairn put - PATH`."""

    def __init__(self, cluster, path, content, *options):
        self.cluster, self.path, self.content = cluster, path, content
        self.fed = 0
        self.process = subprocess.Popen(
            [cluster.client, "--timeout", "120s", "put", *options, "-", path],
            env=cluster.outside_env(),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdin.fileno(), False)

    def feed(self, until, seconds=150):
        """Gives it the content up to `until`, which may take it this long without a byte. It may
        end before, when it fails."""
        deadline = time.monotonic() + seconds
        pipe = self.process.stdin
        while self.fed < until and self.process.poll() is None:
            if time.monotonic() >= deadline:
                raise Failure(f"put {self.path} takes no input for {seconds} s at {self.fed}")
            if not select.select([], [pipe], [], 0.2)[1]:
                continue
            try:
                self.fed += os.write(pipe.fileno(), self.content[self.fed:self.fed + MIB])
                deadline = time.monotonic() + seconds
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return

    def finish(self, may_fail=False):
        """Feeds the rest. True when it was acknowledged; a failure must be clear and leave
        nothing."""
        self.feed(len(self.content))
        try:
            os.set_blocking(self.process.stdin.fileno(), True)
            _, errors = self.process.communicate(timeout=180)
        except BrokenPipeError:
            _, errors = self.process.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            raise Failure(f"put {self.path} does not end within 180 s of its input") from None
        text = errors.decode("utf-8", "replace").strip()
        if self.process.returncode == 0:
            self.cluster.files[self.path] = hashlib.sha256(self.content).hexdigest()
            return True
        if not may_fail:
            raise Failure(f"put {self.path}: exit status {self.process.returncode}: {text}")
        if self.process.returncode not in (1, 3) or not text.startswith("cairn: "):
            raise Failure(f"put {self.path} fails unclearly: {self.process.returncode}: {text}")
        wait_until(f"nothing is left of {self.path}", 30, self.left_nothing)
        return False

    def left_nothing(self):
        listed = self.cluster.json_of("ls", os.path.dirname(self.path))
        return listed is not None and not any(
            entry["path"].startswith(self.path) for entry in listed)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
