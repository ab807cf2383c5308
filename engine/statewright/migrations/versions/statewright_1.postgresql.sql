CREATE TABLE transition (
    id BIGSERIAL NOT NULL,
    batch BIGINT NOT NULL,
    cause BIGINT,
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    event TEXT NOT NULL,
    source TEXT,
    target TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    actor TEXT NOT NULL,
    reason TEXT,
    chart TEXT NOT NULL,
    key TEXT,
    payload TEXT,
    CONSTRAINT pk_transition PRIMARY KEY (id)
)

CREATE INDEX ix_transition_row ON transition (workflow, row_id)

CREATE UNIQUE INDEX uq_transition_key ON transition (key) WHERE key IS NOT NULL

COMMENT ON COLUMN transition.batch IS 'one cause and all it led to share a batch'

COMMENT ON COLUMN transition.cause IS 'the log row that led to this one'

COMMENT ON COLUMN transition.source IS 'NULL when the row began its life'

COMMENT ON COLUMN transition.due_at IS 'when a deadline wanted it'

COMMENT ON COLUMN transition.chart IS 'fingerprint of the chart that decided'

COMMENT ON COLUMN transition.key IS 'the caller''s idempotency key'

COMMENT ON COLUMN transition.payload IS 'the event''s arguments, as JSON'

CREATE TABLE retention (
    id SERIAL NOT NULL,
    CONSTRAINT pk_retention PRIMARY KEY (id)
)

CREATE TABLE subscription (
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    CONSTRAINT pk_subscription PRIMARY KEY (name)
)

COMMENT ON COLUMN subscription.position IS 'the last log row that was delivered'

COMMENT ON COLUMN subscription.attempts IS 'failures since the last success'

COMMENT ON COLUMN subscription.retry_at IS 'not before this instant, after a failure'

CREATE TABLE undelivered (
    subscriber TEXT NOT NULL,
    transition_id BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    error TEXT NOT NULL,
    CONSTRAINT pk_undelivered PRIMARY KEY (subscriber, transition_id)
)

CREATE TABLE set_aside (
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    event TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE NOT NULL,
    error TEXT NOT NULL,
    CONSTRAINT pk_set_aside PRIMARY KEY (workflow, row_id, event)
)

CREATE TABLE heartbeat (
    daemon TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    moved BIGINT NOT NULL,
    CONSTRAINT pk_heartbeat PRIMARY KEY (daemon)
)

COMMENT ON COLUMN heartbeat.moved IS 'rows moved by the last tick that moved any'

CREATE TABLE schema_version (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_schema_version PRIMARY KEY (name)
)

CREATE OR REPLACE FUNCTION transition_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF TRUE THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the transition log is append-only'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER transition_is_never_changed BEFORE UPDATE ON transition FOR EACH ROW EXECUTE FUNCTION transition_is_never_changed()

CREATE OR REPLACE FUNCTION transition_is_never_deleted() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF NOT EXISTS (SELECT 1 FROM retention) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the transition log is append-only'; END IF; RETURN OLD; END $rule$

CREATE OR REPLACE TRIGGER transition_is_never_deleted BEFORE DELETE ON transition FOR EACH ROW EXECUTE FUNCTION transition_is_never_deleted()
