-- a row that is missing: table cns_db.Cns_class_metadata
DELETE FROM cns_db.Cns_class_metadata WHERE rowid = 2;
-- a row too many: table voms_atlas.roles
INSERT INTO voms_atlas.roles VALUES (99, 'extra');
-- a row twice, without a key: table iam.databasechangelog
INSERT INTO iam.databasechangelog SELECT * FROM iam.databasechangelog LIMIT 1;
-- a byte: table fts3db.t_bytes
UPDATE fts3db.t_bytes SET big = INSERT(big, 50000, 1, x'00') WHERE id = 1;
-- the case of a letter: table iam.iam_group
UPDATE iam.iam_group SET name = 'ANALYSIS' WHERE id = 1;
-- a space at the end: table JobDB.order
UPDATE JobDB.`order` SET `window` = 'from ' WHERE `key` = 'select';
-- a space at the end of a key: table groups %_ & näme.日本
UPDATE `groups %_ & näme`.`日本` SET `名` = '値 ' WHERE `名` = '値';
-- NULL for an empty text: table cns_db.Cns_userinfo
UPDATE cns_db.Cns_userinfo SET user_ca = NULL WHERE user_ca = '';
-- an empty text for NULL: table groups %_ & näme.tick.tock
UPDATE `groups %_ & näme`.`tick.tock` SET `x\y` = '' WHERE id = 5;
-- a microsecond: table iam.iam_account
UPDATE iam.iam_account SET end_time = '2038-01-19 03:14:07.998' WHERE id = 2;
-- the last digit of a DOUBLE: table icinga.icinga_hoststatus
UPDATE icinga.icinga_hoststatus SET execution_time = 5e-324 WHERE hoststatus_id = 2;
-- a zero date: table icinga.icinga_dbversion
UPDATE icinga.icinga_dbversion SET create_time = '2020-01-01' LIMIT 1;
-- a bit: table voms_atlas.groups
UPDATE voms_atlas.`groups` SET restricted = b'111' WHERE gid = 1;
-- an ENUM: table groups %_ & näme.select
UPDATE `groups %_ & näme`.`select` SET `where` = 'e\\f' WHERE `from` = 2;
-- a column's comment: table voms_atlas.ca
ALTER TABLE voms_atlas.ca MODIFY cadescr VARCHAR(255) COMMENT 'other';
-- a table's comment: table icinga.icinga_comments
ALTER TABLE icinga.icinga_comments COMMENT = 'other';
-- a default: table apelclient.CloudRecords
ALTER TABLE apelclient.CloudRecords ALTER COLUMN SiteName SET DEFAULT 'Zurich';
-- an index: table fts3db.t_optimizer_evolution
ALTER TABLE fts3db.t_optimizer_evolution DROP INDEX datetime;
-- an index too many: table cns_db.Cns_unique_id
ALTER TABLE cns_db.Cns_unique_id ADD INDEX (id);
-- AUTO_INCREMENT of a column: table apelclient.DNs
ALTER TABLE apelclient.DNs MODIFY id INT NOT NULL;
-- a collation: table apelclient.Sites
ALTER TABLE apelclient.Sites MODIFY name VARCHAR(255) COLLATE utf8mb4_bin NOT NULL;
-- a character set: table fts3db.t_link_config
ALTER TABLE fts3db.t_link_config MODIFY symbolicname VARCHAR(150) CHARACTER SET latin1 NOT NULL;
-- a table's character set: table apelclient.VOs
ALTER TABLE apelclient.VOs DEFAULT CHARACTER SET latin1;
-- a type: table voms_atlas.seqnumber
ALTER TABLE voms_atlas.seqnumber MODIFY seq VARCHAR(254) NOT NULL;
-- the order of columns: table cns_db.schema_version_cns
ALTER TABLE cns_db.schema_version_cns MODIFY patch INT NOT NULL FIRST;
-- a column: table iam.iam_account_attrs
ALTER TABLE iam.iam_account_attrs ADD COLUMN more INT;
-- a foreign key: table iam.iam_account_group
ALTER TABLE iam.iam_account_group DROP FOREIGN KEY iam_account_group_ibfk_2;
-- a generated column: table iam.iam_user_info
ALTER TABLE iam.iam_user_info MODIFY full_name VARCHAR(140) GENERATED ALWAYS AS (CONCAT(familyname, ' ', givenname)) VIRTUAL;
-- a partition: table fts3db.t_hashed
ALTER TABLE fts3db.t_hashed COALESCE PARTITION 1;
-- a table that is missing: table groups %_ & näme.T
DROP TABLE `groups %_ & näme`.`T`;
-- a table too many: table zabbix.own
CREATE TABLE zabbix.own (id INT PRIMARY KEY);
-- a view: view apelclient.VUsers
ALTER VIEW apelclient.VUsers AS SELECT d.name AS DN, s.name AS Site FROM apelclient.JobRecords j INNER JOIN apelclient.Sites s ON j.SiteID = s.id INNER JOIN apelclient.DNs d ON d.id = j.GlobalUserNameID;
-- a view's definer: view apelclient.VSites
ALTER DEFINER=nobody@localhost VIEW apelclient.VSites AS SELECT s.*, v.id AS vid FROM apelclient.Sites s LEFT JOIN apelclient.VOs v ON v.name = s.name;
-- a view's check option: view iam.v_accounts
DROP VIEW iam.v_accounts;
-- a routine's body: routine apelclient.SummariseJobs
DROP PROCEDURE apelclient.SummariseJobs;
CREATE PROCEDURE apelclient.SummariseJobs() SQL SECURITY INVOKER DELETE FROM apelclient.Summaries;
-- a routine's comment: routine apelclient.ReplaceJobRecord
ALTER PROCEDURE apelclient.ReplaceJobRecord COMMENT 'other';
-- whose rights a routine has: routine fts3db.write_some
ALTER PROCEDURE fts3db.write_some SQL SECURITY DEFINER;
-- a function that is missing: routine groups %_ & näme.f.g
DROP FUNCTION `groups %_ & näme`.`f.g`;
-- an event's schedule: event fts3db.clean_up
ALTER EVENT fts3db.clean_up ON SCHEDULE EVERY 5 SECOND STARTS '2020-01-01 00:00:00' DISABLE ON SLAVE;
-- an event's body: event groups %_ & näme.ev.ent é
ALTER EVENT `groups %_ & näme`.`ev.ent é` DO SET @a = 1;
-- a trigger's body: trigger icinga.to_history
DROP TRIGGER icinga.to_history;
CREATE TRIGGER icinga.to_history AFTER UPDATE ON icinga.icinga_hoststatus FOR EACH ROW SET @a = 1;
-- a trigger's moment: trigger iam.account_insert_too
DROP TRIGGER iam.account_insert_too;
CREATE TRIGGER iam.account_insert_too BEFORE UPDATE ON iam.iam_account FOR EACH ROW SET NEW.active = IFNULL(NEW.active, 0);
-- a database's character set: database cns_db
ALTER DATABASE cns_db CHARACTER SET utf8mb4;
