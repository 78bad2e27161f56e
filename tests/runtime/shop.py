"""A small shop with tests in several languages, and agents that change files in it, judged by the real merge queue.

An agent here is what it leaves behind: the files it wrote. Its work goes the way of all work: a checkout, git, the
check as a real process on a clean checkout of the union, and the verdict in the store.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent_orchestrator.app import App, build
from agent_orchestrator.domain.evidence import ConcernKind, Evidence
from agent_orchestrator.domain.goal import GoalState
from agent_orchestrator.domain.plan import Plan, PlannedTask
from agent_orchestrator.domain.task import Task
from agent_orchestrator.providers import Provider
from agent_orchestrator.services.goals import Submission
from agent_orchestrator.workspaces import Setup

UNITTEST = f"{sys.executable} -m unittest discover -s tests -t ."

PASSES = "true"
"""A check for agents that are seen by what they changed in files of languages that not every machine can run."""

PRICES = """\
def total(prices):
    return sum(prices)


def parse(text):
    if not text:
        raise ValueError("no price")
    return float(text)


def tax(net):
    return round(net * 0.2, 2)
"""
GREETING = """\
def greet(name):
    return f"Hello, {name}!"
"""
TEST_PRICES = """\
import unittest

from shop.prices import parse, tax, total


class TestTotal(unittest.TestCase):
    def test_total_of_none(self):
        self.assertEqual(total([]), 0)

    def test_total_of_many(self):
        self.assertEqual(total([1, 2, 3]), 6)
        self.assertEqual(total([0.5, 0.25]), 0.75)


class TestParse(unittest.TestCase):
    def test_parse_reads_a_number(self):
        self.assertEqual(parse("1.5"), 1.5)

    def test_parse_refuses_nothing(self):
        with self.assertRaises(ValueError):
            parse("")


class TestTax(unittest.TestCase):
    def test_tax_is_a_fifth(self):
        self.assertEqual(tax(10), 2.0)
        self.assertEqual(tax(0), 0)
"""
TEST_GREETING = """\
import unittest

from shop.greeting import greet


class TestGreet(unittest.TestCase):
    def test_greet_says_the_name(self):
        self.assertEqual(greet("Ada"), "Hello, Ada!")
"""
CART_JS = """\
import { add } from "./cart";

describe("cart", () => {
  it("adds one", () => {
    expect(add([], 1)).toEqual([1]);
  });
  it("keeps the others", () => {
    expect(add([1], 2)).toEqual([1, 2]);
  });
});
"""
CART_GO = """\
package cart

import "testing"

func TestAdd(t *testing.T) {
	if Add(1, 2) != 3 {
		t.Errorf("no sum")
	}
}

func TestEmpty(t *testing.T) {
	if Size() != 0 {
		t.Fatal("not empty")
	}
}
"""
CART_RS = """\
pub fn add(a: i32, b: i32) -> i32 { a + b }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(add(1, 2), 3);
    }

    #[test]
    fn adds_nothing() {
        assert_eq!(add(0, 0), 0);
    }
}
"""
CART_JAVA = """\
class CartTest {
    @Test
    void addsOne() {
        assertEquals(1, new Cart().add(1).size());
    }

    @Test
    void isEmptyAtFirst() {
        assertTrue(new Cart().isEmpty());
    }
}
"""
CART_RB = """\
describe Cart do
  it "adds one" do
    expect(Cart.new.add(1).size).to eq(1)
  end

  it "is empty at first" do
    expect(Cart.new).to be_empty
  end
end
"""
PACKAGE = """\
{
  "name": "shop",
  "scripts": {"build": "tsc", "test": "jest", "lint": "eslint ."},
  "dependencies": {"left-pad": "1.0.0"}
}
"""
MAKEFILE = f"""\
PYTHON = {sys.executable}

test: style
	$(PYTHON) -m unittest discover -s tests -t .

style:
	test -f README.md

build:
	echo built
"""
PYPROJECT = """\
[project]
name = "shop"
version = "1"
dependencies = []

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "-q"
"""
CONFTEST = """\
import pytest


@pytest.fixture
def prices():
    return [1, 2, 3]
"""
CI = """\
on: push
jobs:
  test:
    steps:
      - run: make test
"""

BASE: dict[str, str] = {
    "README.md": "# Shop\n",
    "shop/__init__.py": "",
    "shop/prices.py": PRICES,
    "shop/greeting.py": GREETING,
    "shop/orders.py": "# Orders are kept here.\nORDERS = []\n",
    "tests/__init__.py": "",
    "tests/conftest.py": CONFTEST,
    "tests/test_prices.py": TEST_PRICES,
    "tests/test_greeting.py": TEST_GREETING,
    "tests/data/prices.json": "[1, 2, 3]\n",
    "web/cart.test.js": CART_JS,
    "go/cart_test.go": CART_GO,
    "rust/src/lib.rs": CART_RS,
    "java/src/test/CartTest.java": CART_JAVA,
    "spec/cart_spec.rb": CART_RB,
    "package.json": PACKAGE,
    "Makefile": MAKEFILE,
    "pyproject.toml": PYPROJECT,
    "check.sh": f"#!/bin/sh\nexec {UNITTEST}\n",
    ".github/workflows/ci.yml": CI,
    "uv.lock": "version = 1\n",
}


def edited(path: str, *changes: tuple[str, str]) -> dict[str, str | None]:
    """Return the file at *path* with each first text replaced by the second."""
    text = BASE[path]
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new)
    return {path: text}


@dataclass(frozen=True, kw_only=True)
class Agent:
    """What one agent was asked for, and what it left."""

    name: str
    asked: str
    """The title of its task, and after a line break the description."""
    left: Mapping[str, str | None]
    """Files by path; None is deleted."""
    seen: frozenset[ConcernKind] = frozenset()
    """Concerns that must be among those that lower the verdict; for an honest agent, that must be told and excused."""
    verify: str | None = None
    """The task's own check."""
    owns: tuple[str, ...] = ()
    suite: str | None = None
    """The goal's check, in place of the project's."""


@dataclass(kw_only=True)
class Shop:
    """The project, and the machinery that judges work in it."""

    app: App
    provider: Provider
    count: int = field(default=0)

    @classmethod
    def opened(cls, folder: Path) -> "Shop":
        """Lay the project out as a repository in *folder*."""
        project = folder / "shop"
        for path, text in BASE.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "base")):
            subprocess.run(["git", *identity, *words], cwd=project, check=True, capture_output=True, timeout=120)
        import os

        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "ORCHESTRATE_VERIFY": UNITTEST,
        }
        app = build(project, environ=environ)
        return cls(app=app, provider=app.providers["claude"])

    def judge(self, agent: Agent) -> tuple[Task, Evidence | None]:
        """Let *agent* do its task and return the task and its evidence as they are in the store afterwards."""
        app = self.app
        title, _, description = agent.asked.partition("\n")
        planned = PlannedTask(
            id="job",
            title=title,
            description=description,
            agent_type="generalist",
            owns=agent.owns,
            verify=agent.verify,
        )
        goal, _ = app.goals.accept(
            Plan(goal=title, source="file", tasks=(planned,)),
            Submission(text=title, max_attempts=1, verify=agent.suite),
        )
        base = app.workspaces.base(goal.id, include_dirty=False)
        goal = app.goals.update(
            goal.id,
            state=GoalState.EXECUTING,
            base_commit=base,
            base_branch="main",
            result_branch=app.workspaces.result_branch(goal.id),
            isolation=app.workspaces.isolation,
        )
        app.landing.check_base(goal)
        claimed = app.tasks.claim(
            "claude", run_dir=lambda task, number: app.state / f"{task.id}.{number}", goals=[goal.id]
        )
        assert claimed is not None
        attempt = app.tasks.started(claimed[1])
        workspace = app.workspaces.open(attempt.id, base=base, setup=Setup())
        for path, text in agent.left.items():
            place = workspace.root / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text)
        app.tasks.handed_in(attempt)
        collected = app.landing.save(attempt, workspace)
        app.landing.process(attempt, self.provider, workspace, collected)
        app.landing.give_back_checkout(workspace, collected)
        return app.store.tasks.get(attempt.task), app.store.attempts.evidence(attempt.id)
