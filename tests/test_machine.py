"""How much of the machine may be used: control groups limit it at every level, in both versions of their interface."""

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hpsearch import control_groups, machine
from hpsearch.executors import capacity
from hpsearch.orders import Slot
from hpsearch.predict import pipeline
from hpsearch.worker import place

GB, NONE = 10**9, 9223372036854771712  # what version 1 says where there is no limit
STAT = "anon 1000000000\nactive_file 2000000000\ninactive_file 1000000000\n"
TOTAL_STAT = "active_file 0\ntotal_active_file 2000000000\ntotal_inactive_file 1000000000\n"
SLURM = "11:cpuset:/\n4:memory:/slurm/uid_7/job_9/step_0\n3:cpu,cpuacct:/slurm/uid_7/job_9\n1:name=systemd:/x\n"


@pytest.fixture
def grouped(tmp_path, monkeypatch):
    """A machine of 64 cores and 100 GB whose control groups say this, by file; `membership` is this process's."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    free = psutil.virtual_memory()._replace(available=100 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(control_groups, "MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "MOUNTED", tmp_path / "mounted")

    def grouped(membership, files):
        (tmp_path / "cgroup").write_text(membership)
        for name, said in files.items():
            file = Path(tmp_path / "mounted" / name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{said}\n")

    return grouped


@pytest.mark.parametrize(
    ("membership", "files", "cores", "gigabytes"),
    [
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, 64, 100),
        ("0::/\n", {"cpu.max": "250000 100000", "memory.max": 8 * GB}, 2, 8),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1, 100),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000", "a/b/memory.max": 8 * GB}, 3, 8),
        ("0::/a/b\n", {"a/memory.max": 4 * GB, "a/b/memory.max": 8 * GB, "a/b/memory.high": 6 * GB}, 64, 4),
        ("0::/a\n", {"a/memory.max": 8 * GB, "a/memory.high": 6 * GB}, 64, 6),
        ("0::/unknown/here\n", {"cpu.max": "200000 100000", "memory.max": 8 * GB}, 2, 8),
        ("0::/../../elsewhere\n", {"cpu.max": "200000 100000", "../elsewhere/cpu.max": "100000 100000"}, 2, 100),
        (SLURM, {"memory/slurm/uid_7/job_9/memory.limit_in_bytes": 16 * GB,
                 "memory/slurm/uid_7/job_9/step_0/memory.limit_in_bytes": NONE,
                 "cpu,cpuacct/slurm/uid_7/job_9/cpu.cfs_quota_us": 400_000,
                 "cpu,cpuacct/slurm/uid_7/job_9/cpu.cfs_period_us": 100_000}, 4, 16),
        (SLURM, {"cpu/slurm/cpu.cfs_quota_us": -1, "cpu/slurm/cpu.cfs_period_us": 100_000,
                 "memory/memory.limit_in_bytes": NONE}, 64, 100),
    ],
)  # fmt: skip
def test_a_limit_counts_at_every_level_of_control_groups(grouped, membership, files, cores, gigabytes):
    grouped(membership, files)

    assert machine.cores() == cores
    assert machine.memory() == gigabytes * GB


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/a\n", {"a/memory.max": 10 * GB, "a/memory.current": 7 * GB, "a/memory.stat": STAT}),
        ("4:memory:/a\n", {
            "memory/a/memory.limit_in_bytes": 10 * GB, "memory/a/memory.usage_in_bytes": 7 * GB,
            "memory/a/memory.stat": TOTAL_STAT,
        }),
    ],
)  # fmt: skip
def test_what_others_in_the_group_hold_is_not_to_be_had_but_what_linux_keeps_of_files_is(grouped, membership, files):
    grouped(membership, files)

    assert machine.memory() == 6 * GB
    assert capacity.workers("auto") == 6


def test_a_group_that_is_full_leaves_one_worker(grouped):
    grouped("0::/a\n", {"a/memory.max": 2 * GB, "a/memory.current": 3 * GB})

    assert machine.memory() == 0
    assert capacity.workers("auto") == 1


def test_where_there_are_no_control_groups_the_whole_machine_may_be_used(grouped):
    assert (machine.cores(), machine.memory()) == (64, 100 * GB)


def test_what_is_not_training_takes_no_more_threads_than_a_quota_gives(grouped):
    grouped("0::/\n", {"cpu.max": "200000 100000"})
    asked = []
    threading = SimpleNamespace(
        set_intra_op_parallelism_threads=asked.append, set_inter_op_parallelism_threads=asked.append
    )

    place.bound(Slot(threads=0), SimpleNamespace(threading=threading, set_visible_devices=lambda *_: None))

    assert asked == [2, 2]


@pytest.mark.parametrize(("memory", "hands"), [(GB, 5), (GB // 10, 1), (100 * GB, 64)])
def test_pictures_are_looked_at_by_no_more_processes_than_memory_holds(grouped, memory, hands):
    grouped("0::/\n", {"memory.max": memory})

    assert pipeline._hands() == hands
