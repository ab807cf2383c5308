CREATE TABLE ad_account (
    id BIGSERIAL NOT NULL,
    name VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_ad_account PRIMARY KEY (id),
    CONSTRAINT uq_ad_account_name UNIQUE (name),
    CONSTRAINT ck_ad_account_state CHECK (state IN ('open', 'closed'))
)

CREATE TABLE post (
    id BIGSERIAL NOT NULL,
    item_id VARCHAR,
    creator VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    original_id BIGINT,
    origin VARCHAR NOT NULL,
    caption VARCHAR NOT NULL,
    ads_only BOOLEAN NOT NULL,
    posts_allowed BOOLEAN NOT NULL,
    terms_accepted BOOLEAN NOT NULL,
    ads_enabled BOOLEAN NOT NULL,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_post PRIMARY KEY (id),
    CONSTRAINT uq_post_item_id UNIQUE (item_id),
    CONSTRAINT fk_post_original_id_post FOREIGN KEY(original_id) REFERENCES post (id) ON DELETE RESTRICT,
    CONSTRAINT ck_post_state CHECK (state IN ('draft', 'private', 'friends', 'public'))
)

CREATE INDEX ix_post_creator ON post (creator)

CREATE INDEX ix_post_original_id ON post (original_id)

CREATE TABLE identity (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    handle VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_identity PRIMARY KEY (id),
    CONSTRAINT uq_identity_account_id UNIQUE (account_id, kind, handle),
    CONSTRAINT fk_identity_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT,
    CONSTRAINT ck_identity_state CHECK (state IN ('pending', 'usable', 'withdrawn'))
)

CREATE TABLE video_code (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    code TEXT NOT NULL,
    fingerprint VARCHAR NOT NULL,
    hint VARCHAR NOT NULL,
    days INTEGER NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expire_due_at TIMESTAMP WITH TIME ZONE,
    remind_due_at TIMESTAMP WITH TIME ZONE,
    authorized_at TIMESTAMP WITH TIME ZONE,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_video_code PRIMARY KEY (id),
    CONSTRAINT fk_video_code_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT,
    CONSTRAINT fk_video_code_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT,
    CONSTRAINT ck_video_code_state CHECK (state IN ('pending', 'authorized', 'in_review', 'live', 'expired', 'rejected', 'revoked', 'deleted')),
    CONSTRAINT ck_video_code_expire_due_at_in_calendar CHECK (expire_due_at BETWEEN '0001-01-01 00:00:00+00:00' AND '9999-12-31 23:59:59.999999+00:00'),
    CONSTRAINT ck_video_code_remind_due_at_in_calendar CHECK (remind_due_at BETWEEN '0001-01-01 00:00:00+00:00' AND '9999-12-31 23:59:59.999999+00:00')
)

CREATE INDEX ix_video_code_expire_due_at ON video_code (expire_due_at) WHERE expire_due_at IS NOT NULL

CREATE INDEX ix_video_code_post_id ON video_code (post_id)

CREATE INDEX ix_video_code_remind_due_at ON video_code (remind_due_at) WHERE remind_due_at IS NOT NULL

CREATE UNIQUE INDEX uq_video_code_fingerprint ON video_code (account_id, fingerprint) WHERE state != 'deleted'

CREATE TABLE campaign (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    objective VARCHAR,
    budget INTEGER,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_campaign PRIMARY KEY (id),
    CONSTRAINT uq_campaign_account_id UNIQUE (account_id, name),
    CONSTRAINT fk_campaign_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT,
    CONSTRAINT ck_campaign_state CHECK (state IN ('open', 'deleted'))
)

CREATE TABLE ad_group (
    id BIGSERIAL NOT NULL,
    campaign_id BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    location VARCHAR,
    budget INTEGER,
    starts_at TIMESTAMP WITH TIME ZONE,
    ends_at TIMESTAMP WITH TIME ZONE,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_ad_group PRIMARY KEY (id),
    CONSTRAINT uq_ad_group_campaign_id UNIQUE (campaign_id, name),
    CONSTRAINT fk_ad_group_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT,
    CONSTRAINT ck_ad_group_state CHECK (state IN ('open', 'deleted'))
)

CREATE TABLE spark_ad (
    id BIGSERIAL NOT NULL,
    account_id BIGINT NOT NULL,
    ad_group_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    identity_id BIGINT,
    name VARCHAR NOT NULL,
    end_due_at TIMESTAMP WITH TIME ZONE,
    state VARCHAR NOT NULL,
    CONSTRAINT pk_spark_ad PRIMARY KEY (id),
    CONSTRAINT fk_spark_ad_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT,
    CONSTRAINT fk_spark_ad_ad_group_id_ad_group FOREIGN KEY(ad_group_id) REFERENCES ad_group (id) ON DELETE RESTRICT,
    CONSTRAINT fk_spark_ad_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT,
    CONSTRAINT fk_spark_ad_identity_id_identity FOREIGN KEY(identity_id) REFERENCES identity (id) ON DELETE RESTRICT,
    CONSTRAINT ck_spark_ad_state CHECK (state IN ('pending', 'authorized', 'in_review', 'live', 'paused', 'rejected', 'expired', 'deleted')),
    CONSTRAINT ck_spark_ad_end_due_at_in_calendar CHECK (end_due_at BETWEEN '0001-01-01 00:00:00+00:00' AND '9999-12-31 23:59:59.999999+00:00')
)

CREATE INDEX ix_spark_ad_account_id ON spark_ad (account_id, state)

CREATE INDEX ix_spark_ad_ad_group_id ON spark_ad (ad_group_id)

CREATE INDEX ix_spark_ad_end_due_at ON spark_ad (end_due_at) WHERE end_due_at IS NOT NULL

CREATE INDEX ix_spark_ad_identity_id ON spark_ad (identity_id)

CREATE INDEX ix_spark_ad_post_id ON spark_ad (post_id)

CREATE UNIQUE INDEX uq_spark_ad_name ON spark_ad (ad_group_id, name) WHERE state != 'deleted'

CREATE TABLE ad_code (
    ad_id BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    code_id BIGINT,
    CONSTRAINT pk_ad_code PRIMARY KEY (ad_id, post_id),
    CONSTRAINT fk_ad_code_ad_id_spark_ad FOREIGN KEY(ad_id) REFERENCES spark_ad (id) ON DELETE RESTRICT,
    CONSTRAINT fk_ad_code_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT,
    CONSTRAINT fk_ad_code_code_id_video_code FOREIGN KEY(code_id) REFERENCES video_code (id) ON DELETE RESTRICT
)

CREATE INDEX ix_ad_code_code_id ON ad_code (code_id)

CREATE INDEX ix_ad_code_post_id ON ad_code (post_id)

CREATE OR REPLACE FUNCTION video_code_is_kept_while_used() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER video_code_is_kept_while_used BEFORE UPDATE OF state ON video_code FOR EACH ROW EXECUTE FUNCTION video_code_is_kept_while_used()

CREATE OR REPLACE FUNCTION video_code_is_not_replaced_while_used() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER video_code_is_not_replaced_while_used BEFORE INSERT ON video_code FOR EACH ROW EXECUTE FUNCTION video_code_is_not_replaced_while_used()

CREATE OR REPLACE FUNCTION video_code_is_not_removed_while_used() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = OLD.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = OLD.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = OLD.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN OLD; END $rule$

CREATE OR REPLACE TRIGGER video_code_is_not_removed_while_used BEFORE DELETE ON video_code FOR EACH ROW EXECUTE FUNCTION video_code_is_not_removed_while_used()

CREATE OR REPLACE FUNCTION ad_code_is_not_deleted_on_insert() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'this code is deleted; no ad can use it'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER ad_code_is_not_deleted_on_insert BEFORE INSERT ON ad_code FOR EACH ROW EXECUTE FUNCTION ad_code_is_not_deleted_on_insert()

CREATE OR REPLACE FUNCTION ad_code_is_not_deleted_on_update() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'this code is deleted; no ad can use it'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER ad_code_is_not_deleted_on_update BEFORE UPDATE ON ad_code FOR EACH ROW EXECUTE FUNCTION ad_code_is_not_deleted_on_update()

CREATE OR REPLACE FUNCTION spark_ad_is_not_revived_on_a_deleted_code() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF OLD.state = 'deleted' AND NEW.state <> 'deleted' AND EXISTS (SELECT 1 FROM ad_code JOIN video_code ON video_code.id = ad_code.code_id WHERE ad_code.ad_id = NEW.id AND video_code.state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'a code of this ad is deleted'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER spark_ad_is_not_revived_on_a_deleted_code BEFORE UPDATE OF state ON spark_ad FOR EACH ROW EXECUTE FUNCTION spark_ad_is_not_revived_on_a_deleted_code()
