CREATE INDEX ix_video_code_deleted_fingerprint ON video_code (account_id, fingerprint) WHERE state = 'deleted'

CREATE OR REPLACE FUNCTION spark_ad_is_not_revived_on_a_deleted_code() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM ad_code JOIN video_code ON video_code.id = ad_code.code_id WHERE ad_code.ad_id = NEW.id AND video_code.state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'a code of this ad is deleted'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER spark_ad_is_not_revived_on_a_deleted_code BEFORE UPDATE OF state ON spark_ad FOR EACH ROW WHEN (OLD.state = 'deleted' AND NEW.state <> 'deleted') EXECUTE FUNCTION spark_ad_is_not_revived_on_a_deleted_code()

CREATE OR REPLACE FUNCTION video_code_is_kept_while_used() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER video_code_is_kept_while_used BEFORE UPDATE OF state ON video_code FOR EACH ROW WHEN (NEW.state = 'deleted') EXECUTE FUNCTION video_code_is_kept_while_used()

CREATE OR REPLACE FUNCTION video_code_is_not_replaced_while_used() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $rule$

CREATE OR REPLACE TRIGGER video_code_is_not_replaced_while_used BEFORE INSERT ON video_code FOR EACH ROW WHEN (NEW.state = 'deleted') EXECUTE FUNCTION video_code_is_not_replaced_while_used()
