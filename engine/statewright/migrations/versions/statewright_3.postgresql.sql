CREATE TABLE idempotency_key (
    key TEXT NOT NULL,
    workflow TEXT NOT NULL,
    event TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    payload TEXT,
    batch BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    CONSTRAINT pk_idempotency_key PRIMARY KEY (key)
)

INSERT INTO idempotency_key (key, workflow, event, row_id, payload, batch, moved)
SELECT key, workflow, event, row_id, payload, used.batch, coalesce(called.moved, 1)
FROM transition AS used LEFT JOIN (
    SELECT batch, count(*) AS moved FROM transition WHERE cause IS NULL AND batch IN (
        SELECT batch FROM transition WHERE key IS NOT NULL
    ) GROUP BY batch
) AS called ON called.batch = used.batch
WHERE key IS NOT NULL

DROP INDEX uq_transition_key

CREATE TABLE archive (
    id BIGSERIAL NOT NULL,
    file TEXT NOT NULL,
    before TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    lives BIGINT NOT NULL,
    moves BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    CONSTRAINT pk_archive PRIMARY KEY (id)
)

CREATE TABLE archived (
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    archive_id BIGINT NOT NULL,
    moves BIGINT NOT NULL,
    CONSTRAINT pk_archived PRIMARY KEY (workflow, row_id, archive_id),
    CONSTRAINT fk_archived_archive_id_archive FOREIGN KEY(archive_id) REFERENCES archive (id)
)

COMMENT ON COLUMN idempotency_key.row_id IS 'the row that moved; of several, the first'

COMMENT ON COLUMN idempotency_key.moved IS 'rows that the event itself moved'

COMMENT ON COLUMN archive.file IS 'its name, without the folder'

COMMENT ON COLUMN archive.before IS 'lives whose last move was earlier than this are in it'

COMMENT ON COLUMN archive.sha256 IS 'of the file, in hexadecimal'

DROP TRIGGER transition_is_never_changed ON transition

DROP TRIGGER transition_is_never_deleted ON transition

ALTER TABLE transition RENAME TO transition_until_now

ALTER TABLE transition_until_now DROP CONSTRAINT pk_transition

ALTER TABLE transition_until_now ADD CONSTRAINT transition_until_now_pkey PRIMARY KEY (id, at)

ALTER INDEX ix_transition_row RENAME TO transition_until_now_row

CREATE TABLE transition (
    id BIGINT DEFAULT nextval('transition_id_seq') NOT NULL,
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
    CONSTRAINT pk_transition PRIMARY KEY (id, at)
) PARTITION BY RANGE (at)

ALTER SEQUENCE transition_id_seq OWNED BY transition.id

CREATE INDEX ix_transition_row ON transition (workflow, row_id)

COMMENT ON COLUMN transition.batch IS 'one cause and all it led to share a batch'

COMMENT ON COLUMN transition.cause IS 'the log row that led to this one'

COMMENT ON COLUMN transition.source IS 'NULL when the row began its life'

COMMENT ON COLUMN transition.due_at IS 'when a deadline wanted it'

COMMENT ON COLUMN transition.chart IS 'fingerprint of the chart that decided'

COMMENT ON COLUMN transition.key IS 'the caller''s idempotency key'

COMMENT ON COLUMN transition.payload IS 'the event''s arguments, as JSON'

CREATE TRIGGER transition_is_never_changed BEFORE UPDATE ON transition
FOR EACH ROW EXECUTE FUNCTION transition_is_never_changed()

CREATE TRIGGER transition_is_never_deleted BEFORE DELETE ON transition
FOR EACH ROW EXECUTE FUNCTION transition_is_never_deleted()

CREATE OR REPLACE FUNCTION transition_is_never_truncated() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN
RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the transition log is append-only';
END $rule$

CREATE TABLE IF NOT EXISTS transition_default PARTITION OF transition DEFAULT

CREATE OR REPLACE TRIGGER transition_is_never_truncated BEFORE TRUNCATE ON transition
FOR EACH STATEMENT EXECUTE FUNCTION transition_is_never_truncated()

CREATE OR REPLACE TRIGGER transition_is_never_truncated BEFORE TRUNCATE ON transition_default
FOR EACH STATEMENT EXECUTE FUNCTION transition_is_never_truncated()

DO $do$ BEGIN EXECUTE replace($make$
CREATE OR REPLACE FUNCTION SCHEMA.transition_ahead(present timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '300ms' AS $ahead$
DECLARE
    low timestamptz;
    high timestamptz;
    part text;
BEGIN
    LOCK TABLE SCHEMA.transition IN SHARE UPDATE EXCLUSIVE MODE;
    -- The parts follow each other without a gap; a month of which the default part has rows already is left to it.
    SELECT to_date(right(max(relname::text), 7), 'YYYY_MM') + interval '1 month' INTO low
    FROM pg_inherits JOIN pg_class part ON part.oid = inhrelid
    WHERE inhparent = 'SCHEMA.transition'::regclass AND relname ~ '_[0-9]{4}_[0-9]{2}$';
    SELECT greatest(low, date_trunc('month', max(at)) + interval '1 month') INTO low FROM SCHEMA.transition_default;
    high := greatest(date_trunc('month', present), low) + interval '1 month';
    WHILE high <= date_trunc('month', present) + interval '3 months' LOOP
        part := 'transition_' || to_char(high - interval '1 month', 'YYYY_MM');
        EXECUTE format('CREATE TABLE SCHEMA.%I (LIKE SCHEMA.transition INCLUDING DEFAULTS)', part);
        EXECUTE format('CREATE TRIGGER transition_is_never_truncated BEFORE TRUNCATE ON SCHEMA.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION SCHEMA.transition_is_never_truncated()', part);
        EXECUTE format('ALTER TABLE SCHEMA.transition ATTACH PARTITION SCHEMA.%I FOR VALUES FROM (%s) TO (%L)',
            part, coalesce(quote_literal(low), 'MINVALUE'), high);
        low := high;
        high := high + interval '1 month';
    END LOOP;
END $ahead$ $make$, 'SCHEMA', quote_ident(current_schema())); END $do$

REVOKE ALL ON FUNCTION transition_ahead(timestamptz) FROM PUBLIC

DO $do$ DECLARE
    high TIMESTAMP WITH TIME ZONE;
    part TEXT;
BEGIN
    SELECT date_trunc('month', max(at), 'UTC') + interval '1 month' INTO high FROM transition_until_now;
    IF high IS NULL THEN
        DROP TABLE transition_until_now;
    ELSE
        part := 'transition_' || to_char((high - interval '1 month') AT TIME ZONE 'UTC', 'YYYY_MM');
        EXECUTE format('ALTER TABLE transition_until_now RENAME TO %I', part);
        EXECUTE format('CREATE TRIGGER transition_is_never_truncated BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION transition_is_never_truncated()', part);
        EXECUTE format('ALTER TABLE transition ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', part, high);
    END IF;
END $do$

SELECT transition_ahead(clock_timestamp())
