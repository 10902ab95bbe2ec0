"""An agent that does everything it can, in a container that holds nothing: what it reaches, and how its run ends."""

from __future__ import annotations

import asyncio
import json
import time

import docker
import pytest

from db.vocabulary import ErrorCode, Phase
from jobs.agents import TemplateAgent
from jobs.containers import ContainerLimits
from jobs.errors import UserError
from jobs.patches import judge, parse_patch
from tests.jobs.git_server import TOKEN
from tests.jobs.workplace import AGENT_POLICY, Rig, Workplace, look_inside

pytestmark = pytest.mark.engine
MIB = 1 << 20


PROBES = {
    "root": "[ $(id -u) = 0 ]",
    "capabilities": "grep -q 'CapEff:.*[1-9a-f]' /proc/self/status",
    "bounding set": "grep -q 'CapBnd:.*[1-9a-f]' /proc/self/status",
    "new privileges": "grep -q 'NoNewPrivs:.*0' /proc/self/status",
    "no seccomp": "grep -q 'Seccomp:.*0' /proc/self/status",
    "write root": "touch /x",
    "write etc": "touch /etc/x",
    "write usr": "touch /usr/local/bin/x",
    "write the program of the session": "echo >> /opt/speckit/lib/speckit_container/session.py",
    "interface": "[ $(ls /sys/class/net | grep -vc '^lo$') -gt 0 ]",
    "route": "[ $(wc -l < /proc/net/route) -gt 1 ]",
    "dns": "timeout 5 getent hosts example.com",
    "loopback of the host": "timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/PORT'",
    "bridge gateway": "timeout 3 bash -c 'exec 3<>/dev/tcp/172.17.0.1/22'",
    "metadata": "timeout 3 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'",
    "docker socket": "ls /var/run/docker.sock /run/docker.sock",
    "gateway socket": "ls /run/speckit-gateway/socket",
    "mount": "mount -t tmpfs none /mnt",
    "user namespace mount": "unshare -Ur mount -t tmpfs none /mnt",
    "chroot": "chroot / true",
    "device": "mknod /tmp/d b 8 0",
    "raw disk": "head -c 1 /dev/sda /dev/vda",
    "kernel log": "dmesg",
    "sysctl": "echo 1 > /proc/sys/kernel/core_pattern",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "keys of other processes": "ls /proc/1/environ && cat /proc/1/environ",
    "end the first process": "kill -9 1",
    "end the clock": "for p in 2 3 4 5 6 7 8 9; do grep -aq ^sleep /proc/$p/cmdline && kill -9 $p && exit; done; false",
    "become another": "su root -c true",
    "sudo": "sudo -n true",
    "set a clock": "date -s 2001-01-01",
    "host name": "hostname other",
    "raw socket": "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'",
    "load a module": "modprobe dummy",
    "trace the first process": "python3 -c 'import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)'",
    "more open files": "ulimit -n 100000",
    "core dump": "ulimit -c 1",
    "a program that becomes root": "su -c true; newgrp root </dev/null; mount; passwd -d root",
}  # fmt: skip


async def test_nothing_is_reached_from_inside(rig: Rig) -> None:
    port = rig.server.base.rsplit(":", 1)[1]
    script = "".join(
        f"if ( {probe.replace('PORT', port)} ) >/dev/null 2>&1 </dev/null; then echo 'REACHED {name}'; fi\n"
        for name, probe in PROBES.items()
    )
    async with rig.workplace() as w:
        await w.take_in()
        report = await w.run(script + "echo done", seconds=100)
        assert report.message.splitlines() == ["done"]


LOOK = (
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; "
    "find /work /baseline /home /tmp /run -xdev -type f -size -2000k -exec cat {} + 2>/dev/null; true"
)


async def test_no_secret_is_to_be_found_while_the_agent_runs(rig: Rig, engine: docker.DockerClient) -> None:
    """Looked at as root, from outside and inside: environments, argument lists, files, and what the engine shows."""
    rig.server.private.add("acme/shop")
    async with rig.workplace() as w:
        await w.take_in()
        running = asyncio.create_task(w.run("sleep 4"))
        await asyncio.sleep(1)
        seen = b""
        for found in engine.api.containers(filters={"label": f"speckit-bot.run={w.run_id}"}):
            seen += json.dumps(engine.api.inspect_container(found["Id"])).encode()
            seen += look_inside(engine, found["Id"], LOOK)
        await running
    assert b"sleep\x004" in seen
    for secret in (TOKEN, TOKEN[4:30], "x-access-token", "eC1hY2Nlc3M"):
        assert secret.encode() not in seen
    assert any(header.startswith("Basic eC1hY2Nlc3MtdG9rZW46") for header in rig.server.authorizations)
    logs = w.stdout.content + w.stderr.content
    assert TOKEN.encode() not in logs


async def refused(w: Workplace, script: str, seconds: float = 30) -> UserError:
    with pytest.raises(UserError) as ended:
        await w.run(script, seconds)
    return ended.value


async def test_an_agent_that_never_ends_is_stopped(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in()
        began = time.monotonic()
        ended = await refused(w, "trap '' TERM INT HUP; while :; do sleep 1; done", seconds=2)
        assert ended.code is ErrorCode.AGENT_TIMED_OUT
        assert "2 seconds" in ended.message
        assert time.monotonic() - began < 15


async def test_an_agent_that_falls_silent_is_stopped(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(agent_idle_seconds=3)) as w:
        await w.take_in()
        ended = await refused(w, "echo begun; sleep 600", seconds=60)
        assert ended.code is ErrorCode.AGENT_TIMED_OUT
        assert ended.message == "The agent printed nothing for 3 seconds and was stopped."
        talks = "for i in 1 2 3 4 5; do sleep 1; echo $i >&2; done; echo done"
        assert (await w.run(talks)).message == "done\n", "whatever it prints, and wherever, is a sign of life"


async def test_an_agent_that_prints_a_gigabyte_is_stopped(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(agent_output=8 * MIB)) as w:
        await w.take_in()
        ended = await refused(w, "yes | head -c 1G")
        assert ended.code is ErrorCode.AGENT_TOO_MUCH_OUTPUT
        assert len(w.stdout.content) < 10 * MIB


async def test_an_agent_that_takes_all_memory_is_told_so(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(job_memory=192 * MIB)) as w:
        await w.take_in()
        ended = await refused(w, "python3 -c 'x = bytearray(400 << 20)'")
        assert ended.code is ErrorCode.AGENT_OUT_OF_MEMORY


async def test_a_fork_bomb_stays_in_its_container(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(processes=64)) as bombed, rig.workplace() as healthy:
        await asyncio.gather(bombed.take_in(), healthy.take_in())
        bomb = asyncio.create_task(refused(bombed, "bomb() { bomb | bomb & }; bomb; sleep 60", seconds=4))
        assert (await healthy.run("echo fine")).message == "fine\n"
        assert (await bomb).code is ErrorCode.AGENT_TIMED_OUT
        assert await bombed.paths() == {}


async def test_what_an_agent_left_running_writes_nothing_afterwards(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        lurker = "setsid bash -c 'while :; do echo more >> specs/late.md; sleep 0.01; done' >/dev/null 2>&1 &\n"
        await w.run(f"{lurker} sleep 0.2; echo done")
        assert await w.paths() == {"specs/late.md": "added"}
        await asyncio.sleep(0.5)
        assert await w.paths() == {}


async def test_an_agent_that_holds_its_pipes_open_does_not_hang_the_run(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in()
        began = time.monotonic()
        assert (await w.run("sleep 600 & disown; echo hi")).message == "hi\n"
        assert time.monotonic() - began < 10


async def test_an_agent_that_ends_its_supervisor_has_failed(rig: Rig) -> None:
    async with rig.workplace() as w:
        await w.take_in()
        ended = await refused(w, "kill -9 $PPID; sleep 60")
        assert ended.code is ErrorCode.AGENT_FAILED


async def test_an_agent_that_fills_its_disk_has_failed(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(tree=16 * MIB, baseline=8 * MIB)) as w:
        await w.take_in()
        report = await w.run("head -c 64M /dev/urandom > specs_big; echo $?")
        assert report.message.strip() != "0"
        with pytest.raises(UserError) as ended:
            await w.job.take_patch(w.output)
        assert ended.value.code in {ErrorCode.PUBLISH_TOO_LARGE, ErrorCode.PUBLISH_PATCH_UNREADABLE}


async def test_a_patch_of_any_size_is_bounded(rig: Rig) -> None:
    async with rig.workplace(limits=ContainerLimits(patch=1 * MIB)) as w:
        await w.take_in("acme/ready")
        await w.run("head -c 3M /dev/urandom > specs/big")
        with pytest.raises(UserError) as ended:
            await w.job.take_patch(w.output)
        assert ended.value.code is ErrorCode.PUBLISH_TOO_LARGE


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("mkdir -p .github/workflows; echo 'on: push' > .github/workflows/x.yml", ErrorCode.PUBLISH_PROTECTED_PATH),
        ("ln -s /etc/passwd specs/link", ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("rm specs/old.md; ln -s /etc/passwd specs/old.md", ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("rm -r specs; ln -s src specs", ErrorCode.PUBLISH_PROTECTED_PATH),
        ("git init -q specs/sub; cd specs/sub; git -c user.name=a -c user.email=a commit -q --allow-empty -m x",
         ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("printf x > $'specs/a\\nb'", ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("printf x > $'specs/a\\xffb'", ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("echo x > specs/A; echo y > specs/a", ErrorCode.PUBLISH_FORBIDDEN_FILE),
        ("echo '* filter=x' > specs/.gitattributes", ErrorCode.PUBLISH_PROTECTED_PATH),
        ("echo 'ghp_" + "a1B2" * 9 + "' > specs/a.md", ErrorCode.PUBLISH_SECRET),
        ("for i in $(seq 200); do echo x > specs/$i; done", ErrorCode.PUBLISH_TOO_LARGE),
        ("rm -rf /work/* /work/.[a-z]*", ErrorCode.PUBLISH_PROTECTED_PATH),
    ],
)  # fmt: skip
async def test_what_a_hostile_agent_leaves_is_refused_at_the_border(rig: Rig, script: str, code: ErrorCode) -> None:
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        assert (await w.run(script)).exit_code == 0
        with pytest.raises(UserError) as ended:
            judge(parse_patch(await w.job.take_patch(w.output)), AGENT_POLICY)
        assert ended.value.code is code


PLANT = "printf '#!/bin/sh\\ntouch /tmp/P\\n' >"
POISON = {
    "a filter in a nested repository": "git init -q sub; cd sub; git config filter.x.clean 'touch /tmp/P; cat';"
    " echo '* filter=x' > .gitattributes; echo hi > f",
    "hooks": "git init -q .; for h in pre-commit post-commit post-index-change; do"
    f" {PLANT} .git/hooks/$h; chmod +x .git/hooks/$h; done",
    "a monitor": "git init -q .; git config core.fsmonitor 'touch /tmp/P'",
    "a diff program": "git init -q .; git config diff.external 'touch /tmp/P';"
    " git config diff.x.textconv 'touch /tmp/P'; echo '* diff=x' > .gitattributes",
    "settings in the home": "printf '[core]\\n fsmonitor = touch /tmp/P\\n' > ~/.gitconfig;"
    " mkdir -p ~/.config/git; cp ~/.gitconfig ~/.config/git/config; echo '* filter=x' > ~/.config/git/attributes",
    "programs in the home": f"mkdir -p ~/bin; {PLANT} ~/bin/git; chmod +x ~/bin/git;"
    " echo 'PATH=~/bin:$PATH' > ~/.bashrc; cp ~/.bashrc ~/.profile",
    "another index": "rm -f /baseline/index; echo junk > /baseline/index",
    "another baseline": "printf '[core]\\n fsmonitor = touch /tmp/P\\n' >> /baseline/repository.git/config",
    "no baseline": "rm -rf /baseline/repository.git",
    "an alternate": "mkdir -p /baseline/repository.git/objects/info;"
    " echo /etc > /baseline/repository.git/objects/info/alternates",
    "a link to everything": "ln -s / /work/specs/root",
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_a_poisoned_tree_ends_in_a_clear_way(rig: Rig, poison: str) -> None:
    """The patch is read, or refused with a code: what was planted may have run in the job container, nowhere else."""
    async with rig.workplace() as w:
        await w.take_in("acme/ready")
        assert (await w.run(f"echo new > specs/new.md; {poison}; exit 0")).exit_code == 0
        code = ""
        try:
            patch = await w.job.take_patch(w.output)
            judge(parse_patch(patch), AGENT_POLICY)
        except UserError as error:
            code = error.code
        if code:
            assert code.startswith("publish.")
        else:
            assert len(await w.commit(patch)) == 40


async def test_the_template_agent_is_not_led_out_of_its_tree(rig: Rig) -> None:
    rig.server.create(
        "acme/evil",
        {
            ".specify/templates/spec-template.md": b"# [FEATURE NAME]\n",
            ".specify/scripts/bash/create-new-feature.sh": b"mkdir -p .github/workflows; echo x > .github/workflows/a\n"
            b'mkdir -p specs/a; echo "{\\"SPEC_FILE\\":\\"$PWD/specs/a/spec.md\\"}"\n',
        },
    )
    async with rig.workplace(agent=TemplateAgent()) as w:
        await w.take_in("acme/evil")
        patch = await w.work(Phase.SPECKIT_SPECIFY, "A request")
        with pytest.raises(UserError) as ended:
            judge(parse_patch(patch), AGENT_POLICY)
        assert ended.value.code is ErrorCode.PUBLISH_PROTECTED_PATH
