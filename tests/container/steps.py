"""The steps of the container test, in order. Each leaves the cluster whole.

Used by container_test.py alone, which reads every acknowledged file back after each.
"""

import contextlib
import hashlib
import ipaddress
import os
import signal

from cluster import IMAGE, MIB, PROJECT, SlowPut, content_of
from host import Failure, wait_until

SIZE_LIMIT = 200_000_000
FILE = 192 * MIB
HALF = 104 * MIB  # in the middle of a block
BLOCK = ("--block-size", "32M", "-r", "3")


def expect(condition, message):
    if not condition:
        raise Failure(message)


@contextlib.contextmanager
def slow_put(cluster, name, size=FILE, options=BLOCK):
    put = SlowPut(cluster, f"/faults/{name}", content_of(name, size), *options)
    try:
        yield put
    finally:
        put.end()


def writing(cluster):
    """A DataNode that has a replica under way."""
    def find():
        for container in cluster.containers("datanode-a", "datanode-b"):
            if cluster.inside(container, "sh", "-c", "ls /var/lib/cairn/*/current/rbw/blk_*",
                              check=False).returncode == 0:
                return container
        return None

    return wait_until("a DataNode writes a replica", 60, find)


def build_the_image(cluster):
    """The image is small, and its user is not root."""
    cluster.docker("build", "--force-rm", "--file", "deploy/Dockerfile",
                   "--build-arg", "PROGRAMS=prebuilt", "--tag", IMAGE, ".",
                   cwd=cluster.root, timeout=600)
    image = cluster.inspect(IMAGE)
    print(f"  {image['Size'] / 1e6:.0f} MB", flush=True)
    expect(image["Size"] < SIZE_LIMIT, f"the image has {image['Size']} bytes")
    user = cluster.docker("run", "--rm", IMAGE, "id").stdout
    expect(user.startswith("uid=10001(cairn) gid=10001(cairn)"), f"the image's user: {user}")
    helped = cluster.docker("run", "--rm", IMAGE).stdout
    expect("cairn COMMAND" in helped or "usage" in helped.lower(), f"no help: {helped}")


def bring_it_up(cluster):
    """Four nodes on two racks; one publisher of ports; process 1 is the daemon."""
    cluster.up()
    cluster.settle()
    containers = [cluster.namenode(), *cluster.containers()]
    expect(len(containers) == 5, f"{len(containers)} containers")
    wait_until("all containers are healthy", 60, lambda: all(
        cluster.state(container)["Health"]["Status"] == "healthy" for container in containers))
    racks = sorted(node["rack"] for node in wait_until("nodes", 60, cluster.nodes))
    expect(racks == ["/region-1/rack-a"] * 2 + ["/region-1/rack-b"] * 2, f"racks: {racks}")
    for container in containers:
        inspected = cluster.inspect(container)
        daemon = cluster.inside(container, "cat", "/proc/1/comm").stdout.strip()
        namenode = container == cluster.namenode()
        expect(daemon == ("cairn-namenode" if namenode else "cairn-datanode"),
               f"process 1 of {inspected['Name']} is {daemon}")
        published = any(inspected["NetworkSettings"]["Ports"].values())
        expect(published == namenode, f"{inspected['Name']} publishes {published}")
        expect(inspected["HostConfig"]["Memory"] > 0, f"{inspected['Name']}: no memory limit")
        expect(inspected["HostConfig"]["NanoCpus"] > 0, f"{inspected['Name']}: no limit of CPUs")


def put_and_get(cluster):
    """From inside and from the host, and read on the other side. Commands beside the daemon leave
    its health alone."""
    cluster.cairn("mkdir", "/faults")
    namenode = cluster.namenode()
    cluster.inside(namenode, "cairn", "mkdir", "-p", "/inside")
    content = content_of("inside", FILE)
    sha = hashlib.sha256(content).hexdigest()
    made = cluster.engine.work / "content"
    made.write_bytes(content)
    cluster.docker("cp", made, f"{namenode}:/tmp/content")
    cluster.inside(namenode, "cairn", "put", *BLOCK, "/tmp/content", "/inside/file")
    cluster.cairn("mkdir", "/outside")
    cluster.cairn("put", *BLOCK, made, "/outside/file")
    copy = made.with_name("copy")
    copy.unlink(missing_ok=True)
    cluster.cairn("get", "/inside/file", copy)
    expect(hashlib.sha256(copy.read_bytes()).hexdigest() == sha, "get on the host")
    copy.unlink()
    made.unlink()
    cluster.inside(namenode, "cairn", "get", "/outside/file", "/tmp/copy")
    cluster.inside(namenode, "cmp", "/tmp/content", "/tmp/copy")
    cluster.inside(namenode, "rm", "/tmp/copy")
    cluster.docker("exec", "--user", "root", namenode, "rm", "/tmp/content")
    cluster.files.update({"/inside/file": sha, "/outside/file": sha})
    expect(cluster.sha_inside("/inside/file") == sha, "cat inside")
    cluster.inside(namenode, "cairn", "admin", "checkpoint")
    cluster.inside(namenode, "cairn-namenode", "verify")
    cluster.inside(namenode, "cairn-healthz")


def stop_and_start(cluster):
    """SIGTERM ends a daemon within 10 s, and what it had is there when it is back."""
    for container in (cluster.containers()[0], cluster.namenode()):
        cluster.docker("stop", "--time", "10", container)
        state = cluster.state(container)
        expect(state["ExitCode"] == 0, f"stopped with exit status {state['ExitCode']}")
        cluster.docker("start", container)
        cluster.settle()


def kill_a_datanode(cluster):
    """In the middle of a put, which goes on."""
    with slow_put(cluster, "datanode-killed") as put:
        put.feed(HALF)
        victim = writing(cluster)
        cluster.docker("kill", victim)
        put.finish()
    cluster.check_files()
    cluster.docker("start", victim)


def kill_the_namenode(cluster):
    """In the middle of a put; the restart policy brings it back."""
    namenode = cluster.namenode()
    with slow_put(cluster, "namenode-killed") as put:
        put.feed(HALF)
        # Not `docker kill`: what that ends, the engine takes for stopped on purpose.
        os.kill(cluster.state(namenode)["Pid"], signal.SIGKILL)
        acknowledged = put.finish(may_fail=True)
    print(f"  the put {'went on' if acknowledged else 'failed, and left nothing'}", flush=True)
    wait_until("the restart policy acts", 60,
               lambda: cluster.inspect(namenode)["RestartCount"] == 1)


def pause_a_datanode(cluster):
    """In the middle of a put, which goes on without it."""
    with slow_put(cluster, "datanode-paused") as put:
        put.feed(HALF)
        victim = writing(cluster)
        cluster.docker("pause", victim)
        try:
            put.finish()
            cluster.check_files()
        finally:
            cluster.docker("unpause", victim)


def cut_a_datanode_off(cluster):
    """From the network, in the middle of a put, which goes on; then it is back."""
    network = f"{PROJECT}_default"
    with slow_put(cluster, "datanode-cut-off") as put:
        put.feed(HALF)
        victim = writing(cluster)
        cluster.docker("network", "disconnect", network, victim)
        put.finish()
    wait_until("three healthy nodes", 60, lambda: sum(
        node["status"] == "healthy" for node in cluster.nodes()) == 3)
    cluster.check_files()
    cluster.docker("network", "connect", network, victim)


def change_addresses(cluster):
    """Nodes come back under each other's addresses, and are known by their ids."""
    first, last = cluster.containers()[0], cluster.containers()[-1]
    names = {container: cluster.node_id(container) for container in (first, last)}
    before = {names[container]: cluster.address(container) for container in (first, last)}
    for container in (first, last):
        cluster.docker("stop", container)
    # Docker gives the lowest address that is free: who had the higher one begins.
    for container in sorted((first, last), reverse=True, key=lambda one: ipaddress.ip_address(
            before[names[one]])):
        cluster.docker("start", container)
    cluster.settle()
    after = {cluster.node_id(container): cluster.address(container)
             for container in (first, last)}
    expect(before.keys() == after.keys(), f"ids: {before}, then {after}")
    expect(before != after, f"no address changed: {after}")


def fill_a_datanode(cluster):
    """A DataNode's disk gets full in the middle of a put, which goes on without it."""
    cluster.compose("up", "-d", "--no-build", "--no-deps", "datanode-small")
    cluster.settle(healthy=5)
    small = cluster.containers("datanode-small")[0]
    with slow_put(cluster, "datanode-full", options=("--block-size", "32M", "-r", "5")) as put:
        put.feed(48 * MIB)
        wait_until("a replica is on the small disk", 60, lambda: "blk_" in cluster.inside(
            small, "ls", "-R", "/var/lib/cairn/data/current").stdout)
        filled = cluster.inside(small, "sh", "-c", "cat /dev/zero >/var/lib/cairn/ballast",
                                check=False)
        expect("No space left" in filled.stderr, f"the disk is not full: {filled.stderr}")
        put.finish()
    cluster.check_files()
    cluster.inside(small, "rm", "/var/lib/cairn/ballast")
    cluster.cairn("setrep", "3", "/faults/datanode-full")
    cluster.settle(healthy=5)
    cluster.compose("rm", "--stop", "--force", "datanode-small")


def scale(cluster):
    """One more DataNode gets a directory of its own; it is emptied and taken away again."""
    old = {cluster.node_id(container) for container in cluster.containers()}
    cluster.up("--scale", "datanode-b=3")
    cluster.settle(healthy=5)
    added = {cluster.node_id(container) for container in cluster.containers()} - old
    expect(len(added) == 1, f"new nodes: {added}")
    cluster.cairn("admin", "decommission", *added, "--wait", timeout=300)
    cluster.up("--scale", "datanode-b=2")
    left = {cluster.node_id(container) for container in cluster.containers()}
    expect(left == old, f"nodes: {old}, then {left}")


def down_and_up(cluster):
    """Other containers, the same volumes: the same nodes with all their data."""
    before = {cluster.node_id(container) for container in cluster.containers()}
    cluster.compose("down")
    expect(not cluster.containers(), "containers are left")
    cluster.up()
    cluster.settle()
    after = {cluster.node_id(container) for container in cluster.containers()}
    expect(before == after, f"nodes: {before}, then {after}")


STEPS = (build_the_image, bring_it_up, put_and_get, stop_and_start, kill_a_datanode,
         kill_the_namenode, pause_a_datanode, cut_a_datanode_off, change_addresses,
         fill_a_datanode, scale, down_and_up)
