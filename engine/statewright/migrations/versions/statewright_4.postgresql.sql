CREATE FUNCTION transition_is_announced() RETURNS trigger LANGUAGE plpgsql AS $rule$ BEGIN IF pg_current_xact_id_if_assigned() IS NOT NULL AND NOT pg_try_advisory_xact_lock_shared(hashtext('statewright watch')) THEN PERFORM pg_notify('statewright', ''); END IF; RETURN NULL; END $rule$

CREATE TRIGGER transition_is_announced AFTER INSERT ON transition FOR EACH STATEMENT EXECUTE FUNCTION transition_is_announced()
