SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.ad_code_is_not_deleted_on_insert() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'this code is deleted; no ad can use it'; END IF; RETURN NEW; END $$;
CREATE FUNCTION public.ad_code_is_not_deleted_on_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'this code is deleted; no ad can use it'; END IF; RETURN NEW; END $$;
CREATE FUNCTION public.spark_ad_is_not_revived_on_a_deleted_code() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF OLD.state = 'deleted' AND NEW.state <> 'deleted' AND EXISTS (SELECT 1 FROM ad_code JOIN video_code ON video_code.id = ad_code.code_id WHERE ad_code.ad_id = NEW.id AND video_code.state = 'deleted') THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'a code of this ad is deleted'; END IF; RETURN NEW; END $$;
CREATE FUNCTION public.transition_is_never_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF TRUE THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the transition log is append-only'; END IF; RETURN NEW; END $$;
CREATE FUNCTION public.transition_is_never_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF NOT EXISTS (SELECT 1 FROM retention) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'the transition log is append-only'; END IF; RETURN OLD; END $$;
CREATE FUNCTION public.video_code_is_kept_while_used() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $$;
CREATE FUNCTION public.video_code_is_not_removed_while_used() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = OLD.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = OLD.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = OLD.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN OLD; END $$;
CREATE FUNCTION public.video_code_is_not_replaced_while_used() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = 'an ad that is not deleted uses the video of this code'; END IF; RETURN NEW; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.ad_account (
    id bigint NOT NULL,
    name character varying NOT NULL,
    state character varying NOT NULL,
    CONSTRAINT ck_ad_account_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'closed'::character varying])::text[])))
);
CREATE SEQUENCE public.ad_account_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.ad_account_id_seq OWNED BY public.ad_account.id;
CREATE TABLE public.ad_code (
    ad_id bigint NOT NULL,
    post_id bigint NOT NULL,
    code_id bigint
);
CREATE TABLE public.ad_group (
    id bigint NOT NULL,
    campaign_id bigint NOT NULL,
    name character varying NOT NULL,
    location character varying,
    budget integer,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    state character varying NOT NULL,
    CONSTRAINT ck_ad_group_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'deleted'::character varying])::text[])))
);
CREATE SEQUENCE public.ad_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.ad_group_id_seq OWNED BY public.ad_group.id;
CREATE TABLE public.campaign (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    name character varying NOT NULL,
    objective character varying,
    budget integer,
    state character varying NOT NULL,
    CONSTRAINT ck_campaign_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'deleted'::character varying])::text[])))
);
CREATE SEQUENCE public.campaign_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.campaign_id_seq OWNED BY public.campaign.id;
CREATE TABLE public.heartbeat (
    daemon text NOT NULL,
    at timestamp with time zone NOT NULL,
    moved bigint NOT NULL
);
CREATE TABLE public.identity (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    kind character varying NOT NULL,
    handle character varying NOT NULL,
    state character varying NOT NULL,
    CONSTRAINT ck_identity_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'usable'::character varying, 'withdrawn'::character varying])::text[])))
);
CREATE SEQUENCE public.identity_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.identity_id_seq OWNED BY public.identity.id;
CREATE TABLE public.post (
    id bigint NOT NULL,
    item_id character varying,
    creator character varying NOT NULL,
    kind character varying NOT NULL,
    original_id bigint,
    origin character varying NOT NULL,
    caption character varying NOT NULL,
    ads_only boolean NOT NULL,
    posts_allowed boolean NOT NULL,
    terms_accepted boolean NOT NULL,
    ads_enabled boolean NOT NULL,
    state character varying NOT NULL,
    CONSTRAINT ck_post_state CHECK (((state)::text = ANY ((ARRAY['draft'::character varying, 'private'::character varying, 'friends'::character varying, 'public'::character varying])::text[])))
);
CREATE SEQUENCE public.post_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.post_id_seq OWNED BY public.post.id;
CREATE TABLE public.retention (
    id integer NOT NULL
);
CREATE SEQUENCE public.retention_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.retention_id_seq OWNED BY public.retention.id;
CREATE TABLE public.schema_version (
    name text NOT NULL,
    version integer NOT NULL
);
CREATE TABLE public.set_aside (
    workflow text NOT NULL,
    row_id bigint NOT NULL,
    event text NOT NULL,
    at timestamp with time zone NOT NULL,
    attempts integer NOT NULL,
    retry_at timestamp with time zone NOT NULL,
    error text NOT NULL
);
CREATE TABLE public.spark_ad (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    ad_group_id bigint NOT NULL,
    post_id bigint NOT NULL,
    identity_id bigint,
    name character varying NOT NULL,
    end_due_at timestamp with time zone,
    state character varying NOT NULL,
    CONSTRAINT ck_spark_ad_end_due_at_in_calendar CHECK (((end_due_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (end_due_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))),
    CONSTRAINT ck_spark_ad_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'authorized'::character varying, 'in_review'::character varying, 'live'::character varying, 'paused'::character varying, 'rejected'::character varying, 'expired'::character varying, 'deleted'::character varying])::text[])))
);
CREATE SEQUENCE public.spark_ad_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.spark_ad_id_seq OWNED BY public.spark_ad.id;
CREATE TABLE public.subscription (
    name text NOT NULL,
    "position" bigint NOT NULL,
    attempts integer NOT NULL,
    retry_at timestamp with time zone,
    error text
);
CREATE TABLE public.transition (
    id bigint NOT NULL,
    batch bigint NOT NULL,
    cause bigint,
    workflow text NOT NULL,
    row_id bigint NOT NULL,
    event text NOT NULL,
    source text,
    target text NOT NULL,
    at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    actor text NOT NULL,
    reason text,
    chart text NOT NULL,
    key text,
    payload text
);
CREATE SEQUENCE public.transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.transition_id_seq OWNED BY public.transition.id;
CREATE TABLE public.undelivered (
    subscriber text NOT NULL,
    transition_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    error text NOT NULL
);
CREATE TABLE public.video_code (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    post_id bigint NOT NULL,
    code text NOT NULL,
    fingerprint character varying NOT NULL,
    hint character varying NOT NULL,
    days integer NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    expire_due_at timestamp with time zone,
    remind_due_at timestamp with time zone,
    authorized_at timestamp with time zone,
    state character varying NOT NULL,
    CONSTRAINT ck_video_code_expire_due_at_in_calendar CHECK (((expire_due_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (expire_due_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))),
    CONSTRAINT ck_video_code_remind_due_at_in_calendar CHECK (((remind_due_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (remind_due_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone))),
    CONSTRAINT ck_video_code_state CHECK (((state)::text = ANY ((ARRAY['pending'::character varying, 'authorized'::character varying, 'in_review'::character varying, 'live'::character varying, 'expired'::character varying, 'rejected'::character varying, 'revoked'::character varying, 'deleted'::character varying])::text[])))
);
CREATE SEQUENCE public.video_code_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.video_code_id_seq OWNED BY public.video_code.id;
ALTER TABLE ONLY public.ad_account ALTER COLUMN id SET DEFAULT nextval('public.ad_account_id_seq'::regclass);
ALTER TABLE ONLY public.ad_group ALTER COLUMN id SET DEFAULT nextval('public.ad_group_id_seq'::regclass);
ALTER TABLE ONLY public.campaign ALTER COLUMN id SET DEFAULT nextval('public.campaign_id_seq'::regclass);
ALTER TABLE ONLY public.identity ALTER COLUMN id SET DEFAULT nextval('public.identity_id_seq'::regclass);
ALTER TABLE ONLY public.post ALTER COLUMN id SET DEFAULT nextval('public.post_id_seq'::regclass);
ALTER TABLE ONLY public.retention ALTER COLUMN id SET DEFAULT nextval('public.retention_id_seq'::regclass);
ALTER TABLE ONLY public.spark_ad ALTER COLUMN id SET DEFAULT nextval('public.spark_ad_id_seq'::regclass);
ALTER TABLE ONLY public.transition ALTER COLUMN id SET DEFAULT nextval('public.transition_id_seq'::regclass);
ALTER TABLE ONLY public.video_code ALTER COLUMN id SET DEFAULT nextval('public.video_code_id_seq'::regclass);
INSERT INTO public.ad_account VALUES (1, 'Brand', 'open');
INSERT INTO public.ad_code VALUES (1, 1, 1);
INSERT INTO public.ad_code VALUES (2, 2, 2);
INSERT INTO public.ad_code VALUES (3, 3, 3);
INSERT INTO public.ad_code VALUES (4, 4, 4);
INSERT INTO public.ad_code VALUES (5, 5, 5);
INSERT INTO public.ad_code VALUES (6, 1, 1);
INSERT INTO public.ad_code VALUES (6, 6, 6);
INSERT INTO public.ad_code VALUES (7, 5, 5);
INSERT INTO public.ad_code VALUES (8, 3, 3);
INSERT INTO public.ad_code VALUES (9, 3, 3);
INSERT INTO public.ad_group VALUES (1, 1, 'Germany', 'DE', 50, '2026-03-01 12:30:15.123456+00', '2026-04-10 12:30:15.123456+00', 'open');
INSERT INTO public.ad_group VALUES (2, 1, 'Not yet planned', NULL, NULL, NULL, NULL, 'open');
INSERT INTO public.campaign VALUES (1, 1, 'Spring', 'traffic', 500, 'open');
INSERT INTO public.heartbeat VALUES ('north', '2026-03-08 12:42:15.123456+00', 2);
INSERT INTO public.identity VALUES (1, 1, 'linked', 'brand.official', 'usable');
INSERT INTO public.identity VALUES (2, 1, 'code', 'mia', 'usable');
INSERT INTO public.identity VALUES (3, 1, 'code', 'leo', 'usable');
INSERT INTO public.identity VALUES (4, 1, 'code', 'zoe', 'usable');
INSERT INTO public.identity VALUES (5, 1, 'code', 'noor', 'usable');
INSERT INTO public.identity VALUES (6, 1, 'code', 'kai', 'usable');
INSERT INTO public.identity VALUES (7, 1, 'code', 'ivo', 'usable');
INSERT INTO public.identity VALUES (8, 1, 'code', 'uma', 'usable');
INSERT INTO public.identity VALUES (9, 1, 'code', 'ben', 'usable');
INSERT INTO public.post VALUES (1, '7300000000000000001', 'mia', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (2, '7300000000000000002', 'leo', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (3, '7300000000000000003', 'zoe', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (4, '7300000000000000004', 'noor', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (5, '7300000000000000005', 'kai', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (6, '7300000000000000006', 'leo', 'duet', 1, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (7, '7300000000000000007', 'ivo', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (8, '7300000000000000008', 'uma', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (9, '7300000000000000009', 'ben', 'original', NULL, 'tiktok', '', false, true, true, true, 'public');
INSERT INTO public.post VALUES (10, NULL, 'brand.official', 'original', NULL, 'uploaded', '', false, true, true, true, 'draft');
INSERT INTO public.schema_version VALUES ('statewright', 1);
INSERT INTO public.schema_version VALUES ('sparkads', 1);
INSERT INTO public.set_aside VALUES ('video_code', 5, 'remind', '2026-03-08 12:42:15.123456+00', 2, '2026-03-08 13:42:15.123456+00', 'CHECK constraint failed: ck_somebody_elses');
INSERT INTO public.spark_ad VALUES (1, 1, 1, 1, 2, 'Spring dance', '2026-04-10 12:30:15.123456+00', 'live');
INSERT INTO public.spark_ad VALUES (3, 1, 1, 3, 4, 'Canvas', '2026-04-10 12:30:15.123456+00', 'in_review');
INSERT INTO public.spark_ad VALUES (4, 1, 1, 4, 5, 'Lentils', '2026-04-10 12:30:15.123456+00', 'pending');
INSERT INTO public.spark_ad VALUES (5, 1, 1, 5, 6, 'Painted train', '2026-04-10 12:30:15.123456+00', 'paused');
INSERT INTO public.spark_ad VALUES (6, 1, 1, 6, 3, 'Together', '2026-04-10 12:30:15.123456+00', 'live');
INSERT INTO public.spark_ad VALUES (7, 1, 2, 5, 6, 'Half planned', NULL, 'authorized');
INSERT INTO public.spark_ad VALUES (9, 1, 1, 3, 4, 'Dropped', NULL, 'deleted');
INSERT INTO public.spark_ad VALUES (2, 1, 1, 2, 3, 'Breakfast run', NULL, 'expired');
INSERT INTO public.spark_ad VALUES (8, 1, 1, 3, 4, 'Too loud', '2026-04-10 12:30:15.123456+00', 'in_review');
INSERT INTO public.subscription VALUES ('mail', 93, 0, NULL, NULL);
INSERT INTO public.subscription VALUES ('ledger', 93, 0, NULL, NULL);
INSERT INTO public.transition VALUES (1, 8341367425254206730, NULL, 'ad_account', 1, 'start', NULL, 'open', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '677c1442e0a3', NULL, NULL);
INSERT INTO public.transition VALUES (2, 2265575589365868373, NULL, 'identity', 1, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (3, 3350339103303721268, NULL, 'identity', 1, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (4, 1339903495930929883, NULL, 'campaign', 1, 'start', NULL, 'open', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '2376667c3223', NULL, NULL);
INSERT INTO public.transition VALUES (5, 6078498001926517286, NULL, 'ad_group', 1, 'start', NULL, 'open', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '542475b4da6a', NULL, NULL);
INSERT INTO public.transition VALUES (6, 5388059697134312496, NULL, 'ad_group', 2, 'start', NULL, 'open', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '542475b4da6a', NULL, NULL);
INSERT INTO public.transition VALUES (7, 7843585501740991324, NULL, 'post', 1, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (8, 4677858562499667783, NULL, 'post', 2, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (9, 2763577773026139624, NULL, 'post', 3, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (10, 5859134915639652656, NULL, 'post', 4, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (11, 1060085114102668959, NULL, 'post', 5, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (12, 4701710459316067691, NULL, 'post', 6, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (13, 6085922611565193568, NULL, 'video_code', 1, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (14, 700006323475794200, NULL, 'identity', 2, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (15, 882193639112042877, NULL, 'identity', 2, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (16, 415782073049170609, NULL, 'video_code', 1, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-mia', NULL);
INSERT INTO public.transition VALUES (17, 5829878458871844799, NULL, 'video_code', 2, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (18, 2974003757344049252, NULL, 'identity', 3, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (19, 6743856909197699902, NULL, 'identity', 3, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (20, 3798901131337085626, NULL, 'video_code', 2, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-leo', NULL);
INSERT INTO public.transition VALUES (21, 1076598538720317672, NULL, 'video_code', 3, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (22, 67751819660881290, NULL, 'identity', 4, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (23, 9111273528058807833, NULL, 'identity', 4, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (24, 6861917257618635314, NULL, 'video_code', 3, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-zoe', NULL);
INSERT INTO public.transition VALUES (25, 3380557121213394909, NULL, 'video_code', 4, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', 'receive-noor', NULL);
INSERT INTO public.transition VALUES (26, 9141787733521147350, NULL, 'identity', 5, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (27, 5503803736184504961, NULL, 'identity', 5, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (28, 8124901432084498872, NULL, 'video_code', 5, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (29, 7166622123379678644, NULL, 'identity', 6, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (30, 8564903804352211936, NULL, 'identity', 6, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (31, 474548013344673422, NULL, 'video_code', 5, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-kai', NULL);
INSERT INTO public.transition VALUES (32, 1562900298141232490, NULL, 'video_code', 6, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (33, 5458544050453593556, NULL, 'video_code', 6, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-duet', NULL);
INSERT INTO public.transition VALUES (34, 9092055865083047888, NULL, 'spark_ad', 1, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (35, 9092055865083047888, 34, 'spark_ad', 1, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (36, 5919241371024209117, NULL, 'spark_ad', 1, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (37, 5919241371024209117, 36, 'video_code', 1, 'follow', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (38, 4531636527364175524, NULL, 'spark_ad', 1, 'approve', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (39, 4531636527364175524, 38, 'video_code', 1, 'follow', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (40, 2880621357505801916, NULL, 'spark_ad', 2, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (41, 2880621357505801916, 40, 'spark_ad', 2, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (42, 4049602077605684312, NULL, 'spark_ad', 2, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (43, 4049602077605684312, 42, 'video_code', 2, 'follow', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (44, 2603078581030965907, NULL, 'spark_ad', 2, 'approve', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (45, 2603078581030965907, 44, 'video_code', 2, 'follow', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (46, 6974908386220277725, NULL, 'spark_ad', 3, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (47, 6974908386220277725, 46, 'spark_ad', 3, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (48, 5233991586248510726, NULL, 'spark_ad', 3, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (49, 5233991586248510726, 48, 'video_code', 3, 'follow', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (50, 6412242317386410484, NULL, 'spark_ad', 4, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (51, 1451450853949298296, NULL, 'spark_ad', 5, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (52, 1451450853949298296, 51, 'spark_ad', 5, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (53, 1464426499938040521, NULL, 'spark_ad', 5, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (54, 1464426499938040521, 53, 'video_code', 5, 'follow', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (55, 2101390801067141085, NULL, 'spark_ad', 5, 'approve', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (56, 2101390801067141085, 55, 'video_code', 5, 'follow', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (57, 5717887028733948320, NULL, 'spark_ad', 5, 'pause', 'live', 'paused', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (58, 5717887028733948320, 57, 'video_code', 5, 'follow', 'live', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (59, 5320986784719060978, NULL, 'spark_ad', 6, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (60, 5320986784719060978, 59, 'spark_ad', 6, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (61, 7843714433701208934, NULL, 'spark_ad', 6, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (62, 7843714433701208934, 61, 'video_code', 6, 'follow', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (63, 4980927443294965035, NULL, 'spark_ad', 6, 'approve', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (64, 4980927443294965035, 63, 'video_code', 6, 'follow', 'in_review', 'live', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (65, 5785834984681600765, NULL, 'spark_ad', 7, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (66, 5785834984681600765, 65, 'spark_ad', 7, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (67, 7639591261525609238, NULL, 'spark_ad', 8, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (68, 7639591261525609238, 67, 'spark_ad', 8, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (69, 2076569664783598039, NULL, 'spark_ad', 8, 'submit', 'authorized', 'in_review', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (70, 646088590055511054, NULL, 'spark_ad', 8, 'reject', 'in_review', 'rejected', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', 'the music is too loud', 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (71, 8644585615481957115, NULL, 'spark_ad', 9, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (72, 8644585615481957115, 71, 'spark_ad', 9, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (73, 214316255289731384, NULL, 'spark_ad', 9, 'delete', 'authorized', 'deleted', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (74, 6445152318395220534, NULL, 'post', 7, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (75, 1428893326648249013, NULL, 'video_code', 7, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (76, 7369089879882578549, NULL, 'identity', 7, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (77, 2139011971982775062, NULL, 'identity', 7, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (78, 3282679336528750549, NULL, 'video_code', 7, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-ivo', NULL);
INSERT INTO public.transition VALUES (79, 6091502186402506431, NULL, 'video_code', 7, 'delete', 'authorized', 'deleted', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (80, 6697996868572367505, NULL, 'post', 8, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (81, 5156386617399128631, NULL, 'video_code', 8, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (82, 8018377154617596344, NULL, 'identity', 8, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (83, 876961852036804511, NULL, 'identity', 8, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (84, 8507359589502703277, NULL, 'video_code', 8, 'reject', 'pending', 'rejected', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', 'the code was used elsewhere', 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (85, 4553241403766348758, NULL, 'post', 9, 'start', NULL, 'public', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (86, 8561881655552273064, NULL, 'video_code', 9, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (87, 2867485177223309471, NULL, 'identity', 9, 'start', NULL, 'pending', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (88, 2899938809069557863, NULL, 'identity', 9, 'grant', 'pending', 'usable', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, 'dc496e43c6e8', NULL, NULL);
INSERT INTO public.transition VALUES (89, 1225197432442970024, NULL, 'video_code', 9, 'authorize', 'pending', 'authorized', '2026-03-01 12:30:15.123456+00', NULL, 'tiktok', NULL, 'a18bd75cbc69', 'authorize-ben', NULL);
INSERT INTO public.transition VALUES (90, 5012638028887257238, NULL, 'video_code', 9, 'revoke', 'authorized', 'revoked', '2026-03-01 12:30:15.123456+00', NULL, 'ana', 'ben''s manager called', 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (91, 5556469050704605695, NULL, 'post', 10, 'start', NULL, 'draft', '2026-03-01 12:30:15.123456+00', NULL, 'ana', NULL, '7962b877a767', NULL, NULL);
INSERT INTO public.transition VALUES (92, 2833086716458665187, NULL, 'video_code', 2, 'expire', 'live', 'expired', '2026-03-08 12:42:15.123456+00', '2026-03-08 12:30:15.123456+00', 'daemon', NULL, 'a18bd75cbc69', NULL, NULL);
INSERT INTO public.transition VALUES (93, 2833086716458665187, 92, 'spark_ad', 2, 'lose_authorization', 'live', 'expired', '2026-03-08 12:42:15.123456+00', NULL, 'daemon', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.transition VALUES (94, 149037684284223642, NULL, 'video_code', 1, 'extend', 'live', 'live', '2026-03-08 12:42:15.123456+00', NULL, 'mia', NULL, 'a18bd75cbc69', 'extend-mia', '{"days": 30}');
INSERT INTO public.transition VALUES (95, 632980876253724405, NULL, 'spark_ad', 8, 'resubmit', 'rejected', 'in_review', '2026-03-08 12:42:15.123456+00', NULL, 'ana', NULL, 'b5d66bf97e27', NULL, NULL);
INSERT INTO public.undelivered VALUES ('mail', 70, '2026-03-01 12:31:15.123456+00', 'OSError: the mailbox is full');
INSERT INTO public.video_code VALUES (4, 1, 4, '#kZ7+v0noora/b+cQ=', '1b3b5b04a6c97e21ebd6631881f8fd10', '#kZ7…Q=', 30, '2026-03-01 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', '2026-03-24 12:30:15.123456+00', NULL, 'pending');
INSERT INTO public.video_code VALUES (3, 1, 3, '#kZ7+v0zoea/b+cQ=', '0a07f7419d452d837857876de8de0997', '#kZ7…Q=', 60, '2026-03-01 12:30:15.123456+00', '2026-04-30 12:30:15.123456+00', '2026-04-30 12:30:15.123456+00', '2026-04-23 12:30:15.123456+00', '2026-03-01 12:30:15.123456+00', 'in_review');
INSERT INTO public.video_code VALUES (5, 1, 5, '#kZ7+v0kaia/b+cQ=', '7757ba309c89721665f44223c199f77d', '#kZ7…Q=', 365, '2026-03-01 12:30:15.123456+00', '2027-03-01 12:30:15.123456+00', '2027-03-01 12:30:15.123456+00', '2027-02-22 12:30:15.123456+00', '2026-03-01 12:30:15.123456+00', 'authorized');
INSERT INTO public.video_code VALUES (6, 1, 6, '#kZ7+v0dueta/b+cQ=', '9ed040b1e21bb9c108585c451cebd4d2', '#kZ7…Q=', 30, '2026-03-01 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', '2026-03-24 12:30:15.123456+00', '2026-03-01 12:30:15.123456+00', 'live');
INSERT INTO public.video_code VALUES (7, 1, 7, '#kZ7+v0ivoa/b+cQ=', '0860f1e2fd20348076ad4699ec7d9ef5', '#kZ7…Q=', 60, '2026-03-01 12:30:15.123456+00', '2026-04-30 12:30:15.123456+00', NULL, NULL, '2026-03-01 12:30:15.123456+00', 'deleted');
INSERT INTO public.video_code VALUES (8, 1, 8, '#kZ7+v0umaa/b+cQ=', 'a96e7012356eead0076b2570f6f1963b', '#kZ7…Q=', 30, '2026-03-01 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', NULL, NULL, NULL, 'rejected');
INSERT INTO public.video_code VALUES (9, 1, 9, '#kZ7+v0bena/b+cQ=', 'e159ce6b902ec988783b0536e4c95f3e', '#kZ7…Q=', 30, '2026-03-01 12:30:15.123456+00', '2026-03-31 12:30:15.123456+00', NULL, NULL, '2026-03-01 12:30:15.123456+00', 'revoked');
INSERT INTO public.video_code VALUES (2, 1, 2, '#kZ7+v0leoa/b+cQ=', '039d4b9c1c25c2ca0cc7a5f7354e5a1f', '#kZ7…Q=', 7, '2026-03-01 12:30:15.123456+00', '2026-03-08 12:30:15.123456+00', NULL, NULL, '2026-03-01 12:30:15.123456+00', 'expired');
INSERT INTO public.video_code VALUES (1, 1, 1, '#kZ7+v0miaa/b+cQ=', '8f404aaf3487227df28fc36a4b32491d', '#kZ7…Q=', 30, '2026-03-01 12:30:15.123456+00', '2026-04-30 12:30:15.123456+00', '2026-04-30 12:30:15.123456+00', '2026-04-23 12:30:15.123456+00', '2026-03-01 12:30:15.123456+00', 'live');
SELECT pg_catalog.setval('public.ad_account_id_seq', 1, true);
SELECT pg_catalog.setval('public.ad_group_id_seq', 2, true);
SELECT pg_catalog.setval('public.campaign_id_seq', 1, true);
SELECT pg_catalog.setval('public.identity_id_seq', 9, true);
SELECT pg_catalog.setval('public.post_id_seq', 10, true);
SELECT pg_catalog.setval('public.retention_id_seq', 1, false);
SELECT pg_catalog.setval('public.spark_ad_id_seq', 9, true);
SELECT pg_catalog.setval('public.transition_id_seq', 95, true);
SELECT pg_catalog.setval('public.video_code_id_seq', 9, true);
ALTER TABLE ONLY public.ad_account
    ADD CONSTRAINT pk_ad_account PRIMARY KEY (id);
ALTER TABLE ONLY public.ad_code
    ADD CONSTRAINT pk_ad_code PRIMARY KEY (ad_id, post_id);
ALTER TABLE ONLY public.ad_group
    ADD CONSTRAINT pk_ad_group PRIMARY KEY (id);
ALTER TABLE ONLY public.campaign
    ADD CONSTRAINT pk_campaign PRIMARY KEY (id);
ALTER TABLE ONLY public.heartbeat
    ADD CONSTRAINT pk_heartbeat PRIMARY KEY (daemon);
ALTER TABLE ONLY public.identity
    ADD CONSTRAINT pk_identity PRIMARY KEY (id);
ALTER TABLE ONLY public.post
    ADD CONSTRAINT pk_post PRIMARY KEY (id);
ALTER TABLE ONLY public.retention
    ADD CONSTRAINT pk_retention PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT pk_schema_version PRIMARY KEY (name);
ALTER TABLE ONLY public.set_aside
    ADD CONSTRAINT pk_set_aside PRIMARY KEY (workflow, row_id, event);
ALTER TABLE ONLY public.spark_ad
    ADD CONSTRAINT pk_spark_ad PRIMARY KEY (id);
ALTER TABLE ONLY public.subscription
    ADD CONSTRAINT pk_subscription PRIMARY KEY (name);
ALTER TABLE ONLY public.transition
    ADD CONSTRAINT pk_transition PRIMARY KEY (id);
ALTER TABLE ONLY public.undelivered
    ADD CONSTRAINT pk_undelivered PRIMARY KEY (subscriber, transition_id);
ALTER TABLE ONLY public.video_code
    ADD CONSTRAINT pk_video_code PRIMARY KEY (id);
ALTER TABLE ONLY public.ad_account
    ADD CONSTRAINT uq_ad_account_name UNIQUE (name);
ALTER TABLE ONLY public.ad_group
    ADD CONSTRAINT uq_ad_group_campaign_id UNIQUE (campaign_id, name);
ALTER TABLE ONLY public.campaign
    ADD CONSTRAINT uq_campaign_account_id UNIQUE (account_id, name);
ALTER TABLE ONLY public.identity
    ADD CONSTRAINT uq_identity_account_id UNIQUE (account_id, kind, handle);
ALTER TABLE ONLY public.post
    ADD CONSTRAINT uq_post_item_id UNIQUE (item_id);
CREATE INDEX ix_ad_code_code_id ON public.ad_code USING btree (code_id);
CREATE INDEX ix_ad_code_post_id ON public.ad_code USING btree (post_id);
CREATE INDEX ix_post_creator ON public.post USING btree (creator);
CREATE INDEX ix_post_original_id ON public.post USING btree (original_id);
CREATE INDEX ix_spark_ad_account_id ON public.spark_ad USING btree (account_id, state);
CREATE INDEX ix_spark_ad_ad_group_id ON public.spark_ad USING btree (ad_group_id);
CREATE INDEX ix_spark_ad_end_due_at ON public.spark_ad USING btree (end_due_at) WHERE (end_due_at IS NOT NULL);
CREATE INDEX ix_spark_ad_identity_id ON public.spark_ad USING btree (identity_id);
CREATE INDEX ix_spark_ad_post_id ON public.spark_ad USING btree (post_id);
CREATE INDEX ix_transition_row ON public.transition USING btree (workflow, row_id);
CREATE INDEX ix_video_code_expire_due_at ON public.video_code USING btree (expire_due_at) WHERE (expire_due_at IS NOT NULL);
CREATE INDEX ix_video_code_post_id ON public.video_code USING btree (post_id);
CREATE INDEX ix_video_code_remind_due_at ON public.video_code USING btree (remind_due_at) WHERE (remind_due_at IS NOT NULL);
CREATE UNIQUE INDEX uq_spark_ad_name ON public.spark_ad USING btree (ad_group_id, name) WHERE ((state)::text <> 'deleted'::text);
CREATE UNIQUE INDEX uq_transition_key ON public.transition USING btree (key) WHERE (key IS NOT NULL);
CREATE UNIQUE INDEX uq_video_code_fingerprint ON public.video_code USING btree (account_id, fingerprint) WHERE ((state)::text <> 'deleted'::text);
CREATE TRIGGER ad_code_is_not_deleted_on_insert BEFORE INSERT ON public.ad_code FOR EACH ROW EXECUTE FUNCTION public.ad_code_is_not_deleted_on_insert();
CREATE TRIGGER ad_code_is_not_deleted_on_update BEFORE UPDATE ON public.ad_code FOR EACH ROW EXECUTE FUNCTION public.ad_code_is_not_deleted_on_update();
CREATE TRIGGER spark_ad_is_not_revived_on_a_deleted_code BEFORE UPDATE OF state ON public.spark_ad FOR EACH ROW EXECUTE FUNCTION public.spark_ad_is_not_revived_on_a_deleted_code();
CREATE TRIGGER transition_is_never_changed BEFORE UPDATE ON public.transition FOR EACH ROW EXECUTE FUNCTION public.transition_is_never_changed();
CREATE TRIGGER transition_is_never_deleted BEFORE DELETE ON public.transition FOR EACH ROW EXECUTE FUNCTION public.transition_is_never_deleted();
CREATE TRIGGER video_code_is_kept_while_used BEFORE UPDATE OF state ON public.video_code FOR EACH ROW EXECUTE FUNCTION public.video_code_is_kept_while_used();
CREATE TRIGGER video_code_is_not_removed_while_used BEFORE DELETE ON public.video_code FOR EACH ROW EXECUTE FUNCTION public.video_code_is_not_removed_while_used();
CREATE TRIGGER video_code_is_not_replaced_while_used BEFORE INSERT ON public.video_code FOR EACH ROW EXECUTE FUNCTION public.video_code_is_not_replaced_while_used();
ALTER TABLE ONLY public.ad_code
    ADD CONSTRAINT fk_ad_code_ad_id_spark_ad FOREIGN KEY (ad_id) REFERENCES public.spark_ad(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ad_code
    ADD CONSTRAINT fk_ad_code_code_id_video_code FOREIGN KEY (code_id) REFERENCES public.video_code(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ad_code
    ADD CONSTRAINT fk_ad_code_post_id_post FOREIGN KEY (post_id) REFERENCES public.post(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.ad_group
    ADD CONSTRAINT fk_ad_group_campaign_id_campaign FOREIGN KEY (campaign_id) REFERENCES public.campaign(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.campaign
    ADD CONSTRAINT fk_campaign_account_id_ad_account FOREIGN KEY (account_id) REFERENCES public.ad_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.identity
    ADD CONSTRAINT fk_identity_account_id_ad_account FOREIGN KEY (account_id) REFERENCES public.ad_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.post
    ADD CONSTRAINT fk_post_original_id_post FOREIGN KEY (original_id) REFERENCES public.post(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.spark_ad
    ADD CONSTRAINT fk_spark_ad_account_id_ad_account FOREIGN KEY (account_id) REFERENCES public.ad_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.spark_ad
    ADD CONSTRAINT fk_spark_ad_ad_group_id_ad_group FOREIGN KEY (ad_group_id) REFERENCES public.ad_group(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.spark_ad
    ADD CONSTRAINT fk_spark_ad_identity_id_identity FOREIGN KEY (identity_id) REFERENCES public.identity(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.spark_ad
    ADD CONSTRAINT fk_spark_ad_post_id_post FOREIGN KEY (post_id) REFERENCES public.post(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.video_code
    ADD CONSTRAINT fk_video_code_account_id_ad_account FOREIGN KEY (account_id) REFERENCES public.ad_account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.video_code
    ADD CONSTRAINT fk_video_code_post_id_post FOREIGN KEY (post_id) REFERENCES public.post(id) ON DELETE RESTRICT;
