DROP TRIGGER video_code_is_kept_while_used

CREATE TRIGGER IF NOT EXISTS video_code_is_kept_while_used BEFORE UPDATE OF state ON video_code FOR EACH ROW WHEN NEW.state = 'deleted' AND (EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.post_id = NEW.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM post JOIN spark_ad ON spark_ad.post_id = post.id WHERE post.original_id = NEW.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM ad_code JOIN spark_ad ON spark_ad.id = ad_code.ad_id WHERE ad_code.code_id = NEW.id AND spark_ad.state <> 'deleted')) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END

DROP TRIGGER video_code_is_not_replaced_while_used

CREATE TRIGGER IF NOT EXISTS video_code_is_not_replaced_while_used BEFORE INSERT ON video_code FOR EACH ROW WHEN NEW.state = 'deleted' AND (EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.post_id = NEW.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM post JOIN spark_ad ON spark_ad.post_id = post.id WHERE post.original_id = NEW.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM ad_code JOIN spark_ad ON spark_ad.id = ad_code.ad_id WHERE ad_code.code_id = NEW.id AND spark_ad.state <> 'deleted')) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END

DROP TRIGGER video_code_is_not_removed_while_used

CREATE TRIGGER IF NOT EXISTS video_code_is_not_removed_while_used BEFORE DELETE ON video_code FOR EACH ROW WHEN (EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.post_id = OLD.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM post JOIN spark_ad ON spark_ad.post_id = post.id WHERE post.original_id = OLD.post_id AND spark_ad.state <> 'deleted') OR EXISTS (SELECT 1 FROM ad_code JOIN spark_ad ON spark_ad.id = ad_code.ad_id WHERE ad_code.code_id = OLD.id AND spark_ad.state <> 'deleted')) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END
