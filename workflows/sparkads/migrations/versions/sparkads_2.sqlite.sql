CREATE INDEX ix_video_code_deleted_fingerprint ON video_code (account_id, fingerprint) WHERE state = 'deleted'
