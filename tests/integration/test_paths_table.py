"""Every call that carries a path, held against docker's own behaviour: a dockerd without Causeway in the same distro gets the same call.
Status codes, error texts, what the container sees, and what inspect, list, volumes and df tell, must be the same."""

import os
import re
import stat
import subprocess

import pytest
from wslvm.api import IMAGE, fresh_name, identity, query
from wslvm.folders import fresh_folder

# What the container finds at /w, in a form that shows type, owner and content.
LOOK = ["sh", "-c", "if [ -d /w ]; then stat -c '%F %u:%g %a' /w; ls -A /w; cat /w/f; elif [ -e /w ]; then stat -c '%F %u:%g %a' /w; cat /w; "
                    "else echo nothing; fi; grep -c ' /w ' /proc/self/mountinfo; grep ' /w ' /proc/self/mountinfo | grep -o ' r[ow],' | head -n 1; "
                    "echo back >/w/back; true"]


@pytest.fixture(scope="module")
def ours(vm):
    return identity(vm, "Ubuntu")


@pytest.fixture
def place(vm):
    """The same files for both engines, each in turn: call it to have them fresh."""
    base = fresh_folder(vm, "Ubuntu")

    def fresh():
        base.remove()
        os.makedirs(base.host)
        os.chown(base.host, 1000, 1000)
        base.write("dir/f", "of the folder\n")
        base.write("dir/sub/g", "deeper\n")
        base.write("a file", "of the file\n")
        base.write("ünïcode 文件/f", "unicode\n")
        base.make("read-only")
        vm.exec("Ubuntu", ["mount", "-t", "tmpfs", "-o", "ro", "none", f"{base.path}/read-only"])
        os.symlink("nowhere", f"{base.host}/dangling")
        os.symlink("loop", f"{base.host}/loop")
        return base
    yield fresh
    base.remove()


def tidy(text):
    """Without what two engines can't have in common: ids, their data folders, descriptor numbers."""
    if text is None:
        return None
    text = re.sub(r"\b[0-9a-f]{64}\b", "ID", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"/proc/self/fd/\d+", "/proc/self/fd/N", text)
    text = re.sub(r"/[a-z/-]*/docker/(volumes|overlay2)/", r"ROOT/\1/", text)
    return text


def tidy_mounts(mounts):
    """As inspect and list print them. The place of a volume is the engine's own business."""
    kept = []
    for mount in mounts:
        mount = dict(mount)
        if mount["Type"] == "volume":
            mount["Source"] = tidy(mount.get("Source"))
            mount["Name"] = tidy(mount.get("Name"))
            mount["Source"] = re.sub(r"volumes/.*", "volumes/…", mount["Source"] or "")
        kept.append(mount)
    return sorted(kept, key=lambda m: m["Destination"])


def life_of_a_container(api, host, spell=True):
    """All that a client can see of a container with this HostConfig: as data that two engines must agree on. `spell`: also how its
    request is given back; False where ours says a path in its clean form and docker repeats what it was told."""
    facts = {}
    name = fresh_name("row-")
    created = api("POST", f"/containers/create?name={name}", {"Image": IMAGE, "Cmd": LOOK, "Tty": True,
                                                              "HostConfig": {"NetworkMode": "none", **host}})
    facts["create"] = (created.status, tidy(created.message), (created.body or {}).get("Warnings"))
    if created.status != 201:
        return facts
    container = created.body["Id"]
    try:
        started = api.start(container)
        facts["start"] = (started.status, tidy(started.message))
        if started.status == 204:
            facts["wait"] = api.good("POST", f"/containers/{container}/wait").body["StatusCode"]
            facts["output"] = tidy(api.good("GET", f"/containers/{container}/logs?stdout=1&stderr=1").data.decode())
        shown = api.inspect(container)
        facts["state"] = (shown["State"]["Status"], shown["State"]["ExitCode"], tidy(shown["State"]["Error"]))
        facts["mounts"] = tidy_mounts(shown["Mounts"])
        listed = api.good("GET", "/containers/json" + query(all="1", filters={"id": [container]})).body
        facts["listed"] = tidy_mounts(listed[0]["Mounts"])
        facts["df"] = [tidy_mounts(c["Mounts"]) for c in api.good("GET", "/system/df").body["Containers"] if c["Id"] == container]
        if spell:
            facts["host"] = {key: shown["HostConfig"].get(key) for key in ("Binds", "Mounts", "VolumesFrom", "Tmpfs")}
        # A second start, as a user tries it.
        again = api.start(container)
        facts["again"] = (again.status, tidy(again.message))
    finally:
        api.remove(container)
        api("DELETE", "/volumes/rowvolume")
    return facts


def left_in(base):
    """Names, types, owners and modes below the folder: what the calls have made, changed or taken away."""
    found = []
    for folder, names, files in os.walk(base.host):
        for name in sorted([*names, *files]):
            info = os.lstat(f"{folder}/{name}")
            found.append((f"{folder}/{name}".removeprefix(base.host), stat.filemode(info.st_mode), info.st_uid, info.st_gid))
    return sorted(found)


def compare(plain, ours, place, act):
    results = []
    for api in (plain, ours):
        base = place()
        facts = act(api, base)
        results.append({**facts, "left": left_in(base)})
    expected, got = results
    different = {key: {"docker": expected.get(key), "ours": got.get(key)} for key in {*expected, *got} if expected.get(key) != got.get(key)}
    assert not different, "\n".join(f"{key}:\n  docker {value['docker']}\n  ours   {value['ours']}" for key, value in different.items())


# {b} is the folder with the files. Binds as strings.
BINDS = {
    "a folder": "{b}/dir:/w",
    "read-only": "{b}/dir:/w:ro",
    "read-write": "{b}/dir:/w:rw",
    "with labels": "{b}/dir:/w:z",
    "no copy": "{b}/dir:/w:nocopy",
    "rslave": "{b}/dir:/w:rslave",
    "rshared, read-only": "{b}/dir:/w:ro,rshared",
    "private": "{b}/dir:/w:private",
    "an unknown option": "{b}/dir:/w:fast",
    "an empty option": "{b}/dir:/w:",
    "options twice": "{b}/dir:/w:ro:rw",
    "a file": "{b}/a file:/w",
    "a file on a folder": "{b}/a file:/etc",
    "a folder on a file": "{b}/dir:/etc/passwd",
    "unicode and blanks": "{b}/ünïcode 文件:/w",
    "missing": "{b}/made by docker:/w",
    "missing, deep": "{b}/made/by/docker:/w",
    "missing, read-only": "{b}/made:/w:ro",
    "missing on a read-only mount": "{b}/read-only/made:/w",
    "missing below a file": "{b}/a file/made:/w",
    "a component too long": "{b}/" + "n" * 300 + ":/w",
    "an anonymous volume": "/w",
    "a named volume": "rowvolume:/w",
    "a name that can't be": "dir/sub:/w",
    "a dot": "./dir:/w",
    "empty": "",
    "a colon": ":",
    "no source": ":/w",
    "no destination": "{b}/dir:",
    "a relative destination": "{b}/dir:w",
    "the root as destination": "{b}/dir:/",
    "a destination with dots": "{b}/dir:/w/../w",
    "proc": "/proc:/w/proc:ro",
    "a device": "/dev/null:/w",
}
# Ours give a path back in its clean form (map(unmap(path)) must be the same file); docker repeats what it was told.
UNCLEAN = {
    "a file, as a folder": "{b}/a file/:/w",
    "a slash at the end": "{b}/dir/:/w",
    "two slashes": "{b}//dir:/w",
    "dots": "{b}/./dir/../dir/sub/..:/w",
    "above the root": "/../../..{b}/dir:/w",
}


@pytest.mark.parametrize("row", BINDS)
def test_binds(plain, ours, place, row):
    compare(plain, ours, place, lambda api, base: life_of_a_container(api, {"Binds": [BINDS[row].format(b=base.path)]}))


@pytest.mark.parametrize("row", UNCLEAN)
def test_binds_that_are_not_clean(plain, ours, place, row):
    compare(plain, ours, place, lambda api, base: life_of_a_container(api, {"Binds": [UNCLEAN[row].format(b=base.path)]}, spell=False))


@pytest.mark.parametrize("row, binds", [
    ("two", ["{b}/dir:/w", "{b}/a file:/x"]), ("the same target twice", ["{b}/dir:/w", "{b}/dir/sub:/w"]),
    ("one in another", ["{b}/dir:/w", "{b}/dir/sub:/w/inner"]), ("none", []), ("null", None),
    ("one good, one bad", ["{b}/dir:/w", "bad/name:/x"]),
])
def test_several_binds(plain, ours, place, row, binds):
    compare(plain, ours, place, lambda api, base: life_of_a_container(
        api, {"Binds": binds and [bind.format(b=base.path) for bind in binds]}))


MOUNTS = {
    "a folder": {"Type": "bind", "Source": "{b}/dir", "Target": "/w"},
    "a file": {"Type": "bind", "Source": "{b}/a file", "Target": "/w"},
    "unicode and blanks": {"Type": "bind", "Source": "{b}/ünïcode 文件", "Target": "/w"},
    "read-only": {"Type": "bind", "Source": "{b}/dir", "Target": "/w", "ReadOnly": True},
    "rslave": {"Type": "bind", "Source": "{b}/dir", "Target": "/w", "BindOptions": {"Propagation": "rslave"}},
    "a bad propagation": {"Type": "bind", "Source": "{b}/dir", "Target": "/w", "BindOptions": {"Propagation": "fast"}},
    "not recursive": {"Type": "bind", "Source": "{b}/dir", "Target": "/w", "BindOptions": {"NonRecursive": True}},
    "missing": {"Type": "bind", "Source": "{b}/missing", "Target": "/w"},
    "missing, to be made": {"Type": "bind", "Source": "{b}/missing", "Target": "/w", "BindOptions": {"CreateMountpoint": True}},
    "missing, deep": {"Type": "bind", "Source": "{b}/no/such/folder", "Target": "/w"},
    "below a file": {"Type": "bind", "Source": "{b}/a file/x", "Target": "/w"},
    "a component too long": {"Type": "bind", "Source": "{b}/" + "n" * 300, "Target": "/w"},
    "no source": {"Type": "bind", "Target": "/w"},
    "an empty source": {"Type": "bind", "Source": "", "Target": "/w"},
    "a relative source": {"Type": "bind", "Source": "dir/sub", "Target": "/w"},
    "no target": {"Type": "bind", "Source": "{b}/dir"},
    "a relative target": {"Type": "bind", "Source": "{b}/dir", "Target": "w"},
    "the root as target": {"Type": "bind", "Source": "{b}/dir", "Target": "/"},
    "no type": {"Source": "{b}/dir", "Target": "/w"},
    "the type in capitals": {"Type": "BIND", "Source": "{b}/dir", "Target": "/w"},
    "a named pipe": {"Type": "npipe", "Source": "{b}/dir", "Target": "/w"},
    "with volume options": {"Type": "bind", "Source": "{b}/dir", "Target": "/w", "VolumeOptions": {"NoCopy": True}},
    "a volume": {"Type": "volume", "Source": "rowvolume", "Target": "/w"},
    "a volume with a path": {"Type": "volume", "Source": "{b}/dir", "Target": "/w"},
    "an anonymous volume": {"Type": "volume", "Target": "/w"},
    "tmpfs": {"Type": "tmpfs", "Target": "/w"},
    "tmpfs with a source": {"Type": "tmpfs", "Source": "{b}/dir", "Target": "/w"},
    "a volume with a device": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Name": "local", "Options": {"type": "none", "o": "bind", "device": "{b}/dir"}}}},
    "a volume with a device, no driver's name": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Options": {"type": "none", "o": "bind", "device": "{b}/dir"}}}},
    "a volume with a missing device": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Name": "local", "Options": {"type": "none", "o": "bind", "device": "{b}/missing"}}}},
    "a volume with a read-only device": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Name": "local", "Options": {"type": "none", "o": "bind,ro", "device": "{b}/dir"}}}},
    "a volume of tmpfs": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}}},
    "a volume with an unknown option": {"Type": "volume", "Target": "/w", "VolumeOptions": {"DriverConfig": {
        "Name": "local", "Options": {"devices": "{b}/dir"}}}},
}


def filled(value, base):
    if isinstance(value, dict):
        return {key: filled(inner, base) for key, inner in value.items()}
    return value.format(b=base.path) if isinstance(value, str) else value


@pytest.mark.parametrize("row", MOUNTS)
def test_mounts(plain, ours, place, row):
    compare(plain, ours, place, lambda api, base: life_of_a_container(api, {"Mounts": [filled(MOUNTS[row], base)]}))


# Where ours differ on purpose: docker makes the container of such a bind, and each start fails, for the last one with half of the
# folders made. Ours are refused at once: dockerd would follow a link in the engine's root, and where it leads can't be said.
LEADS_NOWHERE = {"a dangling link": "{b}/dangling", "a link in a circle": "{b}/loop",
                 "a path too long": "{b}/" + "/".join(["n" * 200] * 25)}


@pytest.mark.parametrize("field", ["Binds", "Mounts"])
@pytest.mark.parametrize("row", LEADS_NOWHERE)
def test_sources_that_lead_nowhere_are_refused(plain, ours, place, row, field):
    def host(base):
        source = LEADS_NOWHERE[row].format(b=base.path)
        return {"Binds": [f"{source}:/w"]} if field == "Binds" else {"Mounts": [{"Type": "bind", "Source": source, "Target": "/w"}]}
    facts = life_of_a_container(plain, host(place()))
    told = facts["create"][0], facts.get("start", [None])[0]
    assert told == ((201, 500) if field == "Binds" else (400, None)), f"docker does something else now: {facts}"
    base = place()
    before = left_in(base)
    answer = ours.create(host=host(base))
    assert answer.status == 400 and "invalid mount source" in answer.message, answer
    assert "/mnt/distro" not in answer.message
    assert left_in(base) == before


# Sources that change between create and start -----------------------------------------------------------------


def after_create(change, field):
    def act(api, base):
        host = {"Binds": [f"{base.path}/dir:/w"]} if field == "Binds" else {
            "Mounts": [{"Type": "bind", "Source": f"{base.path}/dir", "Target": "/w"}]}
        created = api.good("POST", "/containers/create", {"Image": IMAGE, "Cmd": LOOK, "Tty": True, "HostConfig": {"NetworkMode": "none", **host}})
        container = created.body["Id"]
        try:
            change(base)
            started = api.start(container)
            facts = {"start": (started.status, tidy(started.message))}
            if started.status == 204:
                api.good("POST", f"/containers/{container}/wait")
                facts["output"] = api.good("GET", f"/containers/{container}/logs?stdout=1&stderr=1").data.decode()
            restarted = api("POST", f"/containers/{container}/restart?t=0")
            facts["restart"] = (restarted.status, tidy(restarted.message))
            facts["error"] = tidy(api.inspect(container)["State"]["Error"])
            return facts
        finally:
            api.remove(container)
    return act


def source_removed(base):
    os.rename(f"{base.host}/dir", f"{base.host}/elsewhere")


def source_replaced_by_a_file(base):
    source_removed(base)
    base.write("dir", "a file now\n")


def source_replaced_by_a_folder(base):
    source_removed(base)
    base.write("dir/f", "another folder\n")


@pytest.mark.parametrize("field", ["Binds", "Mounts"])
@pytest.mark.parametrize("change", [source_removed, source_replaced_by_a_file, source_replaced_by_a_folder])
def test_a_source_that_changes_before_the_start(plain, ours, place, change, field):
    compare(plain, ours, place, after_create(change, field))


# Volumes ------------------------------------------------------------------------------------------------------

VOLUMES = {
    "a device": {"Driver": "local", "DriverOpts": {"type": "none", "o": "bind", "device": "{b}/dir"}},
    "rbind": {"Driver": "local", "DriverOpts": {"type": "none", "o": "rbind", "device": "{b}/dir"}},
    "no driver": {"DriverOpts": {"type": "none", "o": "bind", "device": "{b}/dir"}},
    "with blanks": {"Driver": "local", "DriverOpts": {"type": "none", "o": "bind", "device": "{b}/ünïcode 文件"}},
    "missing": {"Driver": "local", "DriverOpts": {"type": "none", "o": "bind", "device": "{b}/missing"}},
    "an empty device": {"Driver": "local", "DriverOpts": {"type": "none", "o": "bind", "device": ""}},
    "no type": {"Driver": "local", "DriverOpts": {"o": "bind", "device": "{b}/dir"}},
    "no device": {"Driver": "local", "DriverOpts": {"type": "none", "o": "bind"}},
    "tmpfs": {"Driver": "local", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}},
    "an unknown option": {"Driver": "local", "DriverOpts": {"mountpoint": "{b}/dir"}},
    "an unknown driver": {  # docker looks for it for 15 s
        "Driver": "nosuchdriver", "DriverOpts": {"type": "none", "o": "bind", "device": "{b}/dir"}},
    "a bad name": {"Name": "a/b", "Driver": "local", "DriverOpts": {"type": "none", "o": "bind", "device": "{b}/dir"}},
    "plain": {},
}


def tidy_volume(volume):
    return {key: tidy(value) if isinstance(value, str) and key != "Options" else value
            for key, value in volume.items() if key not in ("CreatedAt", "Mountpoint", "Name")}


@pytest.mark.parametrize("row", VOLUMES)
def test_volumes(plain, ours, place, row):
    def act(api, base):
        name = "row-volume"
        facts = {}
        created = api("POST", "/volumes/create", {"Name": name, **filled(VOLUMES[row], base)})
        facts["create"] = (created.status, tidy(created.message))
        if created.status != 201:
            return facts
        try:
            facts["created"] = tidy_volume(created.body)
            facts["inspected"] = tidy_volume(api.good("GET", f"/volumes/{name}").body)
            facts["listed"] = [tidy_volume(v) for v in api.good("GET", "/volumes" + query(filters={"name": [name]})).body["Volumes"]]
            facts["df"] = [{**tidy_volume(v), "UsageData": None} for v in api.good("GET", "/system/df").body["Volumes"] if v["Name"] == name]
            facts["container"] = life_of_a_container(api, {"Binds": [f"{name}:/w"]})
            again = api("POST", "/volumes/create", {"Name": name, **filled(VOLUMES[row], base)})
            facts["again"] = (again.status, tidy(again.message))
        finally:
            facts["removed"] = api("DELETE", f"/volumes/{name}").status
        return facts
    compare(plain, ours, place, act)


# A relative device begins at dockerd's working directory, which is the root: of the distro, as docker itself has it. Ours give it back
# in its clean form.
@pytest.mark.parametrize("device", ["{b}/dir", "./{b}/dir", "{b}/../{b}/dir/", "../{b}/dir", "{b}/missing", "etc", "./etc"])
@pytest.mark.parametrize("field", ["volume", "DriverConfig"])
def test_a_relative_device_of_a_volume(vm, plain, ours, place, device, field):
    name = fresh_name("distro-only-")
    vm.exec("Ubuntu", ["sh", "-c", f"echo of Ubuntu >/etc/{name}"])

    def act(api, base):
        options = {"type": "none", "o": "bind", "device": device.replace("{b}/../", "home/../").replace("{b}", base.path.lstrip("/"))}
        if field == "volume":
            created = api("POST", "/volumes/create", {"Name": "relative", "Driver": "local", "DriverOpts": options})
            mount = {"Type": "volume", "Source": "relative", "Target": "/w"}
        else:
            created = None
            mount = {"Type": "volume", "Source": "relative", "Target": "/w", "VolumeOptions": {"NoCopy": True, "DriverConfig": {
                "Name": "local", "Options": options}}}
        script = f"cat /w/f; cat /w/{name}; echo back >/w/back-of-test; rm /w/back-of-test; true"
        container = api.create(command=("sh", "-c", script), mounts=[mount])
        facts = {"volume": created and created.status, "create": container.status}
        try:
            started = api.start(container.body["Id"])
            facts["start"] = (started.status, "no such file" in (started.message or ""))
            if started.status == 204:
                api.good("POST", f"/containers/{container.body['Id']}/wait")
                facts["output"] = api.good("GET", f"/containers/{container.body['Id']}/logs?stdout=1&stderr=1").data
        finally:
            api.remove(container.body["Id"])
            api("DELETE", "/volumes/relative")
        return facts
    try:
        compare(plain, ours, place, act)
    finally:
        vm.exec("Ubuntu", ["rm", f"/etc/{name}"])


# What lies below /dev ---------------------------------------------------------------------------------------------


@pytest.fixture
def below_dev(vm):
    """Below /dev of Ubuntu alone: a file in its shared memory, sockets, a pipe, a link to a file of its own."""
    name = fresh_name("dev-")
    vm.exec("Ubuntu", ["sh", "-c", f"echo of Ubuntu >/dev/shm/{name}; mkfifo /dev/{name}.pipe; echo own >/etc/{name}; ln -s /etc/{name} /dev/{name}.link"])
    vm.exec("Ubuntu", ["python3", "-c", f"""import socket
for path in ("/dev/log", "/dev/{name}.sock"):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(path)"""])
    yield name
    vm.exec("Ubuntu", ["sh", "-c", f"rm -rf /dev/shm/{name}* /dev/log /dev/{name}* /etc/{name}"])


BELOW_DEV = {
    "shared memory": ("/dev/shm:/w", "cat /w/NAME"),
    "a file in it": ("/dev/shm/NAME:/w", "cat /w"),
    "a new folder in it": ("/dev/shm/NAME-new/deep:/w", "stat -c '%F %a' /w"),
    "the log's socket": ("/dev/log:/w", "test -S /w && echo a socket"),
    "another socket": ("/dev/NAME.sock:/w", "test -S /w && echo a socket"),
    "a pipe": ("/dev/NAME.pipe:/w", "test -p /w && echo a pipe"),
    "a link": ("/dev/NAME.link:/w", "cat /w"),
    "a device": ("/dev/zero:/w", "test -c /w && head -c 4 /w | od -c"),
    "a folder of devices": ("/dev/net:/w", "test -c /w/tun && ls /w"),
    "all of it": ("/dev:/w", "test -c /w/null && echo there"),
    "a file of the kernel": ("/proc/cpuinfo:/w", "grep -c processor /w"),
}


@pytest.mark.parametrize("row", BELOW_DEV)
def test_below_dev(vm, plain, ours, below_dev, row):
    bind, script = (text.replace("NAME", below_dev) for text in BELOW_DEV[row])
    expected, got = (api.run(script, binds=[bind]) for api in (plain, ours))
    assert got == expected and got
    left = [name for name in os.listdir(f"/proc/{vm.init_pid()}/root/dev") if name.startswith(below_dev)]
    assert left == [] and not os.path.lexists(f"/proc/{vm.init_pid()}/root/dev/log")


# Log drivers, devices, volumes of other kinds: what dockerd opens itself -------------------------------------------


def test_a_log_driver_writes_to_the_distros_socket(vm, plain, ours, ubuntu_folder):
    """syslog over a unix socket in the user's folder: both engines' lines arrive."""
    reader = vm.popen("Ubuntu", ["python3", "-c", f"""import os, socket
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("{ubuntu_folder.path}/log")
os.chmod("{ubuntu_folder.path}/log", 0o666)
print("ready", flush=True)
while True:
    print(listener.recv(4096).decode(errors="replace").strip(), flush=True)"""], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout.readline() == "ready\n"
        for api in (plain, ours):
            options = {"syslog-address": f"unixgram://{ubuntu_folder.path}/log"}
            container = api.created(command=("echo", f"said by {api.name}"), host={"LogConfig": {"Type": "syslog", "Config": options}})
            try:
                started = api.start(container)
                assert started.status == 204, started
                line = reader.stdout.readline()
                assert f"said by {api.name}" in line
                assert api.inspect(container)["HostConfig"]["LogConfig"]["Config"] == options
            finally:
                api.remove(container)
    finally:
        reader.kill()
        reader.wait()


def test_a_device_in_the_distros_files(vm, plain, ours, ubuntu_folder):
    vm.exec("Ubuntu", ["mknod", f"{ubuntu_folder.path}/node", "c", "1", "5"])
    for path in (f"{ubuntu_folder.path}/node", f"{ubuntu_folder.path.lstrip('/')}/node", "/dev/zero"):
        device = {"PathOnHost": path, "PathInContainer": "/dev/mine", "CgroupPermissions": "rwm"}
        expected, got = (api.run("head -c 3 /dev/mine | od -c", host={"Devices": [device]}) for api in (plain, ours))
        assert got == expected and "\\0  \\0  \\0" in got


@pytest.mark.parametrize("parent", ["/causeway.init", "causeway/dockerd", "/x/../causeway.init"])
def test_containers_stay_out_of_the_engines_own_control_groups(ours, parent):
    answer = ours.create(host={"CgroupParent": parent})
    assert answer.status == 400 and "the engine's own" in answer.message, answer


# Lists filtered by a path ---------------------------------------------------------------------------------------

FILTERS = {
    "the source": {"volume": ["{b}/dir"]},
    "the source, old form": {"volume": {"{b}/dir": True}},
    "the destination": {"volume": ["/w"]},
    "another folder": {"volume": ["{b}/other"]},
    "the folder above": {"volume": ["{b}"]},
    "one of two": {"volume": ["{b}/other", "{b}/dir"]},
    "with a label": {"volume": ["{b}/dir"], "label": ["row=1"]},
    "with another label": {"volume": ["{b}/dir"], "label": ["row=2"]},
    "an unknown key": {"volumes": ["{b}/dir"]},
    "a wrong type": {"volume": "{b}/dir"},
}


@pytest.mark.parametrize("row", FILTERS)
def test_lists_filtered_by_a_path(plain, ours, place, row):
    def act(api, base):
        container = api.created(binds=[f"{base.path}/dir:/w"], Labels={"row": "1"})
        try:
            filters = {key: [v.format(b=base.path) for v in value] if isinstance(value, list) else filled(value, base) if isinstance(value, str)
                       else {k.format(b=base.path): v for k, v in value.items()} for key, value in FILTERS[row].items()}
            answer = api("GET", "/containers/json" + query(all="1", filters=filters))
            return {"status": answer.status, "message": tidy(answer.message),
                    "found": [c["Id"] == container for c in answer.body] if answer.status == 200 else None}
        finally:
            api.remove(container)
    compare(plain, ours, place, act)


@pytest.mark.parametrize("target", ["/containers/json?all=1&filters=%7Bnonsense", "/containers/json?filters=", "/containers/json?filters=%5B%5D",
                                    "/containers/json?filters=%7B%22volume%22%3A5%7D", "/volumes?filters=%7Bnonsense"])
def test_filters_that_make_no_sense(plain, ours, target):
    expected, got = plain("GET", target), ours("GET", target)
    assert (got.status, got.message) == (expected.status, expected.message)


# Calls without a container, and forms of calls --------------------------------------------------------------------


@pytest.mark.parametrize("method, target, body", [
    ("GET", "/containers/nosuch/json", None), ("POST", "/containers/nosuch/start", None), ("POST", "/containers/nosuch/restart", None),
    ("DELETE", "/containers/nosuch", None), ("GET", "/volumes/nosuch", None), ("DELETE", "/volumes/nosuch", None),
    ("POST", "/containers/create", {"Image": "nosuchimage", "HostConfig": {"Binds": ["/home/dev:/w"]}}),
    ("POST", "/containers/create", {"Image": "", "HostConfig": {"Binds": ["/home/dev:/w"]}}),
    ("POST", "/containers/create", {"HostConfig": None}),
    ("POST", "/containers/create?name=.bad", {"Image": IMAGE, "HostConfig": {"Binds": ["/home/dev:/w"]}}),
    ("POST", "/containers/create?name=nosuch&platform=linux/nosuch", {"Image": IMAGE, "HostConfig": {"Binds": ["/home/dev:/w"]}}),
    ("PUT", "/containers/create", {"Image": IMAGE}), ("GET", "/containers/create", None),
    ("GET", "/containers/create/json", None), ("POST", "/volumes/create/x", {}),
    ("POST", "/services/create", {"Name": "s"}), ("GET", "/services", None), ("GET", "/tasks", None),
])
def test_answers_of_calls_that_find_nothing(plain, ours, method, target, body):
    expected, got = plain(method, target, body), ours(method, target, body)
    assert (got.status, tidy(got.message)) == (expected.status, tidy(expected.message))
    assert got.headers.get("Content-Type") == expected.headers.get("Content-Type")


@pytest.mark.parametrize("data, kind", [(b"", "application/json"), (b"null", "application/json"), (b"{", "application/json"), (b"[]", "application/json"),
                                        (b'{"Image": 5}', "application/json"), (b"{}", "text/plain"), (b"{}", "application/json; charset=utf-8"),
                                        (b'{"HostConfig": {"Binds": "x"}}', "application/json"),
                                        (b'{"HostConfig": {"Mounts": {}}}', "application/json")])
@pytest.mark.parametrize("target", ["/containers/create", "/volumes/create"])
def test_bodies_that_make_no_sense(plain, ours, target, data, kind):
    """The status is docker's; the text is ours where it is we who refuse."""
    expected, got = (api("POST", target, data=data, headers={"Content-Type": kind}) for api in (plain, ours))
    for api, answer in ((plain, expected), (ours, got)):
        if answer.status == 201 and "volumes" in target:
            api("DELETE", f"/volumes/{answer.body['Name']}")
    if target == "/volumes/create" and expected.status == 201:
        assert got.status == 201, got
        return
    # docker answers 500 where it doesn't look at a body's form first; a request that is wrong is the client's fault here.
    assert got.status == expected.status or (got.status, expected.status) == (400, 500), (expected, got)
    assert got.message and (got.status < 500 or got.message == expected.message)


def by_destination(shown):
    """dockerd prints mounts in another order each time; uptimes in words move on."""
    for entry in shown if isinstance(shown, list) else [shown]:
        entry["Mounts"].sort(key=lambda m: m["Destination"])
        entry.pop("Status", None)
    return shown


def as_ubuntu_names_it(shown):
    """The engine's answer with Ubuntu's names where paths stand, and nowhere else."""
    for entry in shown if isinstance(shown, list) else [shown]:
        for holder in (entry, (entry.get("GraphDriver") or {}).get("Data") or {}):
            for key, value in holder.items():
                if key in ("ResolvConfPath", "HostnamePath", "HostsPath", "LogPath") or key.endswith("Dir"):
                    holder[key] = value.replace("/data/docker/", "/var/lib/docker/")
        for mount in entry["Mounts"] + (entry["HostConfig"].get("Mounts") or []):
            mount["Source"] = mount["Source"].replace("/mnt/distro/Ubuntu/", "/", 1)
        if entry["HostConfig"].get("Binds"):
            entry["HostConfig"]["Binds"] = [bind.replace("/mnt/distro/Ubuntu/", "/", 1) for bind in entry["HostConfig"]["Binds"]]
    return shown


def test_inspect_of_the_same_container_differs_in_nothing_but_paths(vm, ours, place):
    """The engine's own view and the distro's: the same but for the sources."""
    base = place()
    container = ours.created(binds=[f"{base.path}/dir:/w", f"{base.path}/a file:/x:ro"],
                             mounts=[{"Type": "bind", "Source": f"{base.path}/ünïcode 文件", "Target": "/y"}],
                             Labels={"path": f"{base.path}/dir", "text": "/mnt/distro/Ubuntu is a word here"})
    try:
        for target in (f"/containers/{container}/json", f"/containers/{container}/json?size=1", "/containers/json" + query(
                all="1", filters={"id": [container]})):
            mine, engines = (by_destination(api.good("GET", target).body) for api in (ours, identity(vm, "engine")))
            for shown in mine if isinstance(mine, list) else [mine]:
                assert {m["Source"] for m in shown["Mounts"]} == {f"{base.path}/{name}" for name in ("dir", "a file", "ünïcode 文件")}
            for shown in engines if isinstance(engines, list) else [engines]:
                assert all(m["Source"].startswith("/mnt/distro/Ubuntu/home/") for m in shown["Mounts"])
            assert mine == as_ubuntu_names_it(engines)
    finally:
        ours.remove(container)
