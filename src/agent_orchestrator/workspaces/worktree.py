"""``--isolation worktree``: a linked worktree of the user's repository instead of a private clone.

For those whose tools must see one repository. It shares refs, config and stash
with the user's, so an agent can reach those; the default cannot. Everything but
making and removing the folder is as in the default; checks run in a private clone here too.
"""

import threading
from dataclasses import replace
from pathlib import Path

from agent_orchestrator.domain.goal import Isolation
from agent_orchestrator.workspaces import Workspace, clone
from agent_orchestrator.workspaces.checkout import CheckoutWorkspaces


class WorktreeWorkspaces(CheckoutWorkspaces):
    """All worktrees of one project. They are not recycled: one worktree's metadata is no other's."""

    isolation = Isolation.WORKTREE

    def __init__(self, *, folder: Path, state: Path) -> None:
        """Serve the project in *folder*; worktrees lie in *state*."""
        super().__init__(folder=folder, state=state)
        self._adding = threading.Lock()

    def close(self, workspace: Workspace, *, is_safe: bool = False) -> None:
        """Remove the worktree and what the repository knows about it."""
        root = workspace.root
        self._our_own(root)
        self._save_all(workspace, is_safe=is_safe)
        self._discard(root)
        self._discard(self._records / root.name)
        with self._adding:
            self.repository.git("worktree", "prune", "--expire=now")

    def _workspace(self, root: Path, base: str | None, notes: tuple[str, ...]) -> Workspace:
        """Return the worktree with the parts of the user's ``.git`` that a commit in it changes: no more than those."""
        common = self.repository.common
        parts = (common / "objects", common / "refs", common / "logs", self._git_dir(root))
        (common / "logs").mkdir(exist_ok=True)
        return replace(super()._workspace(root, base, notes), git_writes=parts)

    def _make(
        self, root: Path, *, base: str, index: Path, again: bool = False, keep: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        if not self._is_worktree(root):
            return super()._make(root, base=base, index=index, again=again, keep=keep)
        root.parent.mkdir(parents=True, exist_ok=True)
        index.parent.mkdir(parents=True, exist_ok=True)
        repository = self.repository
        with self._adding:  # two at once can fail on the repository's config.lock
            repository.git("worktree", "prune", "--expire=now")
            repository.git("worktree", "add", "--quiet", "--no-checkout", "--detach", str(root), base)
        git_dir = repository.git("rev-parse", "--absolute-git-dir", cwd=root).text
        index.with_name("git_dir").write_text(git_dir)
        return clone.fill(repository, root, commit=base, git_dir=Path(git_dir), index=index)

    def _git_dir(self, root: Path) -> Path:
        if not self._is_worktree(root):
            return super()._git_dir(root)
        noted = self._records / root.name / "git_dir"
        return Path(noted.read_text()) if noted.exists() else root / ".git"

    def _hide(self, root: Path, patterns: tuple[str, ...]) -> None:
        if not self._is_worktree(root):  # info/exclude of a worktree is the user's own
            super()._hide(root, patterns)

    def _is_worktree(self, root: Path) -> bool:
        return root.is_relative_to(self._checkouts)
