"""Which providers can work and plan here, in which order, by which models, and who pays them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent_orchestrator.domain.errors import BadInput, NotReady
from agent_orchestrator.domain.task import Tier
from agent_orchestrator.providers import Provider
from agent_orchestrator.runtime.clis import Installed, find, on_path, require
from agent_orchestrator.settings import Settings

PLANNERS = ("claude", "codex")
"""CLIs that answer in a given JSON schema, the better plans first."""


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """The providers of one project, by its settings and this machine."""

    providers: Mapping[str, Provider]
    environ: Mapping[str, str]
    home: Path
    settings: Settings
    auto: tuple[str, ...]
    """Providers that are taken when none was named, the preferred first."""
    keys: Mapping[str, str]
    """The variable without which a provider cannot even begin; CLIs see to their own logins."""

    def provider(self, name: str) -> Provider:
        """Return the provider *name*. Raises BadInput with the nearest name."""
        if name not in self.providers:
            from difflib import get_close_matches

            close = get_close_matches(name, self.providers, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(self.providers)}"
            if name == "generic":
                hint = "set generic_command: docs/writing-a-provider.md"
            raise BadInput(f"no provider {name!r}", hint=hint)
        return self.providers[name]

    def installed(self, name: str) -> Installed:
        """Return where the provider *name* is installed.

        Raises:
            BadInput: there is no such provider.
            NotReady: it is not installed, or has no key; says what to do.
        """
        provider = self.provider(name)
        if not self._has_key(name):
            raise NotReady(f"the {provider.title} needs a key: {provider.install}")
        return require(provider, self.environ)

    def planners(self) -> tuple[str, ...]:
        """Return the models that could plan here, best first, as the setting ``planner`` allows; empty means rules."""
        chosen = self.settings.planner
        if chosen == "rules":
            return ()
        if chosen != "auto":
            self.installed(chosen)
            return (chosen,)
        by_cli = tuple(name for name in PLANNERS if find(self.providers[name], self.environ) is not None)
        return ("api", *by_cli) if self._has_key("api") else by_cli

    def standing_in(self) -> tuple[str, ...]:
        """Return the models that may plan in the place of a planner that is not here, best first.

        Only those that work in this project's runs, whom somebody pays already: another one nobody has chosen.
        """
        try:
            working = self.of_run()
        except NotReady:
            return ()
        return tuple(name for name in ("api", *PLANNERS) if name in working)

    def dividers(self, source: str) -> tuple[tuple[str, ...], str]:
        """Return the models that may divide a task of a plan that *source* made, best first; and what to tell of them.

        First who made the plan, whatever the settings name by now: somebody chose that one for this goal, and pays it.
        """
        if source not in ("api", *PLANNERS):  # rules, or nobody: whom the settings name is asked
            try:
                return self.planners(), ""
            except NotReady as error:
                return self._instead(error)
        try:
            self.installed(source)
        except NotReady as error:
            return self._instead(error)
        return (source, *(name for name in self._usable() if name != source)), ""

    def _instead(self, error: NotReady) -> tuple[tuple[str, ...], str]:
        """Return who is asked where, for *error*, somebody's choice cannot be."""
        match self.settings.planner:
            case "rules":
                names: tuple[str, ...] = ()
            case "auto":
                names = self.standing_in()
            case _:
                names = self._usable() or self.standing_in()
        return names, f"{error.message}; asked instead: {', '.join(names) or 'the rules'}"

    def _usable(self) -> tuple[str, ...]:
        """Return the planners of the settings; none where the one they name is not here."""
        try:
            return self.planners()
        except NotReady:
            return ()

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The providers that the settings name; empty when any that is installed will do."""
        if self.settings.provider != "auto":
            return tuple(dict.fromkeys(name for name in self.settings.provider.split(",") if name))
        return ("api",) if self.settings.use_api_mode else ()

    def unusable(self) -> dict[str, NotReady]:
        """Return the providers that the settings name and that cannot be used here, with the reason."""
        found = {}
        for name in self.asked_for:
            try:
                self.installed(name)
            except NotReady as error:
                found[name] = error
        return found

    def of_run(self) -> tuple[str, ...]:
        """Return the providers of a run, the preferred first, from the settings ``provider`` and ``use_api_mode``.

        Of several that were named, those that cannot be used here are left out; see :meth:`unusable`.

        Raises:
            NotReady: none can be used; says what to do.
        """
        if self.asked_for:
            missing = self.unusable()
            if len(missing) == len(self.asked_for):
                raise next(iter(missing.values()))
            return tuple(name for name in self.asked_for if name not in missing)
        there = [name for name in self.auto if on_path(self.providers[name], self.environ)]
        # One that nobody pays for would only wait for a login as a stand-in, or use a service the user never chose.
        found = (*there[:1], *(name for name in there[1:] if not self.payer(name).startswith("nobody")))
        if not found and self.settings.generic_command:
            self.installed("generic")
            found = ("generic",)
        if not found:
            raise NotReady(
                f"no agent CLI is installed: none of {', '.join(self.auto)} is on PATH",
                hint=f"{self.providers['claude'].install} (to see a show without one: orchestrate demo)",
            )
        return found

    @property
    def likely(self) -> str | None:
        """Who would do the work of a run, as far as can be told without starting a process; None when nobody would."""
        there = self.asked_for or tuple(name for name in self.auto if on_path(self.providers[name], self.environ))
        return there[0] if there else ("generic" if self.settings.generic_command else None)

    @property
    def available(self) -> frozenset[str]:
        """Every provider that could be started here, for tasks that insist on one."""
        return frozenset(
            name for name, one in self.providers.items() if on_path(one, self.environ) and self._has_key(name)
        )

    def payer(self, name: str) -> str:
        """Say in a few words who pays for the work of the provider *name*."""
        from agent_orchestrator.runtime.environment import allowed

        provider = self.provider(name)
        inherited = allowed(self.environ, (*provider.environment, *self.settings.pass_env))
        return provider.payer(inherited, self.home)

    @cached_property
    def chosen_models(self) -> dict[str, str]:
        """The model that the user chose for all work of a provider, where one was chosen."""
        settings = self.settings
        chosen = {
            "claude": settings.claude_model,
            "codex": settings.codex_model,
            "gemini": settings.gemini_model,
            "opencode": settings.opencode_model,
            "generic": settings.generic_model,
            "api": settings.api_model,
        }
        return {name: model for name, model in chosen.items() if model}

    @cached_property
    def tier_models(self) -> dict[tuple[str, Tier], str]:
        """The model of each provider and tier, from the setting ``models``. Raises BadInput for an unknown provider."""
        found = self.settings.tier_models()
        for name, _ in found:
            if name != "generic":  # which exists only while the user has a command for it
                self.provider(name)
        return found

    def tier_above(self, provider: str, tier: Tier) -> Tier | None:
        """Return the next tier for which *provider* uses another model than for *tier*; None without one."""
        from agent_orchestrator.runtime.roles import tier_above

        return tier_above(provider, tier, chosen=self.chosen_models.get(provider), by_tier=self.tier_models)

    def _has_key(self, name: str) -> bool:
        return name not in self.keys or bool(self.environ.get(self.keys[name]))
