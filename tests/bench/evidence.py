"""Where the time goes: what a program did for a known number of requests (or bytes)."""
import os
import shutil
import subprocess


def usage(pid):
    """(CPU nanoseconds, context switches) of all threads so far."""
    spent = switches = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as source:
            spent += int(source.read().split()[0])
        with open(f"/proc/{pid}/task/{task}/status") as source:
            switches += sum(int(line.split()[1]) for line in source if "ctxt_switches" in line)
    return spent, switches


def cost(pid, work, units):
    """CPU time and context switches per unit of `work()`."""
    before = usage(pid)
    work()
    after = usage(pid)
    return (after[0] - before[0]) / units, (after[1] - before[1]) / units


def system_calls(pid, work, units, scratch):
    """{call: count per unit}; None without strace."""
    if not shutil.which("strace"):
        return None
    path = f"{scratch}/strace.{pid}"
    tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "name,calls", "-o", path, "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    for line in tracer.stderr:
        if "attached" in line:
            break
    work()
    tracer.terminate()
    tracer.wait()
    calls = {}
    with open(path) as source:
        for line in source:
            fields = line.split()
            if len(fields) == 2 and fields[1].isdigit() and fields[0] != "total":
                calls[fields[0]] = int(fields[1]) / units
    return calls


def hot_functions(pid, work, scratch, lines=12):
    """The busiest functions by perf's CPU clock; None without a working perf."""
    if not shutil.which("perf"):
        return None
    path = f"{scratch}/perf.{pid}"
    recorder = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "4999", "-o", path, "-p", str(pid)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    work()
    recorder.terminate()
    recorder.wait()
    report = subprocess.run(["perf", "report", "--stdio", "-q", "--no-children", "-s", "dso,sym", "-i", path],
                            capture_output=True, text=True)
    if report.returncode != 0:
        return None
    return [line.strip() for line in report.stdout.splitlines() if line.strip()][:lines] or None


def explain(name, pid, work, units, unit, scratch):
    """Lines of text for one program."""
    spent, switches = cost(pid, work, units)
    text = [f"{name}: {spent / 1000:.1f} us CPU, {switches:.2f} context switches per {unit}"]
    calls = system_calls(pid, work, units, scratch)
    if calls:
        text.append("  system calls per " + unit + ": " +
                    ", ".join(f"{k} {v:.2f}" for k, v in sorted(calls.items(), key=lambda i: -i[1]) if v >= 0.01))
    functions = hot_functions(pid, work, scratch)
    if functions:
        text += ["  perf: " + line for line in functions]
    return text
