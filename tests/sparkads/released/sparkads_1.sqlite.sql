BEGIN TRANSACTION;
CREATE TABLE ad_account (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_ad_account PRIMARY KEY (id), 
	CONSTRAINT uq_ad_account_name UNIQUE (name), 
	CONSTRAINT ck_ad_account_state CHECK (state IN ('open', 'closed'))
);
INSERT INTO "ad_account" VALUES(1,'Brand','open');
CREATE TABLE ad_code (
	ad_id INTEGER NOT NULL, 
	post_id INTEGER NOT NULL, 
	code_id INTEGER, 
	CONSTRAINT pk_ad_code PRIMARY KEY (ad_id, post_id), 
	CONSTRAINT fk_ad_code_ad_id_spark_ad FOREIGN KEY(ad_id) REFERENCES spark_ad (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_ad_code_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_ad_code_code_id_video_code FOREIGN KEY(code_id) REFERENCES video_code (id) ON DELETE RESTRICT
);
INSERT INTO "ad_code" VALUES(1,1,1);
INSERT INTO "ad_code" VALUES(2,2,2);
INSERT INTO "ad_code" VALUES(3,3,3);
INSERT INTO "ad_code" VALUES(4,4,4);
INSERT INTO "ad_code" VALUES(5,5,5);
INSERT INTO "ad_code" VALUES(6,1,1);
INSERT INTO "ad_code" VALUES(6,6,6);
INSERT INTO "ad_code" VALUES(7,5,5);
INSERT INTO "ad_code" VALUES(8,3,3);
INSERT INTO "ad_code" VALUES(9,3,3);
CREATE TABLE ad_group (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	location VARCHAR, 
	budget INTEGER, 
	starts_at BIGINT, 
	ends_at BIGINT, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_ad_group PRIMARY KEY (id), 
	CONSTRAINT uq_ad_group_campaign_id UNIQUE (campaign_id, name), 
	CONSTRAINT fk_ad_group_campaign_id_campaign FOREIGN KEY(campaign_id) REFERENCES campaign (id) ON DELETE RESTRICT, 
	CONSTRAINT ck_ad_group_state CHECK (state IN ('open', 'deleted'))
);
INSERT INTO "ad_group" VALUES(1,1,'Germany','DE',50,1772368215123456,1775824215123456,'open');
INSERT INTO "ad_group" VALUES(2,1,'Not yet planned',NULL,NULL,NULL,NULL,'open');
CREATE TABLE campaign (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	objective VARCHAR, 
	budget INTEGER, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_campaign PRIMARY KEY (id), 
	CONSTRAINT uq_campaign_account_id UNIQUE (account_id, name), 
	CONSTRAINT fk_campaign_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT, 
	CONSTRAINT ck_campaign_state CHECK (state IN ('open', 'deleted'))
);
INSERT INTO "campaign" VALUES(1,1,'Spring','traffic',500,'open');
CREATE TABLE heartbeat (
	daemon TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	moved BIGINT NOT NULL, 
	CONSTRAINT pk_heartbeat PRIMARY KEY (daemon)
);
INSERT INTO "heartbeat" VALUES('north',1772973735123456,2);
CREATE TABLE identity (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	handle VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_identity PRIMARY KEY (id), 
	CONSTRAINT uq_identity_account_id UNIQUE (account_id, kind, handle), 
	CONSTRAINT fk_identity_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT, 
	CONSTRAINT ck_identity_state CHECK (state IN ('pending', 'usable', 'withdrawn'))
);
INSERT INTO "identity" VALUES(1,1,'linked','brand.official','usable');
INSERT INTO "identity" VALUES(2,1,'code','mia','usable');
INSERT INTO "identity" VALUES(3,1,'code','leo','usable');
INSERT INTO "identity" VALUES(4,1,'code','zoe','usable');
INSERT INTO "identity" VALUES(5,1,'code','noor','usable');
INSERT INTO "identity" VALUES(6,1,'code','kai','usable');
INSERT INTO "identity" VALUES(7,1,'code','ivo','usable');
INSERT INTO "identity" VALUES(8,1,'code','uma','usable');
INSERT INTO "identity" VALUES(9,1,'code','ben','usable');
CREATE TABLE post (
	id INTEGER NOT NULL, 
	item_id VARCHAR, 
	creator VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	original_id INTEGER, 
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
);
INSERT INTO "post" VALUES(1,'7300000000000000001','mia','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(2,'7300000000000000002','leo','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(3,'7300000000000000003','zoe','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(4,'7300000000000000004','noor','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(5,'7300000000000000005','kai','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(6,'7300000000000000006','leo','duet',1,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(7,'7300000000000000007','ivo','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(8,'7300000000000000008','uma','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(9,'7300000000000000009','ben','original',NULL,'tiktok','',0,1,1,1,'public');
INSERT INTO "post" VALUES(10,NULL,'brand.official','original',NULL,'uploaded','',0,1,1,1,'draft');
CREATE TABLE retention (
	id INTEGER NOT NULL, 
	CONSTRAINT pk_retention PRIMARY KEY (id)
);
CREATE TABLE schema_version (
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_schema_version PRIMARY KEY (name)
);
INSERT INTO "schema_version" VALUES('statewright',1);
INSERT INTO "schema_version" VALUES('sparkads',1);
CREATE TABLE set_aside (
	workflow TEXT NOT NULL, 
	row_id BIGINT NOT NULL, 
	event TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	retry_at BIGINT NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_set_aside PRIMARY KEY (workflow, row_id, event)
);
INSERT INTO "set_aside" VALUES('video_code',5,'remind',1772973735123456,2,1772977335123456,'CHECK constraint failed: ck_somebody_elses');
CREATE TABLE spark_ad (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	ad_group_id INTEGER NOT NULL, 
	post_id INTEGER NOT NULL, 
	identity_id INTEGER, 
	name VARCHAR NOT NULL, 
	end_due_at BIGINT, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_spark_ad PRIMARY KEY (id), 
	CONSTRAINT fk_spark_ad_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_spark_ad_ad_group_id_ad_group FOREIGN KEY(ad_group_id) REFERENCES ad_group (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_spark_ad_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_spark_ad_identity_id_identity FOREIGN KEY(identity_id) REFERENCES identity (id) ON DELETE RESTRICT, 
	CONSTRAINT ck_spark_ad_state CHECK (state IN ('pending', 'authorized', 'in_review', 'live', 'paused', 'rejected', 'expired', 'deleted')), 
	CONSTRAINT ck_spark_ad_end_due_at_in_calendar CHECK (end_due_at BETWEEN -62135596800000000 AND 253402300799999999)
);
INSERT INTO "spark_ad" VALUES(1,1,1,1,2,'Spring dance',1775824215123456,'live');
INSERT INTO "spark_ad" VALUES(2,1,1,2,3,'Breakfast run',NULL,'expired');
INSERT INTO "spark_ad" VALUES(3,1,1,3,4,'Canvas',1775824215123456,'in_review');
INSERT INTO "spark_ad" VALUES(4,1,1,4,5,'Lentils',1775824215123456,'pending');
INSERT INTO "spark_ad" VALUES(5,1,1,5,6,'Painted train',1775824215123456,'paused');
INSERT INTO "spark_ad" VALUES(6,1,1,6,3,'Together',1775824215123456,'live');
INSERT INTO "spark_ad" VALUES(7,1,2,5,6,'Half planned',NULL,'authorized');
INSERT INTO "spark_ad" VALUES(8,1,1,3,4,'Too loud',1775824215123456,'in_review');
INSERT INTO "spark_ad" VALUES(9,1,1,3,4,'Dropped',NULL,'deleted');
CREATE TABLE subscription (
	name TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	retry_at BIGINT, 
	error TEXT, 
	CONSTRAINT pk_subscription PRIMARY KEY (name)
);
INSERT INTO "subscription" VALUES('mail',93,0,NULL,NULL);
INSERT INTO "subscription" VALUES('ledger',93,0,NULL,NULL);
CREATE TABLE transition (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	batch BIGINT NOT NULL, 
	cause BIGINT, 
	workflow TEXT NOT NULL, 
	row_id BIGINT NOT NULL, 
	event TEXT NOT NULL, 
	source TEXT, 
	target TEXT NOT NULL, 
	at BIGINT NOT NULL, 
	due_at BIGINT, 
	actor TEXT NOT NULL, 
	reason TEXT, 
	chart TEXT NOT NULL, 
	"key" TEXT, 
	payload TEXT
);
INSERT INTO "transition" VALUES(1,6811100597091546473,NULL,'ad_account',1,'start',NULL,'open',1772368215123456,NULL,'ana',NULL,'677c1442e0a3',NULL,NULL);
INSERT INTO "transition" VALUES(2,5435609037107925835,NULL,'identity',1,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(3,2530375396865807676,NULL,'identity',1,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(4,6268444580782655069,NULL,'campaign',1,'start',NULL,'open',1772368215123456,NULL,'ana',NULL,'2376667c3223',NULL,NULL);
INSERT INTO "transition" VALUES(5,1891379731303273847,NULL,'ad_group',1,'start',NULL,'open',1772368215123456,NULL,'ana',NULL,'542475b4da6a',NULL,NULL);
INSERT INTO "transition" VALUES(6,4850399908634928773,NULL,'ad_group',2,'start',NULL,'open',1772368215123456,NULL,'ana',NULL,'542475b4da6a',NULL,NULL);
INSERT INTO "transition" VALUES(7,3195123296624930513,NULL,'post',1,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(8,1725830267940387484,NULL,'post',2,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(9,4243921540578582276,NULL,'post',3,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(10,3051145573418459380,NULL,'post',4,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(11,8036645446529544625,NULL,'post',5,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(12,8319173239834029614,NULL,'post',6,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(13,7844011854887627837,NULL,'video_code',1,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(14,3720735112919786439,NULL,'identity',2,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(15,1256493683271857975,NULL,'identity',2,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(16,8409979377340469889,NULL,'video_code',1,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-mia',NULL);
INSERT INTO "transition" VALUES(17,6900694383766784073,NULL,'video_code',2,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(18,1649321040845856513,NULL,'identity',3,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(19,3726846819433390002,NULL,'identity',3,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(20,7583210847446697914,NULL,'video_code',2,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-leo',NULL);
INSERT INTO "transition" VALUES(21,9175767110536527166,NULL,'video_code',3,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(22,5613252197509955576,NULL,'identity',4,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(23,8889320654966867031,NULL,'identity',4,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(24,3184033954048963986,NULL,'video_code',3,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-zoe',NULL);
INSERT INTO "transition" VALUES(25,8361555628269525381,NULL,'video_code',4,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69','receive-noor',NULL);
INSERT INTO "transition" VALUES(26,1142257314109155506,NULL,'identity',5,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(27,3322156800158006407,NULL,'identity',5,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(28,1059523974141067564,NULL,'video_code',5,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(29,3842028956477840273,NULL,'identity',6,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(30,4292854462345224127,NULL,'identity',6,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(31,4708528739591527634,NULL,'video_code',5,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-kai',NULL);
INSERT INTO "transition" VALUES(32,3592004983964035891,NULL,'video_code',6,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(33,720453124868629193,NULL,'video_code',6,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-duet',NULL);
INSERT INTO "transition" VALUES(34,2034439082648874359,NULL,'spark_ad',1,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(35,2034439082648874359,34,'spark_ad',1,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(36,5759685690564133270,NULL,'spark_ad',1,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(37,5759685690564133270,36,'video_code',1,'follow','authorized','in_review',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(38,7316302116376544253,NULL,'spark_ad',1,'approve','in_review','live',1772368215123456,NULL,'tiktok',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(39,7316302116376544253,38,'video_code',1,'follow','in_review','live',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(40,5366238306255440029,NULL,'spark_ad',2,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(41,5366238306255440029,40,'spark_ad',2,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(42,8460748366139995634,NULL,'spark_ad',2,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(43,8460748366139995634,42,'video_code',2,'follow','authorized','in_review',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(44,7328261459453649700,NULL,'spark_ad',2,'approve','in_review','live',1772368215123456,NULL,'tiktok',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(45,7328261459453649700,44,'video_code',2,'follow','in_review','live',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(46,1999053412876751356,NULL,'spark_ad',3,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(47,1999053412876751356,46,'spark_ad',3,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(48,5818293448769667132,NULL,'spark_ad',3,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(49,5818293448769667132,48,'video_code',3,'follow','authorized','in_review',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(50,466399823779731017,NULL,'spark_ad',4,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(51,7378431345602287579,NULL,'spark_ad',5,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(52,7378431345602287579,51,'spark_ad',5,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(53,6899498156147637386,NULL,'spark_ad',5,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(54,6899498156147637386,53,'video_code',5,'follow','authorized','in_review',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(55,170370581767901643,NULL,'spark_ad',5,'approve','in_review','live',1772368215123456,NULL,'tiktok',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(56,170370581767901643,55,'video_code',5,'follow','in_review','live',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(57,8966827162046091340,NULL,'spark_ad',5,'pause','live','paused',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(58,8966827162046091340,57,'video_code',5,'follow','live','authorized',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(59,8423214306162509907,NULL,'spark_ad',6,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(60,8423214306162509907,59,'spark_ad',6,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(61,8178050785133148127,NULL,'spark_ad',6,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(62,8178050785133148127,61,'video_code',6,'follow','authorized','in_review',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(63,6990869441031134581,NULL,'spark_ad',6,'approve','in_review','live',1772368215123456,NULL,'tiktok',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(64,6990869441031134581,63,'video_code',6,'follow','in_review','live',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(65,6852528860873358804,NULL,'spark_ad',7,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(66,6852528860873358804,65,'spark_ad',7,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(67,8956398447764478376,NULL,'spark_ad',8,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(68,8956398447764478376,67,'spark_ad',8,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(69,9051046289584963552,NULL,'spark_ad',8,'submit','authorized','in_review',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(70,8900090549179552669,NULL,'spark_ad',8,'reject','in_review','rejected',1772368215123456,NULL,'tiktok','the music is too loud','b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(71,8735166282119006256,NULL,'spark_ad',9,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(72,8735166282119006256,71,'spark_ad',9,'authorize','pending','authorized',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(73,2392678343240920476,NULL,'spark_ad',9,'delete','authorized','deleted',1772368215123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(74,8175118209191472867,NULL,'post',7,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(75,5822217167284344075,NULL,'video_code',7,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(76,806327908175213293,NULL,'identity',7,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(77,5122233331784571566,NULL,'identity',7,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(78,3102581928664000471,NULL,'video_code',7,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-ivo',NULL);
INSERT INTO "transition" VALUES(79,1128543888674366184,NULL,'video_code',7,'delete','authorized','deleted',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(80,4102761540539441029,NULL,'post',8,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(81,8170065402954855634,NULL,'video_code',8,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(82,5889388878188676306,NULL,'identity',8,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(83,5682008816082309949,NULL,'identity',8,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(84,4941523365495444077,NULL,'video_code',8,'reject','pending','rejected',1772368215123456,NULL,'tiktok','the code was used elsewhere','a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(85,4668096869125039124,NULL,'post',9,'start',NULL,'public',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(86,9197972893165568751,NULL,'video_code',9,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(87,4282118139228583588,NULL,'identity',9,'start',NULL,'pending',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(88,3721192329848886094,NULL,'identity',9,'grant','pending','usable',1772368215123456,NULL,'ana',NULL,'dc496e43c6e8',NULL,NULL);
INSERT INTO "transition" VALUES(89,6600668657767045815,NULL,'video_code',9,'authorize','pending','authorized',1772368215123456,NULL,'tiktok',NULL,'a18bd75cbc69','authorize-ben',NULL);
INSERT INTO "transition" VALUES(90,7654820782764990894,NULL,'video_code',9,'revoke','authorized','revoked',1772368215123456,NULL,'ana','ben''s manager called','a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(91,6974316306083676218,NULL,'post',10,'start',NULL,'draft',1772368215123456,NULL,'ana',NULL,'7962b877a767',NULL,NULL);
INSERT INTO "transition" VALUES(92,602582875391127211,NULL,'video_code',2,'expire','live','expired',1772973735123456,1772973015123456,'daemon',NULL,'a18bd75cbc69',NULL,NULL);
INSERT INTO "transition" VALUES(93,602582875391127211,92,'spark_ad',2,'lose_authorization','live','expired',1772973735123456,NULL,'daemon',NULL,'b5d66bf97e27',NULL,NULL);
INSERT INTO "transition" VALUES(94,6775048900142491300,NULL,'video_code',1,'extend','live','live',1772973735123456,NULL,'mia',NULL,'a18bd75cbc69','extend-mia','{"days": 30}');
INSERT INTO "transition" VALUES(95,6598875710521115585,NULL,'spark_ad',8,'resubmit','rejected','in_review',1772973735123456,NULL,'ana',NULL,'b5d66bf97e27',NULL,NULL);
CREATE TABLE undelivered (
	subscriber TEXT NOT NULL, 
	transition_id BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	error TEXT NOT NULL, 
	CONSTRAINT pk_undelivered PRIMARY KEY (subscriber, transition_id)
);
INSERT INTO "undelivered" VALUES('mail',70,1772368275123456,'OSError: the mailbox is full');
CREATE TABLE video_code (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	post_id INTEGER NOT NULL, 
	code TEXT NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	hint VARCHAR NOT NULL, 
	days INTEGER NOT NULL, 
	issued_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	expire_due_at BIGINT, 
	remind_due_at BIGINT, 
	authorized_at BIGINT, 
	state VARCHAR NOT NULL, 
	CONSTRAINT pk_video_code PRIMARY KEY (id), 
	CONSTRAINT fk_video_code_account_id_ad_account FOREIGN KEY(account_id) REFERENCES ad_account (id) ON DELETE RESTRICT, 
	CONSTRAINT fk_video_code_post_id_post FOREIGN KEY(post_id) REFERENCES post (id) ON DELETE RESTRICT, 
	CONSTRAINT ck_video_code_state CHECK (state IN ('pending', 'authorized', 'in_review', 'live', 'expired', 'rejected', 'revoked', 'deleted')), 
	CONSTRAINT ck_video_code_expire_due_at_in_calendar CHECK (expire_due_at BETWEEN -62135596800000000 AND 253402300799999999), 
	CONSTRAINT ck_video_code_remind_due_at_in_calendar CHECK (remind_due_at BETWEEN -62135596800000000 AND 253402300799999999)
);
INSERT INTO "video_code" VALUES(1,1,1,'#kZ7+v0miaa/b+cQ=','8f404aaf3487227df28fc36a4b32491d','#kZ7…Q=',30,1772368215123456,1777552215123456,1777552215123456,1776947415123456,1772368215123456,'live');
INSERT INTO "video_code" VALUES(2,1,2,'#kZ7+v0leoa/b+cQ=','039d4b9c1c25c2ca0cc7a5f7354e5a1f','#kZ7…Q=',7,1772368215123456,1772973015123456,NULL,NULL,1772368215123456,'expired');
INSERT INTO "video_code" VALUES(3,1,3,'#kZ7+v0zoea/b+cQ=','0a07f7419d452d837857876de8de0997','#kZ7…Q=',60,1772368215123456,1777552215123456,1777552215123456,1776947415123456,1772368215123456,'in_review');
INSERT INTO "video_code" VALUES(4,1,4,'#kZ7+v0noora/b+cQ=','1b3b5b04a6c97e21ebd6631881f8fd10','#kZ7…Q=',30,1772368215123456,1774960215123456,1774960215123456,1774355415123456,NULL,'pending');
INSERT INTO "video_code" VALUES(5,1,5,'#kZ7+v0kaia/b+cQ=','7757ba309c89721665f44223c199f77d','#kZ7…Q=',365,1772368215123456,1803904215123456,1803904215123456,1803299415123456,1772368215123456,'authorized');
INSERT INTO "video_code" VALUES(6,1,6,'#kZ7+v0dueta/b+cQ=','9ed040b1e21bb9c108585c451cebd4d2','#kZ7…Q=',30,1772368215123456,1774960215123456,1774960215123456,1774355415123456,1772368215123456,'live');
INSERT INTO "video_code" VALUES(7,1,7,'#kZ7+v0ivoa/b+cQ=','0860f1e2fd20348076ad4699ec7d9ef5','#kZ7…Q=',60,1772368215123456,1777552215123456,NULL,NULL,1772368215123456,'deleted');
INSERT INTO "video_code" VALUES(8,1,8,'#kZ7+v0umaa/b+cQ=','a96e7012356eead0076b2570f6f1963b','#kZ7…Q=',30,1772368215123456,1774960215123456,NULL,NULL,NULL,'rejected');
INSERT INTO "video_code" VALUES(9,1,9,'#kZ7+v0bena/b+cQ=','e159ce6b902ec988783b0536e4c95f3e','#kZ7…Q=',30,1772368215123456,1774960215123456,NULL,NULL,1772368215123456,'revoked');
CREATE INDEX ix_transition_row ON transition (workflow, row_id);
CREATE UNIQUE INDEX uq_transition_key ON transition ("key") WHERE "key" IS NOT NULL;
CREATE TRIGGER transition_is_never_changed BEFORE UPDATE ON transition FOR EACH ROW WHEN TRUE BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END;
CREATE TRIGGER transition_is_never_deleted BEFORE DELETE ON transition FOR EACH ROW WHEN NOT EXISTS (SELECT 1 FROM retention) BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END;
CREATE INDEX ix_post_creator ON post (creator);
CREATE INDEX ix_post_original_id ON post (original_id);
CREATE INDEX ix_video_code_post_id ON video_code (post_id);
CREATE INDEX ix_video_code_remind_due_at ON video_code (remind_due_at) WHERE remind_due_at IS NOT NULL;
CREATE UNIQUE INDEX uq_video_code_fingerprint ON video_code (account_id, fingerprint) WHERE state != 'deleted';
CREATE INDEX ix_video_code_expire_due_at ON video_code (expire_due_at) WHERE expire_due_at IS NOT NULL;
CREATE INDEX ix_spark_ad_account_id ON spark_ad (account_id, state);
CREATE INDEX ix_spark_ad_identity_id ON spark_ad (identity_id);
CREATE INDEX ix_spark_ad_ad_group_id ON spark_ad (ad_group_id);
CREATE UNIQUE INDEX uq_spark_ad_name ON spark_ad (ad_group_id, name) WHERE state != 'deleted';
CREATE INDEX ix_spark_ad_post_id ON spark_ad (post_id);
CREATE INDEX ix_spark_ad_end_due_at ON spark_ad (end_due_at) WHERE end_due_at IS NOT NULL;
CREATE INDEX ix_ad_code_post_id ON ad_code (post_id);
CREATE INDEX ix_ad_code_code_id ON ad_code (code_id);
CREATE TRIGGER video_code_is_kept_while_used BEFORE UPDATE OF state ON video_code FOR EACH ROW WHEN NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END;
CREATE TRIGGER video_code_is_not_replaced_while_used BEFORE INSERT ON video_code FOR EACH ROW WHEN NEW.state = 'deleted' AND EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = NEW.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = NEW.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = NEW.id))) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END;
CREATE TRIGGER video_code_is_not_removed_while_used BEFORE DELETE ON video_code FOR EACH ROW WHEN EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.state <> 'deleted' AND (spark_ad.post_id = OLD.post_id OR spark_ad.post_id IN (SELECT post.id FROM post WHERE post.original_id = OLD.post_id) OR spark_ad.id IN (SELECT ad_code.ad_id FROM ad_code WHERE ad_code.code_id = OLD.id))) BEGIN SELECT RAISE(ABORT, 'an ad that is not deleted uses the video of this code'); END;
CREATE TRIGGER ad_code_is_not_deleted_on_insert BEFORE INSERT ON ad_code FOR EACH ROW WHEN EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') BEGIN SELECT RAISE(ABORT, 'this code is deleted; no ad can use it'); END;
CREATE TRIGGER ad_code_is_not_deleted_on_update BEFORE UPDATE ON ad_code FOR EACH ROW WHEN EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted') BEGIN SELECT RAISE(ABORT, 'this code is deleted; no ad can use it'); END;
CREATE TRIGGER spark_ad_is_not_revived_on_a_deleted_code BEFORE UPDATE OF state ON spark_ad FOR EACH ROW WHEN OLD.state = 'deleted' AND NEW.state <> 'deleted' AND EXISTS (SELECT 1 FROM ad_code JOIN video_code ON video_code.id = ad_code.code_id WHERE ad_code.ad_id = NEW.id AND video_code.state = 'deleted') BEGIN SELECT RAISE(ABORT, 'a code of this ad is deleted'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('transition',95);
COMMIT;
