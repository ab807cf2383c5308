CREATE TABLE idempotency_key (
    "key" TEXT NOT NULL,
    workflow TEXT NOT NULL,
    event TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    payload TEXT,
    batch BIGINT NOT NULL,
    moved BIGINT NOT NULL,
    CONSTRAINT pk_idempotency_key PRIMARY KEY ("key")
)

INSERT INTO idempotency_key ("key", workflow, event, row_id, payload, batch, moved)
SELECT "key", workflow, event, row_id, payload, used.batch, coalesce(called.moved, 1)
FROM transition AS used LEFT JOIN (
    SELECT batch, count(*) AS moved FROM transition WHERE cause IS NULL AND batch IN (
        SELECT batch FROM transition WHERE "key" IS NOT NULL
    ) GROUP BY batch
) AS called ON called.batch = used.batch
WHERE "key" IS NOT NULL

DROP INDEX uq_transition_key

CREATE TABLE archive (
    id INTEGER NOT NULL,
    file TEXT NOT NULL,
    "before" BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    lives BIGINT NOT NULL,
    moves BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    CONSTRAINT pk_archive PRIMARY KEY (id)
)

CREATE TABLE archived (
    workflow TEXT NOT NULL,
    row_id BIGINT NOT NULL,
    archive_id INTEGER NOT NULL,
    moves BIGINT NOT NULL,
    CONSTRAINT pk_archived PRIMARY KEY (workflow, row_id, archive_id),
    CONSTRAINT fk_archived_archive_id_archive FOREIGN KEY(archive_id) REFERENCES archive (id)
)
