"""Own one agent's whole process tree, from before its first instruction to the kernel's proof that nothing is left.

Run as a program, once per attempt, outliving the supervisor that started it::

    python -I -S -E minder.py RUN_DIR [--lifeline FD] [--lock FD] [--sampled]

or forked from a process that has loaded this file (`nursery.py`); then no agent waits for that. It is one file, and
imports little of the standard library and nothing else, because an isolated Python that runs it finds nothing of ours
and every agent waits for its start. `process.py` is the other side, and `run_dir.py` reads what we leave.

Files in RUN_DIR: ``spawn.json`` is read and removed, because it holds the agent's secrets; ``stdout.log`` and
``stderr.log`` take the agent's output; ``pid.json`` is durable *before* the agent executes, so an attempt without one
never ran; ``exit.json`` is durable before we leave.

On Linux we are a child subreaper: whatever the agent starts, however it detaches itself, stays below us, so
``waitpid`` failing with ECHILD proves the tree empty. If we are killed, PDEATHSIG kills the agent's first process.
Elsewhere (written for macOS, **not verified on one**) the tree is followed by sampling it and by an environment
mark; a process that detaches *and* clears its environment within one sample escapes.

Control: ``T`` on the lifeline or SIGTERM stops softly; ``K`` or SIGUSR1 kills at once. End of file on the lifeline
means that the supervisor died: the agent goes on under its limits until nobody has held the supervisor's lock for
``orphan_ttl_s``. The end of the agent's first process is the end of the attempt: leftovers are stopped too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time

NAME = "minder"
"""What a minder's process is called (Linux)."""
MARK = "ORCHESTRATE_RUN_ID"
"""Name of the environment variable that marks every process of one attempt."""

SAMPLE_S = 2.0
"""Longest pause between two looks at the output's size."""
SURVEY_S = 15.0
"""Longest pause between two looks at the tree's CPU use while the agent is quiet."""
ORPHAN_CHECK_S = 10.0
"""Longest pause between two looks at the supervisor's lock."""
LEFTOVER_GRACE_S = 2.0
"""Longest grace of processes that outlive the agent's first process: they had no reason to stay."""
LEAVING_S = 0.02
"""How long what the agent's first process leaves may take to end by itself, before it is looked for among all processes
there are: what bubblewrap watched over ends with it, a moment later."""
KILL_PATIENCE_S = 30.0
"""How long SIGKILL is repeated before what is left (another user's, or stuck in the kernel) is reported instead."""
BUSY_SHARE = 0.01
"""Share of one core from which a tree counts as working: timers of an idle node process stay below it."""
WATCHED_ENTRIES = 20_000
"""Most files looked at for "has a file changed"; a bigger tree is judged by its first part."""
UNWATCHED = frozenset({"node_modules", "objects"})
"""Folders not looked into: large, and never the only thing that changes."""

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_LINUX = sys.platform == "linux"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def boot_id() -> str:
    """Return a text that changes with every start of this machine."""
    if _LINUX:
        return _read("/proc/sys/kernel/random/boot_id").decode().strip()
    return _output("sysctl", "-n", "kern.bootsessionuuid").strip()


def start_time(pid: int) -> int | None:
    """Return when *pid* started, None when there is no such process. With the boot id this names one process for ever.

    Linux: clock ticks since boot (field 22 of /proc/PID/stat). Elsewhere: seconds since the epoch, from `ps`.
    """
    if _LINUX:
        member = _stat(pid)
        return member.start if member else None
    return next((member.start for member in _ps() if member.pid == pid), None)


def take_name(name: str) -> None:
    """Call this process *name* (Linux): out of the way of an agent's `pkill node` or `pkill python`."""
    if _LINUX:
        _prctl(_PR_SET_NAME, name.encode())


def is_held(lock: str | os.PathLike[str]) -> bool:
    """Say whether some process holds an exclusive `flock` on the file *lock*; nobody holds one that does not exist.

    It is found out by taking a shared lock for a moment: who wants the exclusive one just then must try again.

    Raises:
        OSError: it cannot be told, which must never be read as "nobody".
    """
    try:
        fd = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Member:
    """One process as seen in one look."""

    __slots__ = ("cpu_s", "group", "parent", "pid", "rss_kb", "start", "state")

    def __init__(self, pid: int, state: str, parent: int, group: int, cpu_s: float, start: int, rss_kb: int) -> None:
        self.pid, self.state, self.parent, self.group = pid, state, parent, group
        self.cpu_s, self.start, self.rss_kb = cpu_s, start, rss_kb


class SubreaperTree:
    """Our descendants, which on Linux are exactly the agent's processes."""

    proof = True
    """ECHILD proves this tree empty."""

    def survey(self) -> list[Member]:
        """Return the living processes of the tree."""
        everything = {}
        for name in os.listdir("/proc"):
            if name.isdigit() and (member := _stat(int(name))):
                everything[member.pid] = member
        return [m for m in _below({os.getpid()}, everything) if m.state not in "ZX"]

    def signal(self, number: int, spared: int | None = None) -> None:
        """Send a signal to every process but *spared*.

        Our own children come first: a process that forks and exits all the time has just become one.
        """
        for pid in _read("/proc/thread-self/children").split():
            _kill(int(pid), number, spared)
        for member in self.survey():
            _kill(member.pid, number, spared)


class SampledTree:
    """The agent's processes where no subreaper exists: seen below it at some look, in its group, or marked."""

    proof = False

    def __init__(self, agent: int, run_id: str) -> None:
        self._agent = agent
        self._mark = f"{MARK}={run_id}"
        self._seen: dict[int, int] = {}

    def survey(self, *, marked: bool = False) -> list[Member]:
        """Return the living processes of the tree; with *marked*, read every environment too."""
        everything = {member.pid: member for member in _ps()}
        roots = {pid for pid, start in self._seen.items() if pid in everything and everything[pid].start == start}
        roots |= {m.pid for m in everything.values() if m.group == self._agent}
        if marked:
            roots |= _marked(self._mark)
        roots.discard(os.getpid())
        found = [everything[pid] for pid in roots if pid in everything]
        found += [m for m in _below(roots | {self._agent}, everything) if m.pid not in roots]
        found = [m for m in found if m.state not in "ZX" and m.parent != 0]
        self._seen = {m.pid: m.start for m in found}
        return found

    def signal(self, number: int, spared: int | None = None) -> None:
        """Send a signal to every process of the tree but *spared*."""
        for member in self.survey(marked=True):
            _kill(member.pid, number, spared)


class Minder:
    """One attempt, from spawn.json to exit.json."""

    def __init__(self, run_dir: str, lifeline: int | None, lock: int | None = None, *, sampled: bool) -> None:
        self.run_dir = run_dir
        self.lifeline = lifeline
        self.lock = lock
        self.sampled = sampled
        self.started_at = time.time()
        self.started = time.monotonic()
        self.agent = 0
        self.tree: SubreaperTree | SampledTree
        self.status: int | None = None
        self.why: str | None = None
        self.error: str | None = None
        self.exited_at = 0.0
        self.kill_at = 0.0
        self.kill_rounds = 0
        self.peak_rss_kb = 0
        self.lacked_room = False
        self.unaccounted: list[list[int]] = []
        self.record_patience_s = 0.0

    def run(self) -> None:
        """Run the attempt and record its end."""
        self.wakeup, write = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, _noted)
        try:
            self._load()
            self._launch()
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.why, self.error = "spawn_failed", f"cannot start the agent: {error}"
            self.lacked_room = getattr(error, "errno", None) in _NO_ROOM
        else:
            self._watch()
        self._record()

    def _load(self) -> None:
        with open(f"{self.run_dir}/spawn.json", encoding="utf-8") as file:
            spawn = json.load(file)
        os.unlink(file.name)
        self.argv: list[str] = spawn["argv"]
        self.cwd: str = spawn["cwd"]
        self.run_id: str = spawn["run_id"]
        self.env: dict[str, str] = {**spawn["env"], MARK: self.run_id}
        self.stdin: str = spawn["stdin"] or os.devnull
        self.watched: str | None = spawn["watch"]
        self.has_watcher: bool = spawn["has_watcher"]
        self.supervisor_lock: str | None = spawn["supervisor_lock"]
        self.orphan_ttl_s: float = spawn["orphan_ttl_s"]
        limits = spawn["limits"]
        self.wall_s: float = limits["wall_s"]
        self.silence_s: float = limits["silence_s"]
        self.output_bytes: int = limits["output_bytes"]
        self.grace_s: float = limits["grace_s"]
        self.memory_bytes: int | None = limits["memory_bytes"]
        self.reserve_bytes: int = spawn["reserve_bytes"]
        self.record_patience_s = spawn["record_patience_s"]
        self.written = {self.run_dir, self.cwd, self.env.get("TMPDIR") or "/tmp"}  # only asked for room

    def look_for_room(self) -> None:
        """Remember for the record of the end that there was hardly any room where the agent writes."""
        if not self.lacked_room:
            self.lacked_room = any(free_bytes(folder) < self.reserve_bytes for folder in self.written)

    def _launch(self) -> None:
        """Fork the agent, make pid.json durable, then let it execute.

        The agent is recorded only when it leads a session, dies with us and has let go of our lock: who reads pid.json
        and finds the lock free knows that there is no minder, at every moment.
        """
        self.logs = [
            os.open(f"{self.run_dir}/{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            for name in ("stdout", "stderr")
        ]
        stdin = os.open(self.stdin, os.O_RDONLY)
        gate, opener = os.pipe()
        ready, stands = os.pipe()
        self.failure, report = os.pipe()
        if _LINUX and not self.sampled:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        me = os.getpid()
        self.agent = os.fork()
        if self.agent == 0:
            os.close(opener)  # or its end of file would never come when we die before opening the gate
            self._become_agent(me, stdin, stands, gate, report)
        os.close(gate)
        os.close(stands)
        os.close(report)
        os.close(stdin)
        self.tree = SampledTree(self.agent, self.run_id) if self.sampled or not _LINUX else SubreaperTree()
        identity = {
            "minder": {"pid": me, "start_time": start_time(me)},
            "agent": {"pid": self.agent, "start_time": start_time(self.agent)},
            "boot_id": boot_id(),
            "run_id": self.run_id,
        }
        os.read(ready, 1)  # or it died, and its end of file says so
        os.close(ready)
        try:
            _write(f"{self.run_dir}/pid.json", identity)
            with contextlib.suppress(BrokenPipeError):  # it failed before the gate; its report says why
                os.write(opener, b"!")
        except OSError:
            os.kill(self.agent, signal.SIGKILL)
            os.waitpid(self.agent, 0)
            raise
        finally:
            os.close(opener)

    def _become_agent(self, minder: int, stdin: int, stands: int, gate: int, report: int) -> None:
        """Turn the forked child into the agent; never returns."""
        step = "set up"
        try:
            if self.lock is not None:
                os.close(self.lock)  # we have it from the fork; held here, it would hide the minder's death
            os.setsid()
            if _LINUX:
                if not self.sampled:
                    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != minder:  # died before the line above: nobody would tell us
                    os._exit(127)
            os.write(stands, b"!")
            if _LINUX:
                _raise_oom_score()
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                # Also what a supervisor inherited: a shell's background ignores SIGINT and SIGQUIT, nohup SIGHUP.
                if signal.getsignal(number) not in (signal.SIG_DFL, None):
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.dup2(stdin, 0)
            os.dup2(self.logs[0], 1)
            os.dup2(self.logs[1], 2)
            step = f"enter the folder {self.cwd!r}"
            os.chdir(self.cwd)
            if os.read(gate, 1) != b"!":
                os._exit(127)
            step = f"execute {self.argv[0]!r} (or the interpreter it names)"
            os.execvpe(self.argv[0], self.argv, self.env)
        except BaseException as error:  # whatever it is, this process must not go on as a second minder
            text = getattr(error, "strerror", None) or str(error)
            os.write(report, f"cannot {step}: {text}".encode(errors="replace")[:4096])
        finally:
            os._exit(127)

    def _watch(self) -> None:
        """Wait until the tree is empty, enforcing the limits meanwhile."""
        limits = Limits(self)
        orphan = Orphan(self)
        while True:
            no_children = self._reap()
            if self.status is not None and self.why is None:
                self._note_exit()
            if no_children and self.status is not None and (self.tree.proof or self._swept()):
                return
            now = time.monotonic()
            if self.why == "exited" and not self.kill_at:
                if now < self.exited_at + LEAVING_S:
                    self._wait(self.exited_at + LEAVING_S - now)
                    continue
                self.end("exited", min(self.grace_s, LEFTOVER_GRACE_S))
            if self.why is None:
                due = min(limits.check(now), orphan.check(now))
            if self.why is not None:
                due = self.kill_at
            if self.why is not None and now >= self.kill_at:
                if now > self.kill_at + KILL_PATIENCE_S:
                    self.unaccounted = [[m.pid, m.start] for m in self.tree.survey()]
                    return
                self.tree.signal(signal.SIGKILL)
                self.kill_rounds += 1
                due = now + (0.001 if self.kill_rounds < 200 else 0.02)
            self._wait(due - now)

    def end(self, why: str, grace_s: float) -> None:
        """Begin to end the attempt, or shorten the grace of an end under way. The first reason stands."""
        kill_at = time.monotonic() + grace_s
        if self.kill_at:
            self.kill_at = min(self.kill_at, kill_at)
            return
        self.why = self.why or why
        self.kill_at = kill_at
        if grace_s > 0:
            spared = self.agent if self.has_watcher else None
            self.tree.signal(signal.SIGTERM, spared)
            self.tree.signal(signal.SIGCONT)  # a stopped process would get its SIGTERM only when continued

    def _reap(self) -> bool:
        """Collect ended children; return whether there are none left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.agent:
                self.status = status

    def _swept(self) -> bool:
        assert isinstance(self.tree, SampledTree)
        return not self.tree.survey(marked=True)

    def _note_exit(self) -> None:
        os.set_blocking(self.failure, False)
        try:
            failure = os.read(self.failure, 4096)
        except BlockingIOError:
            failure = b""
        self.why = "spawn_failed" if failure else "exited"
        self.exited_at = time.monotonic()
        self.error = failure.decode(errors="replace") or None

    def _wait(self, timeout_s: float) -> None:
        """Sleep until a child ends, the supervisor speaks or dies, or *timeout_s* is over."""
        sources = [self.wakeup] if self.lifeline is None else [self.wakeup, self.lifeline]
        ready, _, _ = select.select(sources, [], [], max(0.0, timeout_s))
        if self.wakeup in ready:
            numbers = os.read(self.wakeup, 4096)
            self._obey(soft=signal.SIGTERM in numbers, hard=signal.SIGUSR1 in numbers)
        if self.lifeline in ready:
            words = os.read(self.lifeline, 4096)
            self._obey(soft=b"T" in words, hard=b"K" in words)
            if not words:
                os.close(self.lifeline)
                self.lifeline = None

    def _obey(self, *, soft: bool, hard: bool) -> None:
        if (soft or hard) and self.why is None:
            self._reap()  # an agent that ended by itself before this wish was heard has "exited"
            if self.status is not None:
                return
        if soft:
            self.end("stopped", self.grace_s)
        if hard:
            self.end("killed", 0)

    def _record(self) -> None:
        if self.agent:
            self.look_for_room()  # what fails for want of room ends soon after
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        rss_kb = used.ru_maxrss if _LINUX else used.ru_maxrss // 1024  # macOS counts bytes
        started = self.status is not None and self.why != "spawn_failed"
        record = {
            "rc": os.waitstatus_to_exitcode(self.status) if started and self.status is not None else None,
            "why": self.why,
            "error": self.error,
            "started_at": int(self.started_at * 1000),
            "ended_at": int(time.time() * 1000),
            "duration_ms": int((time.monotonic() - self.started) * 1000),
            "kill_rounds": self.kill_rounds,
            "cpu_ms": int((used.ru_utime + used.ru_stime) * 1000),
            "max_rss_kb": max(rss_kb, self.peak_rss_kb),
            "unaccounted": self.unaccounted,
            "lacked_room": self.lacked_room,
        }
        deadline = time.monotonic() + self.record_patience_s
        while True:
            try:
                _write(f"{self.run_dir}/exit.json", record)
            except OSError as error:
                if error.errno not in _NO_ROOM or time.monotonic() >= deadline:
                    raise
                record["lacked_room"] = True
                time.sleep(1)
            else:
                return


class Limits:
    """Wall clock, silence, output and memory of one attempt."""

    def __init__(self, minder: Minder) -> None:
        self._minder = minder
        self._sample_s = max(0.02, min(SAMPLE_S, minder.silence_s / 4))
        self._survey_s = max(0.02, min(SURVEY_S, minder.silence_s / 8))
        if minder.memory_bytes is not None or not minder.tree.proof:
            self._survey_s = min(self._survey_s, SAMPLE_S)
        self._pause_s = min(0.05, self._sample_s)  # the first looks are close together: a flood starts at once
        self._sampled = self._surveyed = minder.started
        self._next_sample = self._next_survey = 0.0
        if minder.memory_bytes is None and minder.tree.proof:
            # What the first look begins to compare with is as good later, and it reads of every process there is.
            self._next_survey = minder.started + self._survey_s
        self._size = 0
        self._be_active(minder.started)

    def check(self, now: float) -> float:
        """End the attempt if a limit is passed; return when to look again (monotonic seconds)."""
        minder = self._minder
        wall = minder.started + minder.wall_s
        if now >= wall:
            minder.end("wall_clock", minder.grace_s)
        elif now >= self._next_sample:
            self._sample(now)
        return min(wall, self._next_sample)

    def _sample(self, now: float) -> None:
        minder = self._minder
        minder.look_for_room()
        size = sum(os.fstat(log).st_size for log in minder.logs)
        if size > minder.output_bytes:
            minder.end("output_limit", 0)
            return
        rate = max(0, size - self._size) / max(now - self._sampled, 0.001)
        room_s = (minder.output_bytes - size) / rate / 2 if rate else self._sample_s
        self._pause_s = min(self._sample_s, self._pause_s * 2, max(0.02, room_s))
        self._sampled = now
        self._next_sample = now + self._pause_s
        if size != self._size:
            self._size = size
            self._be_active(now)
        if now >= self._next_survey and self._survey_needed(now):
            self._survey(now)
        if self._quiet(now):
            minder.end("silence", minder.grace_s)

    def _survey_needed(self, now: float) -> bool:
        return self._active != now or self._minder.memory_bytes is not None or not self._minder.tree.proof

    def _be_active(self, now: float) -> None:
        self._active = now
        self._cpu_s: float | None = None
        self._files: int | None = None
        self._next_files = now + self._minder.silence_s / 4

    def _survey(self, now: float) -> None:
        minder = self._minder
        members = minder.tree.survey()
        cpu_s = sum(m.cpu_s for m in members)
        if minder.tree.proof:  # elsewhere our children include each look's own `ps`
            own = os.times()
            cpu_s += own.children_user + own.children_system
        if self._cpu_s is not None and abs(cpu_s - self._cpu_s) > BUSY_SHARE * (now - self._surveyed):
            self._be_active(now)
        self._cpu_s, self._surveyed = cpu_s, now
        self._next_survey = now + self._survey_s
        rss_kb = sum(m.rss_kb for m in members)
        minder.peak_rss_kb = max(minder.peak_rss_kb, rss_kb)
        limit = minder.memory_bytes
        if limit is not None and rss_kb * 1024 > limit and _shared_out_bytes(members) > limit:
            minder.end("memory", 0)

    def _quiet(self, now: float) -> bool:
        """Whether nothing has happened for the whole silence limit. Files are compared from its first quarter on."""
        minder = self._minder
        end = self._active + minder.silence_s
        if minder.watched is not None and (now >= self._next_files or now >= end):
            files = _fingerprint(minder.watched)
            if self._files is not None and files != self._files:
                self._be_active(now)
            self._files = files
            self._next_files = now + minder.silence_s / 4
        return now >= self._active + minder.silence_s


class Orphan:
    """Ends an attempt whose supervisor is not coming back: nobody has held its lock for `orphan_ttl_s`."""

    def __init__(self, minder: Minder) -> None:
        self._minder = minder
        self._pause_s = min(ORPHAN_CHECK_S, minder.orphan_ttl_s / 4)
        self._since: float | None = None
        self._next = 0.0

    def check(self, now: float) -> float:
        """End the attempt if it is an orphan; return when to look again (monotonic seconds)."""
        minder = self._minder
        if minder.lifeline is not None or minder.supervisor_lock is None:
            return now + SURVEY_S * 1000
        if now < self._next:
            return self._next
        self._next = now + self._pause_s
        try:
            supervised = is_held(minder.supervisor_lock)
        except OSError:
            supervised = True  # unknown is not dead
        if supervised:
            self._since = None
            return self._next
        self._since = self._since or now
        if now >= self._since + minder.orphan_ttl_s:
            minder.end("orphaned", minder.grace_s)
        return self._next


def _below(roots: set[int], everything: dict[int, Member]) -> list[Member]:
    children: dict[int, list[Member]] = {}
    for member in everything.values():
        children.setdefault(member.parent, []).append(member)
    found: dict[int, Member] = {}
    pending = list(roots)
    while pending:
        for child in children.get(pending.pop(), ()):
            if child.pid not in found:
                found[child.pid] = child
                pending.append(child.pid)
    return list(found.values())


def _stat(pid: int) -> Member | None:
    try:
        line = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    field = line[line.rindex(b")") + 2 :].split()  # the name before it may hold blanks and brackets
    cpu_s = (int(field[11]) + int(field[12]) + int(field[13]) + int(field[14])) / _TICKS
    return Member(
        pid, field[0].decode(), int(field[1]), int(field[2]), cpu_s, int(field[19]), int(field[21]) * _PAGE_KB
    )


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


def _ps() -> list[Member]:
    members = []
    for line in _output("ps", "-A", "-o", "pid=,stat=,ppid=,pgid=,rss=,time=,lstart=").splitlines():
        pid, state, parent, group, rss_kb, used, *started = line.split()
        cpu_s = 0.0
        for part in used.replace("-", ":").split(":"):
            cpu_s = cpu_s * 60 + float(part)
        start = int(time.mktime(time.strptime(" ".join(started), "%a %b %d %H:%M:%S %Y")))
        members.append(Member(int(pid), state[0], int(parent), int(group), cpu_s, start, int(rss_kb)))
    return members


def _marked(mark: str) -> set[int]:
    found = set()
    option = "axeww" if _LINUX else "-AEww"
    for line in _output("ps", option, "-o", "pid=,command=").splitlines():
        pid, *words = line.split()
        if mark in words:
            found.add(int(pid))
    return found


def _output(*argv: str) -> str:
    import subprocess

    run = subprocess.run(argv, stdout=subprocess.PIPE, env={"LC_ALL": "C", "PATH": os.defpath}, timeout=10, check=False)
    return run.stdout.decode(errors="replace")


def _kill(pid: int, number: int, spared: int | None) -> None:
    if pid == spared:
        return
    with contextlib.suppress(OSError):  # gone, or not ours to signal: the next survey tells
        os.kill(pid, number)


def _prctl(option: int, value: int | bytes) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def _raise_oom_score() -> None:
    """Let a machine short of memory take an agent before the supervisor, its minder or the person's editor."""
    try:
        with open("/proc/self/oom_score_adj", "r+b", buffering=0) as file:
            file.write(str(min(1000, int(file.read()) + 500)).encode())
    except OSError:
        pass  # a hardened container may forbid it; nothing else depends on it


def _shared_out_bytes(members: list[Member]) -> int:
    """Return the tree's memory with shared pages counted once (proportional set size), where the kernel tells."""
    total_kb = 0
    for member in members:
        try:
            rollup = _read(f"/proc/{member.pid}/smaps_rollup")
        except OSError:
            total_kb += member.rss_kb
            continue
        line = next((line for line in rollup.splitlines() if line.startswith(b"Pss:")), b"")
        total_kb += int(line.split()[1]) if line else 0
    return total_kb * 1024


def _fingerprint(folder: str) -> int:
    """Return a number that changes when a file below *folder* does; independent of any clock."""
    print_, seen, pending = 0, 0, [folder]
    while pending and seen < WATCHED_ENTRIES:
        # What is removed while we look is seen by the next comparison.
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                seen += 1
                if not entry.is_dir(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    print_ ^= hash((entry.path, status.st_mtime_ns, status.st_size))
                elif entry.name not in UNWATCHED:
                    pending.append(entry.path)
    return print_


def free_bytes(folder: str) -> int:
    """Return the bytes that are free for us where *folder* is; infinite where the system does not say."""
    try:
        told = os.statvfs(folder)
    except OSError:
        return sys.maxsize
    return told.f_bavail * told.f_frsize if told.f_blocks else sys.maxsize


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _write(path: str, value: object) -> None:
    """Write *value* as JSON: all of it, durably, or nothing."""
    partial = f"{path}.partial"
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = json.dumps(value).encode()
        if os.write(fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), partial)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(partial, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _noted(_number: int, _frame: object) -> None:
    """Have the interpreter write the signal's number to the wake-up pipe; the loop does the rest."""


def main(argv: list[str]) -> None:
    """Run the minder; see the module's docstring."""
    options = dict(zip(argv[2::2], argv[3::2], strict=False))
    descriptors = {name: int(options[name]) for name in ("--lifeline", "--lock") if name in options}
    for fd in descriptors.values():
        os.set_inheritable(fd, False)  # an agent holding them would hide our death, or the supervisor's
    take_name(NAME)
    lifeline, lock = descriptors.get("--lifeline"), descriptors.get("--lock")
    Minder(os.path.abspath(argv[1]), lifeline, lock, sampled="--sampled" in argv).run()


if __name__ == "__main__":
    main(sys.argv)
