"""A SLURM of one node on this machine, for tests: munged, slurmctld and slurmd, with all their files below one folder.

No systemd, no cgroups, ports that are free. Needs root and Debian's packages slurm-wlm and munge. Jobs beside each
other may use more cores than the machine has.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time

from watching import send, threads_of, wait_until

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "mpirun")
GPUS = ("/dev/null", "/dev/zero")  # any two devices: SLURM only counts them
START_SECONDS = 60
RESTART_SECONDS = 5  # from a requeue to the next start
# Partition `low` is what the partition `high` may take nodes from.
CONFIG = """\
ClusterName=tiny
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={restart_seconds}
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
TmpFS={folder}/tmp
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 Gres=gpu:{gpus}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=600
PartitionName=high Nodes=ALL PriorityTier=2 PreemptMode=OFF
"""


def reason_to_skip():
    """Why no SLURM can be started here, or None."""
    if os.geteuid() != 0:
        return "slurmd starts jobs as root only"
    missing = [command for command in COMMANDS if shutil.which(command, path=search_path()) is None]
    return f"not installed: {', '.join(missing)} (Debian's slurm-wlm and munge)" if missing else None


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def die_with_parent():
    """Run in a started daemon: a test that is killed leaves none behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class SlurmCluster:
    def __init__(self, folder, cpus=16):
        self.folder, self.cpus = folder, cpus
        self.config = f"{folder}/slurm.conf"
        self.daemons = []
        for name in ("state", "spool", "tmp"):
            os.makedirs(f"{folder}/{name}")
        os.chmod(folder, 0o755)  # munged wants its socket to be within everyone's reach
        self.write_files()

    def write_files(self):
        controller_port, node_port = free_ports(2)
        with open(self.config, "w") as file:
            file.write(CONFIG.format(folder=self.folder, host=socket.gethostname().split(".")[0], cpus=self.cpus, gpus=len(GPUS),
                                     controller_port=controller_port, node_port=node_port,
                                     restart_seconds=RESTART_SECONDS))
        with open(f"{self.folder}/gres.conf", "w") as file:
            file.writelines(f"Name=gpu File={device}\n" for device in GPUS)
        with open(f"{self.folder}/munge.key", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(os.urandom(128))

    def environment(self):
        """What a command of SLURM needs beside what it has."""
        return dict(PATH=search_path(), SLURM_CONF=self.config)

    def start(self):
        """Raises OSError with what a daemon said where one does not start."""
        folder = self.folder
        self.daemon("munged", "--foreground", f"--socket={folder}/munge.socket", f"--key-file={folder}/munge.key",
                    f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munge.log")
        self.wait(lambda: os.path.exists(f"{folder}/munge.socket"))
        self.daemon("slurmctld", "-D", "-f", self.config)
        self.daemon("slurmd", "-D", "-f", self.config)
        self.wait(lambda: "idle" in self.said("sinfo", "--noheader", "--format=%T"))

    def daemon(self, *command):
        with open(f"{self.folder}/{command[0]}.log", "w") as log:
            self.daemons.append(subprocess.Popen(command, env=os.environ | self.environment(), stdout=log, stderr=log,
                                                 stdin=subprocess.DEVNULL, cwd=self.folder, preexec_fn=die_with_parent))

    def wait(self, condition):
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            ended = [process.args[0] for process in self.daemons if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                name = (ended or [self.daemons[-1].args[0]])[0]
                with open(f"{self.folder}/{name}.log") as file:
                    raise OSError(f"{name} does not start: {' / '.join(file.read().splitlines()[-3:])}")
            time.sleep(0.05)

    def said(self, *command):
        """What a command of SLURM printed, whether it succeeded or not."""
        return subprocess.run(command, env=os.environ | self.environment(), capture_output=True, text=True).stdout

    def stop(self):
        """Kills the daemons and all that runs below jobs."""
        wait_until(self.nothing_is_left, "SLURM's processes end")
        for process in self.daemons:
            process.wait()

    def nothing_is_left(self):
        left = self.processes(f"SLURM_CONF={self.config}")
        send(left, signal.SIGKILL)
        return not left

    @staticmethod
    def processes(*settings):
        """Ids of those that were started with each of these NAME=VALUE in their environment."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    environment = file.read().split(b"\0")
            except (OSError, NotADirectoryError):
                continue
            if all(setting.encode() in environment for setting in settings) and set(threads_of(entry)) - set("ZX"):
                found.append(int(entry))
        return found

    def state(self, job):
        """Of a job or an element of an array, such as RUNNING; with the code that its script ended with."""
        text = self.said("scontrol", "--oneliner", "show", "job", job)
        fields = dict(word.split("=", 1) for word in text.split() if "=" in word)
        return fields.get("JobState", ""), fields.get("ExitCode", "")
