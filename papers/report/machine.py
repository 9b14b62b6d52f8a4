"""What the figures were measured on, and whether it is still the same."""
import hashlib
import os
import re
import subprocess


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _cpu_model():
    for key in ("model name", "Model name", "CPU implementer"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.M)
        if found:
            return found.group(1).strip()
    return "unknown"


def _caches():
    """The first core's caches, "L2 1024K"."""
    caches = []
    root = "/sys/devices/system/cpu/cpu0/cache"
    for index in sorted(os.listdir(root)) if os.path.isdir(root) else []:
        level, size, kind = (_read(f"{root}/{index}/{name}").strip()
                             for name in ("level", "size", "type"))
        if level and kind != "Instruction":
            caches.append(f"L{level} {size}")
    return caches


def _memory_bytes():
    found = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.M)
    return int(found.group(1)) * 1024 if found else 0


def _is_virtual():
    return re.search(r"^flags\s*:.*\bhypervisor\b", _read("/proc/cpuinfo"),
                     re.M) is not None


def usable_cores():
    return len(os.sched_getaffinity(0))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def describe(program):
    """A dict of plain values; `program` is the `tern` that measures."""
    version = subprocess.run([program, "--version"], capture_output=True,
                             text=True, check=True).stdout.strip()
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "virtual": _is_virtual(),
        "caches": _caches(),
        "memory_bytes": _memory_bytes(),
        "system": f"{os.uname().sysname} {os.uname().release}",
        "tern": version.splitlines(),
        "program_sha256": sha256(program),
    }


def fingerprint(machine):
    """Changes with the machine and with the program: figures of another one
    are not mixed with this one's."""
    parts = [machine[key] for key in ("cpu", "cores", "memory_bytes",
                                      "program_sha256")]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
