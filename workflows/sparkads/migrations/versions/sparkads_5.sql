UPDATE video_code SET deleted_at = coalesce((SELECT max(transition.at) FROM transition WHERE transition.workflow = 'video_code' AND transition.row_id = video_code.id AND transition.target = 'deleted'), (SELECT max(transition.at) FROM transition)) WHERE state = 'deleted'

UPDATE spark_ad SET deleted_at = coalesce((SELECT max(transition.at) FROM transition WHERE transition.workflow = 'spark_ad' AND transition.row_id = spark_ad.id AND transition.target = 'deleted'), (SELECT max(transition.at) FROM transition)) WHERE state = 'deleted'

DROP INDEX uq_video_code_fingerprint

CREATE UNIQUE INDEX uq_video_code_fingerprint ON video_code (account_id, fingerprint) WHERE deleted_at IS NULL

DROP INDEX ix_video_code_deleted_fingerprint

CREATE INDEX ix_video_code_deleted_fingerprint ON video_code (account_id, fingerprint) WHERE deleted_at IS NOT NULL

DROP INDEX uq_spark_ad_name

CREATE UNIQUE INDEX uq_spark_ad_name ON spark_ad (ad_group_id, name) WHERE deleted_at IS NULL

DROP INDEX ix_spark_ad_account_id

CREATE INDEX ix_spark_ad_account_id ON spark_ad (account_id, deleted_at)
