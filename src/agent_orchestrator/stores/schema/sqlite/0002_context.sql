-- Everything that agents of a goal leave for each other, and the user's notes, in versions. Replaces table shared,
-- which kept one value per key and lost the other when two agents wrote at the same time.

CREATE TABLE context (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    goal    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    newest  INTEGER NOT NULL,
    author  TEXT NOT NULL,
    by_user INTEGER NOT NULL,
    value   TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    sha256  TEXT,
    beside  INTEGER,
    at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX context_by_name ON context (goal, kind, name, version);
CREATE INDEX context_newest ON context (goal, kind, id) WHERE newest = 1;

INSERT INTO context (goal, kind, name, version, newest, author, by_user, value, bytes, at)
SELECT goal,
       CASE WHEN key LIKE 'results/%' THEN 'result' ELSE 'key' END,
       CASE WHEN key LIKE 'results/%' THEN substr(key, 9) ELSE key END,
       1, 1, author, 0, value, length(CAST(value AS BLOB)), at
FROM shared ORDER BY at;
DROP TABLE shared;
