CREATE TABLE transition (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    batch BIGINT NOT NULL,
    cause BIGINT,
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    event TEXT NOT NULL,
    source TEXT,
    target TEXT NOT NULL,
    at BIGINT NOT NULL,
    due_at BIGINT,
    actor TEXT NOT NULL,
    reason TEXT,
    chart TEXT NOT NULL,
    "key" TEXT,
    payload TEXT
)

CREATE INDEX ix_transition_row ON transition (workflow, row_id)

CREATE UNIQUE INDEX uq_transition_key ON transition ("key") WHERE "key" IS NOT NULL

CREATE TABLE retention (
    id INTEGER NOT NULL,
    CONSTRAINT pk_retention PRIMARY KEY (id)
)

CREATE TABLE subscription (
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at BIGINT,
    error TEXT,
    CONSTRAINT pk_subscription PRIMARY KEY (name)
)

CREATE TABLE undelivered (
    subscriber TEXT NOT NULL,
    transition_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    error TEXT NOT NULL,
    CONSTRAINT pk_undelivered PRIMARY KEY (subscriber, transition_id)
)

CREATE TABLE set_aside (
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    event TEXT NOT NULL,
    at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at BIGINT NOT NULL,
    error TEXT NOT NULL,
    CONSTRAINT pk_set_aside PRIMARY KEY (workflow, row_id, event)
)

CREATE TABLE heartbeat (
    daemon TEXT NOT NULL,
    at BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    CONSTRAINT pk_heartbeat PRIMARY KEY (daemon)
)

CREATE TABLE schema_version (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_schema_version PRIMARY KEY (name)
)

CREATE TRIGGER IF NOT EXISTS transition_is_never_changed BEFORE UPDATE ON transition FOR EACH ROW WHEN TRUE BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END

CREATE TRIGGER IF NOT EXISTS transition_is_never_deleted BEFORE DELETE ON transition FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM retention) BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END
