"""Compute the weights of ``planning/learned.py`` from labelled titles, and say how well they route.

    uv run --with scikit-learn python benchmarks/routing_weights.py TITLES... [--held FILE] [--write]

A file of titles holds JSON objects, one a line or as one list: ``title``, ``body``, ``repo`` and ``gold``, the
specialist whose work it was. Titles are not part of the project; any public repository has some, and the files that a
pull request touched tell whose work it was. Titles of ``--held`` count three times in training, and the figures are
measured on them, whole repositories left out. ``--write`` stores the weights computed from all titles.
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from agent_orchestrator.planning import learned, routing
from agent_orchestrator.planning.roster import Roster

WEIGHTS = Path(learned.__file__).with_name("weights.json")
KEPT = 1500
"""Words and pairs that are kept. 1,200 to 2,500 did alike; more would pass 64 KiB."""
LEAST = 0.25
"""Weights nearer to 0 are dropped."""
REGULARISATION = 3.0
FOLDS = 8
HELD_COUNTS = 3

Title = dict[str, Any]


def read(path: Path) -> list[Title]:
    text = path.read_text(encoding="utf-8")
    titles: list[Title] = json.loads(text) if text.startswith("[") else [json.loads(x) for x in text.splitlines() if x]
    for title in titles:
        title["features"] = learned.features(title["title"], title.get("body") or "")
    return titles


def importance(titles: list[Title]) -> list[float]:
    """Weigh titles so that neither a frequent specialist nor a busy repository decides everything."""
    by_role = Counter(one["gold"] for one in titles)
    by_place = Counter((one["repo"], one["gold"]) for one in titles)
    return [
        100 / by_role[one["gold"]] ** 0.7 / by_place[one["repo"], one["gold"]] ** 0.3 * one.get("counts", 1)
        for one in titles
    ]


def chosen(titles: list[Title], importances: list[float], roles: list[str]) -> list[str]:
    """Return the words that tell specialists apart best (chi-square), each seen in two repositories at least."""
    place = {role: at for at, role in enumerate(roles)}
    seen: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(roles))
    repositories: dict[str, set[str]] = defaultdict(set)
    count: Counter[str] = Counter()
    totals = [0.0] * len(roles)
    for title, weight in zip(titles, importances, strict=True):
        totals[place[title["gold"]]] += weight
        for gram in title["features"]:
            seen[gram][place[title["gold"]]] += weight
            repositories[gram].add(title["repo"])
            count[gram] += 1
    whole = sum(totals)

    def tells(gram: str) -> float:
        share = sum(seen[gram]) / whole
        return math.log(1 + len(repositories[gram])) * sum(
            (here - total * share) ** 2 / (total * share + 1e-9) for here, total in zip(seen[gram], totals, strict=True)
        )

    able = [gram for gram in seen if len(repositories[gram]) >= 2 and count[gram] >= 4]
    return sorted(able, key=lambda gram: (-tells(gram), gram))[:KEPT]


def train(titles: list[Title], roles: list[str]) -> dict[str, Any]:
    """Return what weights.json holds."""
    from scipy.sparse import csr_matrix  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-not-found,unused-ignore]

    importances = importance(titles)
    grams = chosen(titles, importances, roles)
    at = {gram: number for number, gram in enumerate(grams)}
    rows, columns, values = [], [], []
    for row, title in enumerate(titles):
        known = {gram: share for gram, share in title["features"].items() if gram in at}
        length = math.sqrt(sum(share * share for share in known.values())) or 1
        for gram, share in known.items():
            rows.append(row)
            columns.append(at[gram])
            values.append(share / length)
    matrix = csr_matrix((values, (rows, columns)), shape=(len(titles), len(grams)))
    labels = [roles.index(title["gold"]) for title in titles]
    model = LogisticRegression(C=REGULARISATION, max_iter=400)
    model.fit(matrix, labels, sample_weight=importances)
    words = {}
    for gram, column in at.items():
        told = [
            f"{roles.index(roles[label])}:{round(model.coef_[place][column] * learned.UNIT)}"
            for place, label in enumerate(model.classes_)
            if abs(model.coef_[place][column]) >= LEAST
        ]
        if told:
            words[gram] = " ".join(told)
    return {"roles": roles, "words": dict(sorted(words.items()))}


def store(weights: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(weights, ensure_ascii=False, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def measure(held: list[Title], others: list[Title], roles: list[str]) -> None:
    """Print the share of held titles that go right, by what decides; weights never saw a title's repository."""
    repositories = sorted({title["repo"] for title in held})
    right: Counter[str] = Counter()
    sure: list[tuple[float, bool]] = []
    roster, kept = Roster(), routing.LEARNED_WEIGHT
    for fold in range(FOLDS):
        out = set(repositories[fold::FOLDS])
        weights = train([one for one in held + others if one["repo"] not in out], roles)
        rows = {
            gram: {int(at): int(weight) for at, _, weight in (pair.partition(":") for pair in row.split())}
            for gram, row in weights["words"].items()
        }
        learned._weights = lambda rows=rows: (tuple(roles), rows)  # type: ignore[assignment]
        for title in held:
            if title["repo"] in out:
                text = (title["title"], title.get("body") or "")
                for how, weight in (("words of the roster", 0.0), ("both", kept)):
                    routing.LEARNED_WEIGHT = weight
                    found = routing.route(*text, roster)
                    right[how] += found.specialist == title["gold"]
                sure.append((found.confidence, found.specialist in title.get("accept", [title["gold"]])))
                told = learned.evidence(*text)
                right["learned"] += bool(told) and max(told, key=lambda role: told[role][0]) == title["gold"]
    routing.LEARNED_WEIGHT = kept
    for how, count in right.items():
        print(f"{how:20} {count / len(held):.3f} of {len(held)}")
    sure.sort(key=lambda pair: -pair[0])
    half = len(sure) // 2
    for how, some in (("the confident half", sure[:half]), ("the other half", sure[half:])):
        print(f"{how:20} {sum(hit for _, hit in some) / len(some):.3f} lenient")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("titles", nargs="+", type=Path)
    parser.add_argument("--held", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    others = [title for path in asked.titles for title in read(path)]
    held = read(asked.held) if asked.held else []
    for title in held:
        title["counts"] = HELD_COUNTS
    roles = sorted({title["gold"] for title in held + others})
    if held:
        measure(held, others, roles)
    if asked.write:
        store(train(held + others, roles), WEIGHTS)
        print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
