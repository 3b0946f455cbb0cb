"""Two hosts on one machine: network namespaces with a name each and one cable between them. Needs root."""

import os
import shutil
import subprocess

NETWORK = "10.213.77"
AGENT = """\
#!/bin/sh
# In place of ssh: runs a command on the host with an address.
address=$1
shift
exec ip netns exec {prefix}${{address##*.}} unshare -u sh -c 'hostname "$0" && eval "$1"' host${{address##*.}} "$*"
"""
# What a rank says and returns, kept on its own host: the launcher may not live to tell.
RANK = """\
#!/bin/sh
"$@" 2>{root}/said.$OMPI_COMM_WORLD_RANK
code=$?
# Whole or not at all: a test that waits for it reads it at once.
echo $code >{root}/writing.$OMPI_COMM_WORLD_RANK
mv {root}/writing.$OMPI_COMM_WORLD_RANK {root}/code.$OMPI_COMM_WORLD_RANK
exit $code
"""


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


def why_not():
    """The reason why there can be no such hosts here, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("ip"):
        return "needs ip (iproute2)"
    name = f"xkde{os.getpid()}try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return f"ip netns: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


class TwoHosts:
    """Hosts "host1" and "host2". `root` takes the scripts and what ranks say."""

    def __init__(self, root):
        self.root = root
        self.prefix = f"xkde{os.getpid()}-"
        for number in (1, 2):
            run("ip", "netns", "add", self.name(number))
            run("ip", "-n", self.name(number), "link", "set", "lo", "up")
        run("ip", "-n", self.name(1), "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns",
            self.name(2))
        for number in (1, 2):
            run("ip", "-n", self.name(number), "address", "add", f"{NETWORK}.{number}/24", "dev", "cable")
        self.set_link("up")
        self.agent = self.script("agent", AGENT.format(prefix=self.prefix))
        self.rank = self.script("rank", RANK.format(root=root))

    def name(self, number):
        return f"{self.prefix}{number}"

    def script(self, name, text):
        path = f"{self.root}/{name}"
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def set_link(self, state):
        """ "up" or "down". The second host's end is always up: it sees no carrier."""
        run("ip", "-n", self.name(1), "link", "set", "cable", state)
        if state == "up":
            run("ip", "-n", self.name(2), "link", "set", "cable", state)

    def command(self, program, ranks_a_host):
        """A command line below mpirun on both hosts."""
        hosts = ",".join(f"{NETWORK}.{number}:{ranks_a_host}" for number in (1, 2))
        options = ["--allow-run-as-root", "--bind-to", "none", "--host", hosts, "--mca", "plm_rsh_agent", self.agent]
        for layer in ("oob", "btl"):
            options += ["--mca", f"{layer}_tcp_if_include", f"{NETWORK}.0/24"]
        return ["ip", "netns", "exec", self.name(1), "unshare", "-u", "sh", "-c", 'hostname host1 && exec "$@"', "sh",
                "mpirun", *options, "-n", str(2 * ranks_a_host), self.rank, *program]

    def processes(self):
        """Ids of all processes of both hosts by what they run."""
        found = {}
        for number in (1, 2):
            ids = subprocess.run(["ip", "netns", "pids", self.name(number)], capture_output=True, text=True).stdout
            for pid in ids.split():
                try:
                    with open(f"/proc/{pid}/comm") as file:
                        found[int(pid)] = file.read().strip()
                except OSError:
                    continue  # it has just ended
        return found

    def read(self, name, rank):
        with open(f"{self.root}/{name}.{rank}") as file:
            return file.read()

    def kill_all(self):
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def close(self):
        self.kill_all()
        for number in (1, 2):
            subprocess.run(["ip", "netns", "del", self.name(number)])
