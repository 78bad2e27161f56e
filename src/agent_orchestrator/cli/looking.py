"""Looking at a project again and again, even at one that has no database yet when the looking begins."""

from typing import TYPE_CHECKING

from agent_orchestrator.cli import doors

if TYPE_CHECKING:
    from agent_orchestrator.app import App


class Looking:
    """The app of the current folder for a view that stays: made again until the project's database is there."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self._app: App | None = None
        self._seen = False

    def app(self) -> "App":
        """Return the app. An untouched project's is an empty queue in memory, good for one look."""
        if self._app is not None and not self._seen:
            self._app.store.close()
            self._app = None
        if self._app is None:
            self._app = doors.app(create=False)
            self._seen = self._app.database.exists()  # before its store is opened: what appears later is seen next time
        return self._app
