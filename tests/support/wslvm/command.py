"""The command tests/wslvm: its options, and what each does."""

import argparse
import json
import os
import signal
import sys
import time

from . import marks
from .vm import DEFAULT_DISTROS, DEFAULT_STATE, Vm, VmError, sweep


def parse():
    parser = argparse.ArgumentParser(prog="wslvm", description="A simulated WSL 2 VM on this machine.",
                                     epilog="Exit codes: 0 done, 1 failed, 2 wrong usage; exec: the command's.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, text):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--state", default=os.environ.get("WSLVM_STATE", DEFAULT_STATE), metavar="DIR",
                             help=f"the VM's folder (default {DEFAULT_STATE}, or $WSLVM_STATE)")
        return command

    up = add("up", "start the VM and its distros, or join the one that runs in DIR")
    up.add_argument("--distros", default=",".join(DEFAULT_DISTROS), metavar="A,B",
                    help="docker-desktop, minimal* (busybox only), any other name: a full one (default %(default)s)")
    up.add_argument("--causeway", metavar="BINARY", help="the agent to install in docker-desktop and to boot")
    up.add_argument("--wsl-root", default="/mnt/wsl", choices=("/mnt/wsl", "/wsl"))
    up.add_argument("--no-boot", action="store_true", help="install the agent, but do not run its boot command")
    up.add_argument("--no-helpers", action="store_true", help="without `causeway distro` in the other distros: no docker there")

    run = add("exec", "run a command in a distro with this terminal, its exit code and signals")
    run.add_argument("-u", "--user", default="root")
    run.add_argument("-w", "--workdir")
    run.add_argument("-e", "--env", action="append", default=[], metavar="KEY=VALUE")
    run.add_argument("--engine-namespace", action="store_true",
                     help="inside the namespaces that `causeway init` made in docker-desktop")
    run.add_argument("distro")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD…")

    start = add("start", "start a distro, with a fresh disk if it has none")
    start.add_argument("--no-helper", action="store_true", help="without `causeway distro`")
    start.add_argument("distro")
    stop = add("stop", "kill all of a distro; says whether its disk is released (exit code 3: busy)")
    stop.add_argument("--clean-shutdown", action="store_true",
                      help="first unmount all below <wsl>, as a systemd distro's shutdown does")
    stop.add_argument("distro")
    status = add("status", "show the VM (exit code 1: none runs)")
    status.add_argument("--json", action="store_true")
    wait = add("wait", "wait until the engine in docker-desktop answers and the running distros are integrated")
    wait.add_argument("--timeout", type=float, default=90, metavar="SECONDS")
    add("load-busybox", "import this machine's static busybox as the image busybox, if it is not there")
    down = add("down", "end the VM and remove all it took from this machine")
    down.add_argument("--keep-disks", action="store_true", help="the next `up` finds the distros as they are")
    windows = add("windows", "Windows beside the VM, under Wine: start or join it, print exports for programs that use its pipe, end it")
    windows.add_argument("action", choices=("up", "env", "down", "serve"), metavar="up|env|down")
    windows.add_argument("ready", nargs="?", type=int, help=argparse.SUPPRESS)  # of `serve`, which `up` starts
    add("sweep", "remove what killed VMs left on this machine, disks too")
    return parser.parse_args()


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    options = parse()
    vm = Vm(options.state)
    try:
        if os.geteuid() != 0:
            raise VmError("needs root (namespaces, mounts, loop devices)")
        return globals()["do_" + options.command.replace("-", "_")](vm, options) or 0
    except VmError as error:
        print(f"wslvm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def do_up(vm, options):
    started = vm.up(options.distros.split(","), causeway=options.causeway, wsl_root=options.wsl_root,
                    boot=not options.no_boot, helpers=not options.no_helpers)
    print(f"the VM {'started' if started else 'already runs'} in {vm.state_dir}")


def do_exec(vm, options):
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise VmError("exec: no command given")
    environment = dict(pair.partition("=")[::2] for pair in options.env)
    session = vm.session(options.distro, argv, user=options.user, folder=options.workdir,
                         environment=environment, engine_namespace=options.engine_namespace)
    return session.run(vm.id())


def do_start(vm, options):
    vm.start(options.distro, helper=not options.no_helper)


def do_stop(vm, options):
    reply = vm.stop(options.distro, options.clean_shutdown)
    print(f"{reply['name']}: disk {reply['disk']}")
    for user in reply["holders"]:
        what = f"mount {user['mount']}" if "mount" in user else f"descriptor {user['fd']}"
        print(f"  held by {user['where']} (pid {user['pid']}): {what}")
    return 0 if reply["disk"] == "released" else 3


def do_status(vm, options):
    status = vm.status()
    if options.json:
        print(json.dumps(status, indent=1))
        return
    print(f"VM {status['id']} in {status['state']}, process {status['holder']}, <wsl> is {status['wsl_root']}")
    for name, facts in status["distros"].items():
        state = f"running, process {facts['host_pid']}" if facts["running"] else "stopped"
        print(f"  {name:16} {state}")
        if facts["boot"]:
            boot = facts["boot"]
            state = f"running, log {boot['log']}" if boot["running"] else f"ended with {boot['status']}"
            print(f"  {'':16} {' '.join(boot['argv'][:2])}: {state}")


def do_wait(_vm, options):
    from .engine import EngineVm  # here: it would double the start-up time of `exec`
    vm = EngineVm(options.state)
    begun = time.monotonic()
    terminal = sys.stderr.isatty()

    def progress(text):
        print(f"\r\033[Kwaiting for the engine, {time.monotonic() - begun:.1f} s: {text[:90]}", end="",
              file=sys.stderr, flush=True)

    try:
        vm.wait_engine(options.timeout, progress if terminal else None)
    finally:
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(f"the engine answers after {time.monotonic() - begun:.2f} s")


def do_load_busybox(_vm, options):
    from .engine import EngineVm
    EngineVm(options.state).load_busybox()


def do_windows(_vm, options):
    from windows import beside_vm
    return beside_vm.run(options.action, options.state, options.ready)


def do_down(vm, options):
    vm.down(keep_disks=options.keep_disks)


def do_sweep(_vm, _options):
    failed = False
    with marks.exclusive():
        for dead in sweep():
            print(f"swept VM {dead['id']} of {dead['state']}" + "".join(f"\n  {line}" for line in dead["left"]))
            failed = failed or bool(dead["left"])
        marks.tidy_folder()
    return 1 if failed else 0
