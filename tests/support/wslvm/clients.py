"""Commands in distros with bytes in and out."""

import textwrap


def docker(vm, *arguments, check=True, **options):
    """The docker CLI in the distro Ubuntu, with bytes in and out: CompletedProcess."""
    done = vm.docker(*arguments, check=False, text=False, **options)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.returncode}\n{done.stderr.decode()}"
    return done


def shell(vm, script, distro="Ubuntu", check=True, **options):
    """A shell script in a distro, bytes in and out."""
    done = vm.exec(distro, ["sh", "-c", textwrap.dedent(script)], check=False, text=False, **options)
    assert not check or done.returncode == 0, f"{script}\n{done.returncode}\n{done.stderr.decode()}"
    return done


def engine_shell(vm, script, **options):
    """The same in the engine's own mount namespace."""
    return shell(vm, script, distro="docker-desktop", engine_namespace=True, **options)
