"""The engine API endpoint, used by real clients in the distro Ubuntu against real dockerd: what passes through, and how."""

import concurrent.futures
import hashlib
import json
import select
import socket

import pytest
from polling import poll
from wslvm.api import IMAGE
from wslvm.clients import docker, engine_shell, shell

MIB = 1 << 20


def sessions(vm):
    code, status = vm.control("/v1/status")
    assert code == 200
    return next(entry["connections"] for entry in status["sockets"]
                if entry["path"] == "/run/docker.sock" and entry["purpose"].endswith("Ubuntu"))


@pytest.fixture(scope="module")
def busybox(vm):
    """A container in which commands can be run: its name. It runs for the whole module."""
    docker(vm, "run", "-d", "--name", "steady", "--init", IMAGE, "sleep", "1000000")
    yield "steady"
    docker(vm, "rm", "-f", "steady")


def random_bytes(count, seed=b"causeway"):
    """Deterministic bytes that do not compress."""
    return hashlib.shake_256(seed).digest(count)


def test_version_and_info(vm):
    versions = json.loads(docker(vm, "version", "--format", "{{json .}}").stdout)
    assert versions["Server"]["Version"]
    info = json.loads(docker(vm, "info", "--format", "{{json .}}").stdout)
    assert info["LiveRestoreEnabled"] is True
    assert info["LoggingDriver"] == "json-file"
    assert info["Driver"] == "overlay2"


def test_run_with_stdin(vm):
    data = random_bytes(3 * MIB)
    result = docker(vm, "run", "--rm", "-i", IMAGE, "cat", input=data)
    assert result.stdout == data


def test_run_passes_exit_code_and_both_outputs(vm):
    result = docker(vm, "run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, b"out\n", b"err\n")


def test_exec_with_piped_stdin_ends_at_half_close(vm, busybox):
    """`cat | md5sum` can only answer when the end of the input has come through, while the output is still open."""
    data = random_bytes(5 * MIB, b"exec")
    result = docker(vm, "exec", "-i", busybox, "md5sum", input=data)
    assert result.stdout.split()[0].decode() == hashlib.md5(data).hexdigest()


def test_exec_without_stdin_and_exit_code(vm, busybox):
    assert docker(vm, "exec", busybox, "sh", "-c", "exit 3", check=False).returncode == 3


def test_attach_gets_output_and_exit_code(vm):
    docker(vm, "create", "-i", "--name", "attached", IMAGE, "sh", "-c", "read line; echo got $line; exit 5")
    try:
        result = docker(vm, "start", "-a", "-i", "attached", input=b"words\n", check=False)
        assert (result.returncode, result.stdout) == (5, b"got words\n")
    finally:
        docker(vm, "rm", "-f", "attached")


def test_attach_to_a_running_container(vm):
    """The container lives on: of one that ends at once docker's own attach loses the output, without us too (58 of 60)."""
    docker(vm, "run", "-d", "-i", "--name", "attached", IMAGE, "sh", "-c", "read a; read b; echo $a and $b; exec sleep 1000000")
    try:
        client = vm.docker_popen("attach", "--sig-proxy=false", "attached")
        client.stdin.write(b"one\ntwo\n")
        client.stdin.flush()
        assert client.stdout.readline() == b"one and two\n"
        client.kill()
        client.communicate()
    finally:
        docker(vm, "rm", "-f", "attached")


def test_logs_follow_sees_every_line_and_ends_with_the_container(vm):
    docker(vm, "run", "-d", "-i", "--name", "talker", IMAGE, "sh", "-c",
              "read start; i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")
    try:
        follower = vm.docker_popen("logs", "-f", "talker", stderr=None)
        docker(vm, "attach", "--no-stdin=false", "talker", input=b"go\n")
        out, _ = follower.communicate(timeout=120)
        assert out.decode().split("\n")[:-1] == [f"line {i}" for i in range(5000)]
    finally:
        docker(vm, "rm", "-f", "talker")


def test_events_arrive_while_they_happen(vm):
    events = vm.docker_popen("events", "--filter", "type=container", "--format", "{{.Action}} {{.Actor.Attributes.name}}",
                             stderr=None)
    try:
        # The subscription is there when its first event comes: make containers until one is seen.
        for attempt in range(50):
            docker(vm, "run", "--rm", "--name", f"eventful{attempt}", IMAGE, "true")
            if select.select([events.stdout], [], [], 0.2)[0]:
                break
        # The next one's are all seen, in their order, behind what is left of the others'.
        docker(vm, "run", "--rm", "--name", "whole", IMAGE, "true")
        seen = []
        while "destroy whole" not in seen:
            seen.append(events.stdout.readline().decode().strip())
        assert [line.split()[0] for line in seen if line.endswith(" whole")] == ["create", "attach", "start", "die", "destroy"]
    finally:
        events.kill()
        events.wait()


def test_copy_both_ways(vm, busybox):
    data = random_bytes(2 * MIB, b"cp")
    script = f"""
        set -e
        cat > /tmp/in
        docker cp /tmp/in {busybox}:/copied
        docker cp {busybox}:/copied /tmp/out
        cat /tmp/out
        rm -f /tmp/in /tmp/out"""
    assert shell(vm, script, input=data).stdout == data


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_build(vm, buildkit):
    """Classic: a tar is uploaded while the answer streams. BuildKit: /session and /grpc are upgraded to HTTP/2."""
    script = f"""
        set -e
        rm -rf /tmp/context && mkdir /tmp/context && cd /tmp/context
        head -c 8388608 /dev/urandom > big
        printf 'FROM {IMAGE}\\nARG WHO\\nCOPY big /big\\nRUN echo built for $WHO > /greeting\\n' > Dockerfile
        DOCKER_BUILDKIT={buildkit} docker build -q --build-arg WHO=causeway{buildkit} -t built:{buildkit} . >/dev/null
        docker run --rm built:{buildkit} sh -c 'cat /greeting; md5sum < /big'
        md5sum < big
        rm -rf /tmp/context
        docker rmi -f built:{buildkit} >/dev/null"""
    greeting, inside, outside = shell(vm, script).stdout.decode().splitlines()
    assert greeting == f"built for causeway{buildkit}"
    assert inside == outside


def test_build_that_fails_early_says_why(vm):
    """The answer comes while the upload still runs."""
    script = """
        rm -rf /tmp/context && mkdir /tmp/context && cd /tmp/context
        head -c 50000000 /dev/zero > big
        echo 'NONSENSE' > Dockerfile
        DOCKER_BUILDKIT=0 docker build . ; code=$?
        rm -rf /tmp/context
        exit $code"""
    result = shell(vm, script, check=False)
    assert result.returncode != 0
    assert b"unknown instruction" in result.stderr.lower()


def test_save_and_load_of_one_gib_with_equal_hash(vm):
    """1 GiB up (import), down (save) and up again (load); the image's content hash is its id."""
    script = """
        set -e
        cd /var/tmp && mkdir -p gib && cd gib
        openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000 \
            -in /dev/zero 2>/dev/null | head -c 1073741824 > data || true
        sha256sum < data
        tar cf - data | docker import - gib:1 > id1
        docker save gib:1 | tee saved.tar | sha256sum
        docker rmi gib:1 >/dev/null
        docker load -q < saved.tar >/dev/null
        docker inspect -f '{{.Id}}' gib:1 | cmp - id1
        docker save gib:1 | sha256sum
        docker create --name gib gib:1 none >/dev/null
        docker cp gib:/data - | tar xOf - | sha256sum
        docker rm gib >/dev/null
        docker rmi gib:1 >/dev/null
        cd .. && rm -rf gib"""
    source, saved, saved_again, inside = shell(vm, script, timeout=600).stdout.split(b"  -\n")[:4]
    assert source == inside
    assert saved == saved_again


def test_compose_up_and_down(vm):
    script = f"""
        set -e
        rm -rf /tmp/project && mkdir /tmp/project && cd /tmp/project
        cat > docker-compose.yml <<'YML'
        version: "3"
        services:
          server:
            image: {IMAGE}
            command: sh -c "mkdir /www; echo served > /www/index.html; httpd -f -p 8080 -h /www"
          client:
            image: {IMAGE}
            depends_on: [server]
            command: sh -c "until wget -q -O- http://server:8080/; do usleep 100000; done"
        YML
        docker-compose up -d 2>/dev/null
        docker wait project_client_1
        docker-compose logs --no-color client 2>/dev/null | grep -o served
        docker-compose down 2>/dev/null
        docker ps -aq --filter label=com.docker.compose.project=project | wc -l
        rm -rf /tmp/project"""
    code, served, left = shell(vm, script, timeout=180).stdout.decode().split()
    assert (code, served, left) == ("0", "served", "0")


@pytest.mark.parametrize("propagation", ["rslave", "rshared"])
def test_volumes_with_propagation(vm, propagation):
    """A mount made in the engine's namespace after the container's start is seen inside; with rshared also the other way round."""
    name = f"prop-{propagation}"
    source = f"/data/test/{name}"
    engine_shell(vm, f"mkdir -p {source} && mount -t tmpfs none {source} && mount --make-shared {source}")
    try:
        # As a client in docker-desktop itself: only that one means the engine's own paths.
        docker(vm, "run", "-d", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--name", name, "-v",
               f"{source}:/v:{propagation}", IMAGE, "sleep", "1000000", distro="docker-desktop", engine_namespace=True,
               environment={"DOCKER_HOST": "unix:///run/causeway/engine.sock"})
        engine_shell(vm, f"mkdir {source}/sub && mount -t tmpfs none {source}/sub && echo late > {source}/sub/f")
        assert docker(vm, "exec", name, "cat", "/v/sub/f").stdout == b"late\n"
        docker(vm, "exec", name, "sh", "-c", "mkdir /v/inner && mount -t tmpfs none /v/inner && echo inner > /v/inner/f")
        seen = engine_shell(vm, f"cat {source}/inner/f", check=False)
        assert (seen.stdout == b"inner\n") == (propagation == "rshared")
    finally:
        docker(vm, "rm", "-f", name)
        engine_shell(vm, f"umount -R {source} && rmdir {source}")


def test_docker_socket_mounted_in_a_container_reaches_the_api(vm, programs):
    result = docker(vm, "run", "--rm", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", f"{programs}:/programs:ro",
                    IMAGE, "/programs/http_call", "/var/run/docker.sock", "GET", "/_ping")
    assert result.stdout.endswith(b"OK")


def test_parallel_clients(vm, busybox):
    def one(index):
        data = random_bytes(200_000, str(index).encode())
        return docker(vm, "exec", "-i", busybox, "md5sum", input=data).stdout.split()[0].decode() == hashlib.md5(data).hexdigest()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(48)))


def test_a_client_that_goes_away_cancels_the_engines_side(vm, busybox):
    """`docker events` killed: dockerd's connection for it must end too, or each lost client would leave one."""
    before = sessions(vm)
    clients = [vm.docker_popen("events") for _ in range(10)]
    poll(lambda: sessions(vm) >= before + 10, "ten clients are connected")
    for client in clients:
        client.kill()
        client.communicate()
    poll(lambda: sessions(vm) <= before, "their sessions are gone")


# Each is answered with 400 (431: the head too large) and a closed connection; "Bad input" of the endpoint. dockerd must not see any of it.
SMUGGLING = {
    "both lengths": b"POST /v1.41/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "chunk size with sign": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nabcde\r\n0\r\n\r\n",
    "chunk size overflow": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "folded field": b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\n\r\n",
    "nul in a field": b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: a\0b\r\n\r\n",
    "bare line feeds": b"GET /_ping HTTP/1.1\nHost: d\n\n",
    "blank before the colon": b"GET /_ping HTTP/1.1\r\nHost : d\r\n\r\n",
    "other transfer coding": b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "head too large": b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"a" * (2 * MIB) + b"\r\n\r\n",
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_bad_requests_get_400_and_never_reach_dockerd(vm, name):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(vm.socket_path("engine.sock"))
        try:
            client.sendall(SMUGGLING[name])
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 " if name == "head too large" else b"HTTP/1.1 400 "), answer
    assert json.loads(body)["message"]
