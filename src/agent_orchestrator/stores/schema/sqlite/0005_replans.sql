-- Changes of plans that are worked on: wished by agents and failures, decided by policy or a person. Which tasks were
-- added so, from which one, how deep. And who made a version of a plan, and why.

CREATE TABLE replans (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    goal       TEXT NOT NULL REFERENCES goals (id),
    task       TEXT NOT NULL REFERENCES tasks (id),
    attempt    TEXT,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL,
    tasks      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    "by"       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    decided_at INTEGER
);
CREATE INDEX replans_by_goal ON replans (goal, id);
-- At most one of a kind is undecided for a task, whoever writes it and however often a crash repeats it.
CREATE UNIQUE INDEX replans_undecided ON replans (task, kind) WHERE state IN ('reported', 'due', 'waiting');
CREATE INDEX replans_due ON replans (id) WHERE state = 'due';
CREATE INDEX replans_waiting ON replans (id) WHERE state = 'waiting';

CREATE TABLE added_tasks (
    task    TEXT PRIMARY KEY REFERENCES tasks (id),
    goal    TEXT NOT NULL,
    parent  TEXT NOT NULL,
    depth   INTEGER NOT NULL,
    unasked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX added_by_goal ON added_tasks (goal);

ALTER TABLE plan_versions ADD COLUMN who TEXT NOT NULL DEFAULT '';
ALTER TABLE plan_versions ADD COLUMN why TEXT NOT NULL DEFAULT '';
CREATE INDEX plans_by_goal ON plans (goal) WHERE goal IS NOT NULL;
