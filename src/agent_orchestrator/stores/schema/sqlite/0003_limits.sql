-- How often a provider has refused in a row, and how carefully it is used after that. Ceilings in tokens and minutes
-- beside dollars, of goals and of single tasks. What an attempt said it did, and who failed at a task again and again.

ALTER TABLE holds ADD COLUMN refusals INTEGER NOT NULL DEFAULT 1;

CREATE TABLE paces (
    provider TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    refusals INTEGER NOT NULL,
    width    INTEGER NOT NULL,
    stated   INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL
) WITHOUT ROWID;

-- The ceilings of a goal, and of each of its tasks. NULL means none.
CREATE TABLE ceilings (
    goal           TEXT PRIMARY KEY,
    micro_usd      INTEGER,
    tokens         INTEGER,
    seconds        INTEGER,
    task_micro_usd INTEGER,
    task_tokens    INTEGER,
    task_seconds   INTEGER
) WITHOUT ROWID;
INSERT INTO ceilings (goal, micro_usd) SELECT goal, limit_micro_usd FROM budgets;
DROP TABLE budgets;

ALTER TABLE attempts ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN avoid TEXT NOT NULL DEFAULT '';
