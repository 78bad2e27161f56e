-- The first schema. Times are INTEGER milliseconds since 1970 UTC; money is INTEGER micro-dollars;
-- lists and details are JSON text. Rows are never deleted by normal work: the log is the history.

CREATE TABLE sequences (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO sequences VALUES ('token', 0);

CREATE TABLE goals (
    id             TEXT PRIMARY KEY,
    text           TEXT NOT NULL,
    title          TEXT NOT NULL,
    state          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    source         TEXT NOT NULL,
    notice         TEXT NOT NULL,
    verify         TEXT,
    isolation      TEXT,
    base_commit    TEXT,
    base_branch    TEXT,
    result_branch  TEXT,
    delivery       TEXT NOT NULL,
    delivery_note  TEXT NOT NULL,
    delivered_from TEXT,
    delivered_to   TEXT,
    verdict        TEXT,
    demo           INTEGER NOT NULL,
    created_at     INTEGER,
    started_at     INTEGER,
    ended_at       INTEGER
);
CREATE INDEX goals_by_time ON goals (created_at);
CREATE INDEX goals_open ON goals (state) WHERE state IN ('ready', 'executing');

CREATE TABLE tasks (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    goal           TEXT NOT NULL REFERENCES goals (id),
    key            TEXT NOT NULL,
    title          TEXT NOT NULL,
    description    TEXT NOT NULL,
    specialist     TEXT NOT NULL,
    state          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    tier           TEXT NOT NULL,
    size           TEXT NOT NULL,
    owns           TEXT NOT NULL,
    acceptance     TEXT NOT NULL,
    verify         TEXT,
    expects_change INTEGER NOT NULL,
    provider       TEXT,
    context        TEXT NOT NULL,
    phase          INTEGER NOT NULL,
    goal_rank      INTEGER NOT NULL,
    task_rank      INTEGER NOT NULL,
    unmet          INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    max_attempts   INTEGER NOT NULL,
    not_before     INTEGER,
    token          INTEGER NOT NULL,
    holder         TEXT,
    attempt        TEXT,
    cancel_wished  INTEGER NOT NULL,
    verdict        TEXT,
    summary        TEXT NOT NULL,
    "commit"       TEXT,
    created_at     INTEGER,
    updated_at     INTEGER,
    UNIQUE (goal, key)
);
-- What may be claimed, in the order in which it is claimed: the claim reads one row, whatever the queue's length.
CREATE INDEX tasks_ready ON tasks (goal_rank, task_rank, seq) WHERE state = 'ready';
CREATE INDEX tasks_paused ON tasks (not_before) WHERE state = 'blocked' AND not_before IS NOT NULL;
CREATE INDEX tasks_active ON tasks (state) WHERE state NOT IN ('blocked', 'ready', 'done');
CREATE INDEX tasks_by_provider ON tasks (provider) WHERE provider IS NOT NULL;
CREATE INDEX tasks_by_goal ON tasks (goal, seq);
CREATE INDEX tasks_by_key ON tasks (key);

CREATE TABLE dependencies (
    task  TEXT NOT NULL REFERENCES tasks (id),
    needs TEXT NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (task, needs)
) WITHOUT ROWID;
CREATE INDEX dependencies_by_need ON dependencies (needs, task);

-- Totals per goal and state, and over all goals in the row of goal ''. Triggers keep them true whoever writes.
CREATE TABLE task_counts (
    goal  TEXT NOT NULL,
    state TEXT NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (goal, state)
) WITHOUT ROWID;
CREATE TRIGGER task_counted AFTER INSERT ON tasks BEGIN
    INSERT INTO task_counts VALUES (new.goal, new.state, 1), ('', new.state, 1)
    ON CONFLICT (goal, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_recounted AFTER UPDATE OF state ON tasks WHEN old.state <> new.state BEGIN
    UPDATE task_counts SET n = n - 1 WHERE state = old.state AND goal IN (old.goal, '');
    INSERT INTO task_counts VALUES (new.goal, new.state, 1), ('', new.state, 1)
    ON CONFLICT (goal, state) DO UPDATE SET n = n + 1;
END;

CREATE TABLE attempts (
    id               TEXT PRIMARY KEY,
    task             TEXT NOT NULL REFERENCES tasks (id),
    goal             TEXT NOT NULL REFERENCES goals (id),
    number           INTEGER NOT NULL,
    token            INTEGER NOT NULL,
    agent            TEXT NOT NULL,
    provider         TEXT NOT NULL,
    run_dir          TEXT NOT NULL,
    outcome          TEXT,
    reason           TEXT NOT NULL,
    cli_version      TEXT,
    cli_path         TEXT,
    model            TEXT,
    workspace        TEXT,
    branch           TEXT,
    base_commit      TEXT,
    "commit"         TEXT,
    session          TEXT,
    resumes          TEXT,
    pid              INTEGER,
    stdout_offset    INTEGER NOT NULL,
    last_action      TEXT NOT NULL,
    input_tokens     INTEGER NOT NULL,
    cached_tokens    INTEGER NOT NULL,
    output_tokens    INTEGER NOT NULL,
    cost_micro_usd   INTEGER NOT NULL,
    cost_is_estimate INTEGER NOT NULL,
    prompt_sha256    TEXT,
    feedback         TEXT NOT NULL,
    started_at       INTEGER,
    ended_at         INTEGER,
    evidence         TEXT,
    UNIQUE (task, number)
);
CREATE INDEX attempts_open ON attempts (id) WHERE outcome IS NULL;
CREATE INDEX attempts_by_goal ON attempts (goal);

CREATE TABLE agents (
    id          TEXT PRIMARY KEY,
    provider    TEXT NOT NULL,
    specialist  TEXT NOT NULL,
    state       TEXT NOT NULL,
    task        TEXT,
    attempt     TEXT,
    pid         INTEGER,
    doing       TEXT NOT NULL,
    stop_wished INTEGER NOT NULL,
    started_at  INTEGER,
    seen_at     INTEGER,
    ended_at    INTEGER
);
CREATE INDEX agents_living ON agents (state) WHERE state <> 'ended';
CREATE INDEX agents_by_time ON agents (started_at);

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    type    TEXT NOT NULL,
    goal    TEXT,
    task    TEXT,
    attempt TEXT,
    agent   TEXT,
    token   INTEGER,
    data    TEXT NOT NULL
);
CREATE INDEX events_by_goal ON events (goal, seq) WHERE goal IS NOT NULL;
CREATE INDEX events_by_task ON events (task, seq) WHERE task IS NOT NULL;

CREATE TABLE holds (
    provider TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    until    INTEGER NOT NULL,
    stated   INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE messages (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    goal   TEXT NOT NULL,
    task   TEXT,
    author TEXT NOT NULL,
    "to"   TEXT NOT NULL,
    body   TEXT NOT NULL,
    at     INTEGER NOT NULL
);
CREATE INDEX messages_by_goal ON messages (goal, id);

CREATE TABLE shared (
    goal   TEXT NOT NULL,
    key    TEXT NOT NULL,
    author TEXT NOT NULL,
    value  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (goal, key)
) WITHOUT ROWID;

CREATE TABLE plans (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    goal_text  TEXT NOT NULL,
    document   TEXT NOT NULL,
    goal       TEXT,
    changed_at INTEGER NOT NULL
);
CREATE INDEX plans_by_time ON plans (changed_at);

CREATE TABLE budgets (
    goal            TEXT PRIMARY KEY,
    limit_micro_usd INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE leadership (
    term        INTEGER PRIMARY KEY,
    pid         INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    max_agents  INTEGER NOT NULL,
    ended_at    INTEGER,
    stop_wished INTEGER NOT NULL,
    options     TEXT NOT NULL
);
