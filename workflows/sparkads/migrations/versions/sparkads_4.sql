UPDATE spark_ad SET stops_at = end_due_at WHERE state = 'pending'

UPDATE spark_ad SET stops_at = (
    SELECT min(ends.at) FROM (
        SELECT video_code.expire_due_at AS at FROM ad_code JOIN video_code ON video_code.id = ad_code.code_id
        WHERE ad_code.ad_id = spark_ad.id
        UNION ALL SELECT spark_ad.end_due_at
    ) AS ends
) WHERE state IN ('authorized', 'in_review', 'live', 'paused', 'rejected')
