"""Commands, waits and the Docker engine of the container test.

Used by container_test.py alone. An engine that runs is used as it is. Where none runs, one is
started with folders, socket and pid file of its own, and stopped and removed with all it left:
data, bridge, firewall rules.
"""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import time

BASE = "debian:bookworm-slim"
LOCK = "/run/lock/cairn-container-test.lock"
RUN = pathlib.Path("/run/cairn-container-test")
POLL_S = 0.3


class Failure(Exception):
    """What a step expected and did not find, in a line for people."""


def run(*command, timeout=120, check=True, env=None, **options):
    """Runs a command, its output captured as text; Failure when it fails or takes too long."""
    command = [str(word) for word in command]
    options.setdefault("stdin", subprocess.DEVNULL)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=timeout, env=env, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"not within {timeout} s: {' '.join(command)}") from None
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    if check and done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-4000:]
        raise Failure(f"exit status {done.returncode}: {' '.join(command)}\n{output}")
    return done


def wait_until(what, seconds, condition):
    """Polls until the condition's value is true, and returns it; Failure after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure(f"not after {seconds} s: {what}")
        time.sleep(POLL_S)


def one_at_a_time(seconds):
    """Holds the machine's lock for this test, until the returned file is closed."""
    lock = open(LOCK, "a", encoding="utf-8")

    def locked():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    wait_until("another run of this test on this machine ends", seconds, locked)
    return lock


class Network:
    """What an engine changes on the host and leaves behind: put back as it was."""

    FORWARDING = pathlib.Path("/proc/sys/net/ipv4/ip_forward")

    def __init__(self):
        self.had_bridge = self.has_bridge()
        self.forwarding = self.FORWARDING.read_text("ascii")
        self.policy = self.rules("filter")[1].split()[-1]  # -P FORWARD ACCEPT

    @staticmethod
    def has_bridge():
        return os.path.exists("/sys/class/net/docker0")

    @staticmethod
    def rules(table):
        return run("iptables", "-t", table, "-S").stdout.splitlines()

    def restore(self):
        if self.had_bridge:
            return  # of another engine, which knew this host before
        for table in ("filter", "nat"):
            rules = self.rules(table)
            for rule in rules:
                words = rule.split()
                if words[0] == "-A" and not words[1].startswith("DOCKER") and "ocker" in (
                        rule.replace("DOCKER", "docker")):
                    run("iptables", "-t", table, "-D", *words[1:], check=False)
            chains = [rule.split()[1] for rule in rules if rule.startswith("-N DOCKER")]
            for option in ("-F", "-X"):
                for chain in chains:
                    run("iptables", "-t", table, option, chain, check=False)
        run("iptables", "-P", "FORWARD", self.policy, check=False)
        self.FORWARDING.write_text(self.forwarding, "ascii")
        if self.has_bridge():
            run("ip", "link", "del", "docker0", check=False)


class Engine:
    """The Docker engine, and the base image in it. `work` is a folder for what it needs."""

    def __init__(self, work):
        self.work = work
        self.data = work / "docker"
        self.pid_file = RUN / "docker.pid"
        self.process = None
        self.network = None
        self.imported = False
        self.env = dict(os.environ, DOCKER_BUILDKIT="0", COMPOSE_DOCKER_CLI_BUILD="0")

    def docker(self, *arguments, **options):
        return run("docker", *arguments, env=self.env, **options)

    def answers(self):
        try:
            return self.docker("info", check=False, timeout=30).returncode == 0
        except Failure:
            return False

    def start(self):
        self.remove_leftovers()
        if self.answers():
            print("  uses the engine that runs", flush=True)
            return
        RUN.mkdir(mode=0o700, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        self.network = Network()
        socket = f"unix://{RUN}/docker.sock"
        self.env["DOCKER_HOST"] = socket
        self.env.pop("DOCKER_CONTEXT", None)
        log = self.work / "dockerd.log"
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.data, "--exec-root", RUN / "exec",
                 "--pidfile", self.pid_file, "--host", socket],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        wait_until("dockerd answers or ends", 60,
                   lambda: self.process.poll() is not None or self.answers())
        if self.process.poll() is not None:
            raise Failure("Docker cannot start here: it needs root, cgroups, iptables and mounts."
                          f" The end of its log:\n{log.read_text('utf-8')[-3000:]}")
        print("  started an engine", flush=True)

    def remove_leftovers(self):
        """Of an earlier run that was killed: its engine is known by the folder of its data."""
        try:
            pid = int(self.pid_file.read_text("ascii"))
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            command = b""
        if b"dockerd" in command and str(RUN).encode() in command:
            os.kill(pid, signal.SIGTERM)
            wait_until("the engine of an earlier run ends", 60,
                       lambda: not os.path.exists(f"/proc/{pid}"))
        self.remove_folders()

    def remove_folders(self):
        for folder in (self.data, RUN):
            shutil.rmtree(folder, ignore_errors=True)

    def need_base(self):
        """The image that the Dockerfile begins with: there, pulled, or made by debootstrap."""
        if self.docker("image", "inspect", BASE, check=False).returncode == 0:
            return
        archive = self.work / "base.tar"
        if not archive.exists():
            if self.docker("pull", BASE, check=False, timeout=120).returncode == 0:
                print(f"  pulled {BASE}", flush=True)
                return
            self.make_base(archive)
        with open(archive, "rb") as content:
            self.docker("import", "--change", 'CMD ["bash"]', "-", BASE, stdin=content)
        self.imported = True
        print(f"  {BASE} cannot be pulled: made by debootstrap", flush=True)

    def make_base(self, archive):
        root = self.work / "rootfs"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", root, timeout=400)
        # debootstrap names its mirror there. With updates and security, versions are the host's.
        sources = root / "etc/apt/sources.list"
        mirror = sources.read_text("utf-8").split()[1]
        sources.write_text(f"deb {mirror} bookworm main\n"
                           f"deb {mirror} bookworm-updates main\n"
                           f"deb {mirror}-security bookworm-security main\n", "utf-8")
        left_out = ["var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "usr/share/doc/*",
                    "usr/share/man/*", "usr/share/locale/*", "dev/*"]
        made = archive.with_suffix(".part")
        run("tar", "-C", root, *(f"--exclude=./{path}" for path in left_out), "-cf", made, ".")
        made.rename(archive)
        shutil.rmtree(root)

    def stop(self):
        """Removes the base image that was made here, and the engine that was started here."""
        if self.process is None:
            if self.imported:
                self.docker("image", "rm", BASE, check=False)
            return
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            print("  dockerd does not stop: killed", flush=True)
            self.process.kill()
            self.process.wait()
        self.network.restore()
        self.remove_folders()
