"""A storm: real supervisors, minders and agents work on a queue while one after the other is killed.

Every choice comes from the seed; the moments at which things really happen do not, so a seed names a plan and no
exact replay.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from chaos import small_disk
from chaos.oracle import Ground, Oracle
from chaos.small_disk import SmallDisk
from processes import holders, marked, minders

SCRIPTED_AGENT = Path(__file__).parent.parent / "doubles" / "scripted_agent.py"
WEIGHTS = {"supervisor": 37, "minder": 14, "agent": 14, "both": 14, "pause": 7, "temp": 5, "submitter": 5, "disk": 4}
"""How often each kind of kill is chosen, of a hundred. `disk` is a full one, where there can be one."""
BETWEEN_S = 0.3
"""Mean pause before the next kill."""
OPEN_TASKS = 6
"""So many tasks are kept in the queue: there is always something to be killed at."""
AGENTS = 4
ATTEMPTS = 20
"""Of a task, as many as there may be."""
SPARED_FROM = 14
"""With so many behind it a task's agent is spared: where the rest waits for one task, a storm kills that every time."""
PATIENCE_S = 20
LAST_RUN_S = 180
"""How long the last run may take with nobody disturbing it. It bounds a hang and measures nothing."""
HANG_S = 60
"""How long anything may take that must come. It bounds a hang and measures nothing."""
KILLED = -signal.SIGKILL
LITTLE_BYTES = 20 << 20
"""Less than what a supervisor keeps in reserve, and enough to write with."""

# A third of the tasks is done at once, the others are not: two of them say that they are done and are not, one
# leaves a process behind that outlives its agent.
AGENT = """prompt=$(cat)
name=$(printf '%s' "$prompt" | sed -n 's/.*Task t[0-9a-z]* (\\(job-[0-9]*\\)).*/\\1/p' | head -n 1)
{{ printf '%s\\n```script\\n' "$prompt"; cat "{scripts}/$name"; printf '```\\n'; }} | {python} -S -E {agent}
"""
"""An agent of two processes, as most are: a shell, and below it what works. It finds its task's script in a file."""
WORK = """label job-{n}
{needs}
write started-{n}.txt {n}
{manner}
write done-{n}.txt {n}"""
CHECK = "grep -qx {n} done-{n}.txt || {{ echo not-$((3 - 2))-right; exit 1; }}"
MANNERS = (
    "",
    "",
    "sleep {s}",
    "sleep {s}",
    "sleep {s}\nsleep {s}",
    'unless_prompt_contains "nothing had changed": sh rm started-{n}.txt\n'
    'unless_prompt_contains "nothing had changed": exit 0',
    'unless_prompt_contains "not-1-right": write done-{n}.txt wrong\nunless_prompt_contains "not-1-right": exit 0',
    "daemon {beat}\nsleep {s}",
    "child_ignore_term {beat}\nsleep {s}",
)


@dataclass
class Plan:
    """What a storm is to be."""

    kills: int
    seed: int
    weights: dict[str, int] = field(default_factory=lambda: dict(WEIGHTS))
    manners: tuple[str, ...] = MANNERS
    source: Path | None = None
    """A tree of the program to run instead of the installed one."""
    patience_s: float = LAST_RUN_S
    seconds: float = float("inf")
    """After so long nothing more is killed."""
    fail_fast: bool = False
    """End at the first violation."""
    sandbox: str = "auto"
    """The setting of every run."""


@dataclass
class Figures:
    """What a storm came to."""

    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    starts: int = 0
    ended_well: int = 0
    supervisors: int = 0
    adopted: int = 0
    refused_rivals: int = 0
    waited_for_room: int = 0
    """Times that a supervisor said that the disk is full."""
    went_on: int = 0
    """Times that one went on by itself because there was room again."""
    no_disk: str = ""
    """Why no disk was full."""
    looks: int = 0
    seconds: float = 0.0
    longest_lead_s: float = 0.0
    """From the start of a supervisor to its lock, the longest of all."""
    violations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        each = self.starts / self.acknowledged if self.acknowledged else 0
        return [
            f"kills             {sum(self.kills.values())} ({kinds}) in {self.seconds:.0f} s",
            f"supervisors       {self.supervisors}; the slowest led after {self.longest_lead_s:.1f} s",
            f"tasks             {self.acknowledged} acknowledged, {each:.2f} agents started for each",
            f"agents            {self.adopted} outlived a supervisor and were taken over",
            f"rivals refused    {self.refused_rivals}",
            f"full disks        {(self.no_disk and 'not done: ' + self.no_disk) or self.kills['disk']}; "
            f"{self.waited_for_room} times a supervisor waited, {self.went_on} times one went on by itself",
            f"looks             {self.looks} at all that lives, each against the records",
            f"violations        {len(self.violations)}",
            *(f"  {one}" for one in self.violations),
        ]


class Storm:
    """One storm in one folder."""

    def __init__(self, plan: Plan, root: Path, *, tell: Callable[[str], None] = lambda _: None) -> None:
        self.plan = plan
        self.ground = Ground(root)
        self.oracle = Oracle(self.ground)
        self.figures = Figures()
        self.random = random.Random(plan.seed)
        self.kinds = random.Random(plan.seed)
        """Draws what is killed and nothing else: how often *random* is asked meanwhile depends on the machine."""
        self.tell = tell
        self.acknowledged: dict[str, str] = {}
        self.leader: subprocess.Popen[bytes] | None = None
        self.submitter: tuple[subprocess.Popen[bytes], str] | None = None
        self.number = 0
        self._began = 0.0
        self._log_before = 0
        """Bytes of the log when the leader was started."""
        self._led = True
        self._term_before = 0
        """The latest term when the leader was started."""
        self.environ = self._environ()
        self.disk: SmallDisk | None = None
        self._was_full = {"leader": False, "submitter": False}
        """Whether the disk was full at some moment of the life of each."""

    def run(self) -> Figures:
        """Storm, let one last run finish in peace, and judge."""
        began = time.monotonic()
        try:
            self._lay_out()
            self._fill()
            for _ in range(self.plan.kills):
                self._go_on(self.random.expovariate(1 / BETWEEN_S), lead=self.random.random() < 0.75)
                if self._is_lost() or time.monotonic() - began > self.plan.seconds:
                    break
                kind = self.kinds.choices(*zip(*self.plan.weights.items(), strict=True))[0]
                self._find(kind)
                self._kill(kind)
                if sum(self.figures.kills.values()) % 50 == 0:
                    kills = sum(self.figures.kills.values())
                    self.tell(f"{kills} kills, {time.monotonic() - began:.0f} s, {len(self.oracle.violations)} wrong")
            if not self._is_lost():
                self._finish()
        finally:
            self._clear_away()
            self.figures.seconds = time.monotonic() - began
        self.figures.violations = self.oracle.violations
        self.figures.looks = self.oracle.looks
        self.figures.acknowledged = len(self.acknowledged)
        marks = self.oracle.marks()
        self.figures.starts = sum(mark.what == "start" for mark in marks)
        said = self.ground.log.read_text(errors="replace")
        self.figures.adopted = said.count("is taken over: it goes on")
        self.figures.waited_for_room, self.figures.went_on = self._pauses()
        return self.figures

    def _is_lost(self) -> bool:
        return self.plan.fail_fast and bool(self.oracle.violations)

    # The ground

    def _environ(self) -> dict[str, str]:
        ground = self.ground
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        source = {} if self.plan.source is None else {"PYTHONPATH": str(self.plan.source)}
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Test"), ("EMAIL", "test@example.invalid"))
        }
        return {
            **kept,
            **source,
            **identity,
            "HOME": str(ground.root / "home"),
            "PYTHONPYCACHEPREFIX": str(ground.root / "compiled"),  # hundreds of processes begin, and compile once
            "TMPDIR": str(ground.temporary),
            "XDG_STATE_HOME": str(ground.state),
            "GIT_CONFIG_NOSYSTEM": "1",
            "ORCHESTRATE_GENERIC_COMMAND": f"sh {ground.scripts.parent}/agent.sh",
            "ORCHESTRATE_PROVIDER": "generic",
            "ORCHESTRATE_PASS_ENV": "SCRIPTED_*",
            "ORCHESTRATE_RETRY_SECONDS": "0",
            "ORCHESTRATE_STOP_SECONDS": "1",
            "ORCHESTRATE_SANDBOX": self.plan.sandbox,
            "SCRIPTED_AGENT_WITNESS": str(ground.witness),
        }

    def _lay_out(self) -> None:
        ground = self.ground
        if small_disk.is_inside():
            self.disk = SmallDisk(ground.disk)
        else:
            self.figures.no_disk = small_disk.why_not() or "asked for from outside of name spaces"
            self.plan.weights.pop("disk", None)
        folders = (ground.project, ground.state, ground.temporary, ground.too_early, ground.scripts)
        for folder in (*folders, ground.root / "home"):
            folder.mkdir(parents=True)
        (ground.project / "README.md").write_text("A project in a storm.\n")
        ground.log.touch()
        agent = AGENT.format(scripts=ground.scripts, python=sys.executable, agent=SCRIPTED_AGENT)
        (ground.scripts.parent / "agent.sh").write_text(agent)
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "base")

    def git(self, *words: str) -> str:
        ran = subprocess.run(
            ["git", *words], cwd=self.ground.project, env=self.environ, capture_output=True, check=True
        )
        return ran.stdout.decode().strip()

    def _orchestrate(self, *words: str, out: int) -> "subprocess.Popen[bytes]":
        with self.ground.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "agent_orchestrator", *words],
                cwd=self.ground.project,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )

    # Going on

    def _fill(self) -> None:
        """Begin with a queue that has something in it."""
        end = time.monotonic() + HANG_S
        while len(self.acknowledged) < min(OPEN_TASKS, self.plan.kills) and time.monotonic() < end:
            self._submit()
            time.sleep(0.02)

    def _go_on(self, seconds: float, *, lead: bool) -> None:
        """Let time pass: somebody leads, somebody submits, the oracle looks. With *lead* it counts from the lead on.

        Else the kill may come while a supervisor is only starting.
        """
        self._lead()
        hang = time.monotonic() + HANG_S
        end = time.monotonic() + seconds
        while True:
            self._submit()
            self.oracle.look_again()
            self._note_lead()
            if lead and self._led:
                lead, end = False, time.monotonic() + seconds
            if self._is_lost() or time.monotonic() >= (hang if lead else end):
                return
            time.sleep(min(0.15, max(0.0, end - time.monotonic())))

    def _find(self, kind: str) -> None:
        """Go on until there is somebody of this *kind* to kill; on a machine at its limits that takes a while."""
        end = time.monotonic() + PATIENCE_S
        victims = {"minder": self._minders, "both": self._minders, "agent": self._agents, "submitter": self._submitters}
        while kind in victims and not victims[kind]() and time.monotonic() < end and not self._is_lost():
            self._lead()
            self._submit()
            self._note_lead()
            self.oracle.look_again()
            time.sleep(0.02)

    def _minders(self) -> list[int]:
        return minders(self.ground.state)

    def _agents(self) -> list[int]:
        return [pid for name, pid in self._locked() if name.startswith("job-")]

    def _submitters(self) -> bool:
        return self.submitter is not None and self.submitter[0].poll() is None

    def _lead(self) -> None:
        if self.leader is not None and self.leader.poll() is not None:
            # One that could not even open its database says so and ends; one that leads must not.
            if self.leader.returncode != KILLED and (self._led or not self._was_full["leader"]):
                self.oracle.violated(f"a supervisor ended by itself with {self.leader.returncode}")
            self.leader = None
        if self.leader is None:
            self._log_before = self.ground.log.stat().st_size
            self._term_before = self.ground.term()
            self.leader = self._orchestrate("run", "--watch", "--max-agents", str(AGENTS), out=subprocess.DEVNULL)
            self.figures.supervisors += 1
            self._was_full["leader"] = self._is_full()
            self._began, self._led = time.monotonic(), False

    def _note_lead(self) -> None:
        if self._led or self.leader is None:
            return
        if self.ground.leads(self.leader.pid, after=self._term_before):
            self._led = True
            self.figures.longest_lead_s = max(self.figures.longest_lead_s, time.monotonic() - self._began)

    def _submit(self) -> None:
        """Keep the queue filled, by one process at a time."""
        if self.submitter is not None:
            process, label = self.submitter
            if process.poll() is None:
                return
            self._heard(process, label)
        if self.plan.kills and len(self.acknowledged) - self._landed() >= OPEN_TASKS:
            return
        n, label = self.number, f"job-{self.number}"
        self.number += 1
        manner = self.random.choice(self.plan.manners).format(
            n=n, s=round(self.random.uniform(0.2, 2.5), 2), beat=self.ground.root / f"beat-{n}"
        )
        words, needs = ["submit"], "# needs nothing"
        if self.acknowledged and self.random.random() < 0.5:
            need = self.random.choice(list(self.acknowledged)[-3:])
            words += ["--depends-on", self.acknowledged[need]]
            needs = f"sh test -e {need.replace('job', 'done')}.txt || touch {self.ground.too_early}/{label}"
        (self.ground.scripts / label).write_text(f"{WORK.format(n=n, needs=needs, manner=manner)}\n")
        words += [label, "--verify", CHECK.format(n=n), "--max-attempts", str(ATTEMPTS)]
        self.submitter = self._orchestrate(*words, "--json", out=subprocess.PIPE), label
        self._was_full["submitter"] = self._is_full()

    def _heard(self, process: "subprocess.Popen[bytes]", label: str) -> None:
        """Take a submission's answer for what it says, also when its sender was killed after it had given it."""
        assert process.stdout is not None
        said = process.stdout.read()
        process.stdout.close()
        code = process.wait()
        self.submitter = None
        with suppress(ValueError, LookupError):
            self.acknowledged[label] = next(t["id"] for t in json.loads(said)["tasks"] if t["key"] == label)
        if label not in self.acknowledged and code != KILLED and not self._was_full["submitter"]:
            self.oracle.violated(f"submit of {label} ended with {code}: {said[:200]!r}")

    def _landed(self) -> int:
        states = self.ground.states()
        return sum(states.get(label) == "done" for label in self.acknowledged)

    # Killing

    def _kill(self, kind: str) -> None:
        agents, found = self._agents(), self._minders()
        if kind == "submitter" and not self._submitters():
            kind = "supervisor"
        if (kind == "agent" and not agents) or (kind in {"minder", "both"} and not found):
            kind = "supervisor"
        if kind in {"agent", "minder", "both"} and self.ground.most_attempts() >= SPARED_FROM:
            kind = "supervisor"
        match kind:
            case "supervisor":
                self._kill_leader()
            case "submitter":
                assert self.submitter is not None
                self.submitter[0].kill()
            case "agent":
                _end(self.random.choice(agents))
            case "minder":
                _end(self.random.choice(found))
            case "both":
                assert self.leader is not None
                self.leader.kill()
                for pid in found:
                    _end(pid)
                self._kill_leader()
            case "pause":
                self._pause()
            case "disk":
                self._fill_disk()
            case "temp":
                for folder in self.ground.temporary.iterdir():
                    shutil.rmtree(folder, ignore_errors=True)
            case _:
                raise AssertionError(kind)
        self.figures.kills[kind] += 1

    def _kill_leader(self) -> None:
        assert self.leader is not None
        self.leader.kill()
        code = self.leader.wait()
        if code != KILLED and (self._led or not self._was_full["leader"]):
            self.oracle.violated(f"a supervisor ended by itself with {code}")
        self.leader = None

    def _pause(self) -> None:
        """Stop the leader as a suspended machine does; a rival must be refused, and the leader go on."""
        assert self.leader is not None
        end = time.monotonic() + HANG_S
        while not self._led and self.leader.poll() is None and time.monotonic() < end:
            self._note_lead()
            time.sleep(0.02)
        if self.leader.poll() is not None:
            return  # whether it was right to end is looked at before the next one is started
        self.leader.send_signal(signal.SIGSTOP)
        try:
            term = self.ground.term()
            rival = self._orchestrate("run", out=subprocess.DEVNULL)
            self.figures.supervisors += 1
            end = time.monotonic() + HANG_S
            while rival.poll() is None and time.monotonic() < end and not self.ground.leads(rival.pid, after=term):
                time.sleep(0.05)
            if rival.returncode == 5:
                self.figures.refused_rivals += 1
            else:
                rival.kill()
                code = rival.wait()
                self.oracle.violated(f"a rival of a stopped leader was not refused (exit code {code})")
            self.oracle.look()
        finally:
            self.leader.send_signal(signal.SIGCONT)

    def _is_full(self) -> bool:
        return self.disk is not None and self.disk.is_full

    def _fill_disk(self) -> None:
        """Leave no room for a while, or hardly any, and give it back.

        By turns it is seen through until a leader has paused, which must then go on by itself; it is brief, so that
        nobody may have seen it; and the leader is killed in it.
        """
        assert self.disk is not None
        turn = self.figures.kills["disk"] % 3
        if turn == 0:
            self._go_on(0, lead=True)  # one that only starts cannot even open its database, and ends
        self.disk.fill(leave_bytes=self.random.choice((0, 0, LITTLE_BYTES)))
        self._was_full = dict.fromkeys(self._was_full, True)
        try:
            self._go_on(self.random.uniform(0.5, 3), lead=False)
            if turn == 0:
                self._until(self._is_paused, "a leader whose disk was full did not pause")
            elif turn == 2 and self.leader is not None:
                self._kill_leader()
                self._go_on(self.random.uniform(0.5, 2), lead=False)
        finally:
            self.disk.free()
        if turn == 0:
            self._until(lambda: not self._is_paused(), "a leader that paused did not go on when there was room")

    def _until(self, is_so: Callable[[], bool], wrong: str) -> None:
        """Go on until *is_so*; else something is *wrong*."""
        end = time.monotonic() + HANG_S
        while not is_so() and not self._is_lost():
            if time.monotonic() >= end:
                self.oracle.violated(wrong)
                return
            self._go_on(0.15, lead=False)

    def _is_paused(self) -> bool:
        """Say whether the leader waits for room; it may from before, where a disk was full twice in a moment."""
        paused, went_on = self._pauses(self._log_before)
        return paused > went_on

    def _pauses(self, before: int = 0) -> tuple[int, int]:
        """Return how often supervisors said that they pause for want of room, and that they go on.

        Looked at is the log after its first *before* bytes.
        """
        said = self.ground.log.read_bytes()[before:].decode(errors="replace")
        return said.count(" paused: "), said.count("there is room again")

    def _locked(self) -> set[tuple[str, int]]:
        return holders(self.ground.locks())

    # Ending

    def _finish(self) -> None:
        """Kill the last leader too; then one run in peace must bring everything to its end."""
        if self.submitter is not None:
            self._heard(*self.submitter)
        if self.leader is not None:
            self._kill_leader()
        last = self._orchestrate("run", "--max-agents", str(AGENTS), out=subprocess.DEVNULL)
        self.figures.supervisors += 1
        end = time.monotonic() + self.plan.patience_s
        while last.poll() is None and time.monotonic() < end and not self._is_lost():
            self.oracle.look()
            time.sleep(0.15)
        if last.poll() is None:
            last.kill()
            last.wait()
            if self._is_lost():
                return
            self.oracle.violated(f"the last run had not ended after {self.plan.patience_s:.0f} s")
        elif last.returncode not in {0, 3}:
            self.oracle.violated(f"the last run ended with {last.returncode}")
        left = self.oracle.leftovers()
        while left and time.monotonic() < end:
            time.sleep(0.1)
            left = self.oracle.leftovers()
            if time.monotonic() > end - self.plan.patience_s + 15 and left:
                break
        for one in left:
            self.oracle.violated(f"process left: {one}")
        self.oracle.judge(self.acknowledged, self.git)

    def _clear_away(self) -> None:
        """End whatever a broken program left behind: only what names this storm's folder."""
        if self.leader is not None:
            self.leader.kill()
            self.leader.wait()
        if self.submitter is not None:
            self.submitter[0].kill()
            self.submitter[0].communicate()
        for pid in {*minders(self.ground.state), *marked(self.ground.root)}:
            _end(pid)
        end = time.monotonic() + 10
        while marked(self.ground.root) and time.monotonic() < end:
            for pid in marked(self.ground.root):
                _end(pid)
            time.sleep(0.05)
        if self.disk is not None:
            self.disk.close()


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
