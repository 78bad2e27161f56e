-- Every version of a plan that was saved, and the talk about it. A plan's own row is its newest version.
-- kind says how a version came about: edit, undo or redo; replayed in order they give what can be undone.

ALTER TABLE plans ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE plans ADD COLUMN approved TEXT;

CREATE TABLE plan_versions (
    plan     TEXT NOT NULL REFERENCES plans (id) ON UPDATE CASCADE,
    version  INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    what     TEXT NOT NULL,
    document TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (plan, version)
) WITHOUT ROWID;

INSERT INTO plan_versions SELECT id, 1, 'edit', 'planned', document, changed_at FROM plans;

CREATE TABLE plan_talk (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    plan TEXT NOT NULL REFERENCES plans (id) ON UPDATE CASCADE,
    who  TEXT NOT NULL,
    text TEXT NOT NULL,
    at   INTEGER NOT NULL
);
CREATE INDEX plan_talk_by_plan ON plan_talk (plan, seq);
