#!/usr/bin/python3
"""What tests/run does after the packages are there: build, run each kind of test, count.

Counted are doctest's test cases, pytest's tests, and programs that are neither as one each.
"""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

sys.path.insert(1, os.path.join(os.path.dirname(os.path.realpath(__file__)), "support"))
from repository import REPOSITORY  # noqa: E402
from windows import wine  # noqa: E402
from wslvm import marks  # noqa: E402
from wslvm.vm import Vm  # noqa: E402

BUILD = os.path.join(REPOSITORY, "build")
BUILDS = {
    "release": [],
    # gcc 12 warns of uninitialised moves in every std::variant once it instruments them.
    "sanitize": ["-Db_sanitize=address,undefined", "-Dstatic_agent=false", "-Dbuildtype=debug",
                 "-Dcpp_args=-Wno-maybe-uninitialized"],
    "windows": ["--cross-file", os.path.join(REPOSITORY, "packaging", "mingw-w64.ini")],
}
_DOCTEST = re.compile(r"\[doctest\] test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
_UNIT_ENVIRONMENT = {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", "ASAN_OPTIONS": "detect_leaks=1"}
_KINDS = ["unit", "lint", "tidy", "integration", "e2e"]
# Longer than all integration tests take on two busy cores; a hang becomes a failure, not a lost machine.
_PYTEST_SECONDS = 60 * 60
_STUCK_TEST_SECONDS = 5 * 60  # pytest then prints every thread's stack


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def main():
    arguments = sys.argv[1:]
    behind = arguments.index("--") if "--" in arguments else len(arguments)
    arguments, pytest_arguments = arguments[:behind], arguments[behind + 1:]
    kinds = [k for k in _KINDS if f"--{k}" in arguments] or _KINDS
    count = Count()
    tidy = Tidy() if "tidy" in kinds else None
    if not {"unit", "integration", "e2e"}.isdisjoint(kinds):
        built = build("release", count, None if "unit" in kinds else _product_and_test_programs)
    if "unit" in kinds or "e2e" in kinds:
        built_for_windows = build("windows", count, None if "unit" in kinds else _product_and_test_programs)
    if "lint" in kinds:
        run_pytest("lint", pytest_arguments, {}, count)
    if "unit" in kinds:
        if built:
            run_unit("release", count)
        if build("sanitize", count, _programs_of_meson_tests):
            run_unit("sanitize", count)
        if built_for_windows:
            run_unit_in_wine(count)
    for kind in ("integration", "e2e"):
        if kind in kinds and built:
            end_lost_vms()
            run_pytest(kind, pytest_arguments, {"CAUSEWAY_BINARY": f"{BUILD}/release/agent/causeway",
                                                **({"CAUSEWAY_KEEP_VM": "1"} if "--keep" in arguments else {})},
                       count)
    if tidy:
        tidy.wait(count)
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
    return 1 if count.failed or not count.passed else 0


def step(text):
    print(f"==> {time.strftime('%H:%M:%S')} {text}", flush=True)


def build(name, count, targets):
    """`targets(folder)` names what to build; None is everything."""
    folder = os.path.join(BUILD, name)
    step(f"build ({name})")
    begun = time.monotonic()
    os.makedirs(BUILD, exist_ok=True)
    strict = ["-Dwerror=true"] if os.environ.get("CI") else []  # a user's newer compiler may warn of more
    if not os.path.exists(f"{folder}/build.ninja"):
        if subprocess.run(["meson", "setup", folder, REPOSITORY, *BUILDS[name], *strict], check=False,
                          stdout=subprocess.DEVNULL).returncode != 0:
            return _build_failed(name, f"meson setup: see {folder}/meson-logs/meson-log.txt", count)
    # ninja's progress is for a terminal; elsewhere its lines about what went well are noise.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    if subprocess.run(["ninja", "-C", folder, *quiet, *(targets(folder) if targets else [])],
                      check=False).returncode != 0:
        return _build_failed(name, "ninja (above)", count)
    print(f"built in {time.monotonic() - begun:.0f} s", flush=True)
    return True


def _product_and_test_programs(folder):
    """What integration tests run: every program but the unit tests."""
    told = subprocess.run(["meson", "introspect", "--targets", folder], check=True, capture_output=True, text=True)
    programs = [target for target in json.loads(told.stdout) if target["type"] == "executable"]
    return [os.path.relpath(target["filename"][0], folder) for target in programs
            if f"{os.sep}tests{os.sep}unit{os.sep}" not in target["defined_in"]]


def _programs_of_meson_tests(folder):
    """Nothing else in the sanitizer build: it is slow, and static programs can't have sanitizers."""
    told = subprocess.run(["meson", "introspect", "--tests", folder], check=True, capture_output=True, text=True)
    return sorted({os.path.relpath(test["cmd"][0], folder) for test in json.loads(told.stdout)})


def _build_failed(name, reason, count):
    print(f"FAILED: build ({name}): {reason}", flush=True)
    count.add(0, 1, 0)
    return False


def run_unit(name, count, environment=None):
    step(f"unit tests ({name})")
    folder = os.path.join(BUILD, name)
    log = f"{folder}/meson-logs/testlog.json"
    if os.path.exists(log):
        os.unlink(log)
    done = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild"], check=False,
                          env={**os.environ, **_UNIT_ENVIRONMENT, **(environment or {})})
    if not os.path.exists(log):
        print(f"FAILED: meson test wrote no log (exit code {done.returncode})", flush=True)
        count.add(0, 1, 0)
        return
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            count.add(*_unit_result(json.loads(line)))


def run_unit_in_wine(count):
    """Meson starts them by the cross file's exe_wrapper; the prefix is theirs alone."""
    if wine.missing():
        print(f"FAILED: unit tests (windows): {', '.join(wine.missing())} is missing", flush=True)
        count.add(0, 1, 0)
        return
    with wine.Prefix() as prefix:
        run_unit("windows", count, prefix.environment)


def _take_what_is_left():
    """Of the processors' time, in a session of our own."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        with open("/proc/self/autogroup", "w", encoding="ascii") as group:
            group.write("19")  # where the kernel divides time among sessions first, see sched(7)
    except OSError:
        pass


class Tidy:
    """clang-tidy over the whole tree, beside the other tests: it only gets the processors when nobody else wants them."""

    def __init__(self):
        self._report = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [os.path.join(REPOSITORY, "tests", "lint", "tidy")], stdout=self._report, stderr=self._report, start_new_session=True,
            preexec_fn=_take_what_is_left)
        atexit.register(self._end)

    def _end(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def wait(self, count):
        step("clang-tidy")
        code = self._process.wait()
        self._report.seek(0)
        lines = self._report.read().splitlines()
        print(*lines, sep="\n", flush=True)
        counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", lines[-1] if lines else "")
        if counts:
            count.add(*map(int, counts.groups()))
        else:
            print(f"FAILED: clang-tidy: tests/lint/tidy ended with {code}", flush=True)
            count.add(0, 1, 0)


def _unit_result(test):
    """(passed, failed, skipped) of one program of Meson's log."""
    if test["result"] == "SKIP":
        print(f"SKIPPED {test['name']}: {(test.get('stdout') or test.get('stderr') or '').strip()}", flush=True)
        return 0, 0, 1
    good = test["result"] == "OK"
    if not good:
        # stdout is doctest's report; stderr is the log of the code under test and any sanitizer's report, at its end.
        for name, lines in (("stdout", 80), ("stderr", 60)):
            text = (test.get(name) or "").rstrip().splitlines()[-lines:]
            print(f"FAILED {test['name']} ({test['result']}), end of its {name}:", *text, sep="\n  ", flush=True)
    summary = _DOCTEST.search(test.get("stdout") or "")
    if not summary:
        return (1, 0, 0) if good else (0, 1, 0)
    passed, failed, skipped = (int(number) for number in summary.groups()[1:])
    if not good and failed == 0:
        failed = 1  # ended by a signal, a sanitizer or a timeout after its summary
    return passed, failed, skipped


def run_pytest(kind, extra, environment, count):
    step(f"{kind} tests")
    folder = os.path.join(REPOSITORY, "tests", kind)
    if not os.path.isdir(folder) or not any(name.startswith("test_") for name in os.listdir(folder)):
        print(f"no tests in {folder}", flush=True)
        return
    report = os.path.join(BUILD, f"{kind}.xml")
    os.makedirs(BUILD, exist_ok=True)
    if os.path.exists(report):
        os.unlink(report)
    command = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-v" if sys.stdout.isatty() else "-q",
               "--durations=5", "-o", f"faulthandler_timeout={_STUCK_TEST_SECONDS}", f"--junitxml={report}", folder, *extra]
    with subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True) as tests:
        hung = _wait(tests)
    if not os.path.exists(report):
        print(f"FAILED: pytest ended with {tests.returncode}", flush=True)
        count.add(0, 1, 0)
        return
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        # A test that passed and then failed in its teardown is one test with one error.
        count.add(max(0, number["tests"] - failed - number["skipped"]), failed, number["skipped"])
    if hung:
        count.add(0, 1, 0)


def _wait(tests):
    """True if the tests hung and were ended; by interrupt first, so that fixtures clean up."""
    for number, seconds in ((None, _PYTEST_SECONDS), (signal.SIGINT, 60), (signal.SIGKILL, None)):
        if number:
            print(f"FAILED: the tests hang; sending {signal.Signals(number).name}", flush=True)
            os.killpg(tests.pid, number)
        try:
            tests.wait(timeout=seconds)
            return number is not None
        except subprocess.TimeoutExpired:
            pass
        except KeyboardInterrupt:
            os.killpg(tests.pid, signal.SIGINT)
            tests.wait()
            raise
    return True


def end_lost_vms():
    """VMs of test runs that were killed."""
    if os.geteuid() != 0:
        return
    for mark in marks.all_marks():
        owner = re.fullmatch(r"/var/tmp/causeway-test-(?:plain-)?(\d+)(?:-.*)?", mark["state"])
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            print(f"ending the VM {mark['state']} of a test run that is gone", flush=True)
            Vm(mark["state"]).down()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
