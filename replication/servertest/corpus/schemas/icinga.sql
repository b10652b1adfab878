-- States of hosts: timestamps that are zero by default, latin1, prefixes, tables that
-- are emptied and filled again.
SET sql_mode = '';
CREATE DATABASE icinga DEFAULT CHARACTER SET latin1 COLLATE latin1_german1_ci;
USE icinga;
CREATE TABLE icinga_objects (object_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, instance_id BIGINT UNSIGNED DEFAULT 0, objecttype_id BIGINT UNSIGNED DEFAULT 0,
  name1 VARCHAR(255) COLLATE latin1_general_cs DEFAULT '', name2 VARCHAR(255) COLLATE latin1_general_cs DEFAULT NULL, is_active SMALLINT DEFAULT 0,
  PRIMARY KEY (object_id), KEY objecttype_id (objecttype_id, name1, name2)) ENGINE=InnoDB COMMENT='Current and historical objects of all kinds';
CREATE TABLE icinga_hoststatus (hoststatus_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, host_object_id BIGINT UNSIGNED DEFAULT 0, status_update_time TIMESTAMP NULL DEFAULT '0000-00-00 00:00:00',
  output TEXT, perfdata TEXT, current_state SMALLINT DEFAULT 0, last_check TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', latency DOUBLE DEFAULT 0, execution_time DOUBLE NOT NULL DEFAULT 0,
  next_check DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', day DATE NOT NULL DEFAULT '0000-00-00', UNIQUE KEY object_id (host_object_id), KEY (last_check)) COMMENT='Zustände';
CREATE TABLE icinga_statehistory (statehistory_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, state_time TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', state_time_usec INT DEFAULT 0,
  object_id BIGINT UNSIGNED DEFAULT 0, state SMALLINT DEFAULT 0, long_output TEXT, check_source VARCHAR(255) CHARACTER SET latin1 COLLATE latin1_general_cs, PRIMARY KEY (statehistory_id));
CREATE TABLE icinga_comments (comment_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, entry_time TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', comment_data TEXT, name VARCHAR(255) COLLATE latin1_general_cs) ENGINE=MyISAM;
CREATE TABLE icinga_dbversion (dbversion_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(10) DEFAULT '', version VARCHAR(10) DEFAULT '', create_time TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', UNIQUE KEY dbversion (name));
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
INSERT INTO icinga_objects (objecttype_id, name1, name2, is_active) VALUES (1, 'srv', NULL, 1), (1, 'Srv', NULL, 1), (2, 'srv', 'ping', 1), (2, 'srv', 'ping ', 0), (2, 'Übung', '', 1);
INSERT INTO icinga_hoststatus (host_object_id, output) VALUES (1, 'PING OK - Verlust = 0%'), (2, NULL);
INSERT INTO icinga_hoststatus (host_object_id, status_update_time, last_check, latency, next_check, day) VALUES (3, '2026-01-01 00:00:00', '2020-06-01 02:30:00', 0.123456789012345, '2026-00-00 00:00:00', '2026-02-00'), (NULL, NULL, 0, -1e-5, 0, 0), (NULL, NULL, 0, 0, 0, 0);
INSERT INTO icinga_statehistory (object_id, long_output, check_source) VALUES (1, 'x\r\ny', 'ÄÖ'), (99, '', NULL);
INSERT INTO icinga_comments (comment_data, name) VALUES ('it''s down; see "wiki"', 'c'), (NULL, NULL);
INSERT INTO icinga_dbversion (name, version) VALUES ('idoutils', '1.14.3');
CREATE VIEW unhandled AS SELECT o.name1, h.output, h.last_check FROM icinga_objects o INNER JOIN icinga_hoststatus h ON h.host_object_id = o.object_id WHERE h.last_check = '0000-00-00 00:00:00' OR h.current_state > 0;
DELIMITER //
CREATE TRIGGER to_history AFTER UPDATE ON icinga_hoststatus FOR EACH ROW
  IF NEW.current_state <> OLD.current_state THEN INSERT INTO icinga_statehistory (object_id, state, state_time) VALUES (NEW.host_object_id, NEW.current_state, 0); END IF//
CREATE PROCEDURE write_some(IN r BIGINT)
BEGIN
  CASE (r DIV 9) MOD 6
    WHEN 0 THEN INSERT INTO icinga_objects (objecttype_id, name1, name2, is_active) VALUES (r MOD 3, CONCAT('h', r MOD 19), NULLIF(r MOD 4, 0), r MOD 2);
    WHEN 1 THEN UPDATE icinga_hoststatus SET current_state = r MOD 4, output = CONCAT('state ', r), latency = r / 1000, last_check = IF(r MOD 3, FROM_UNIXTIME(1 + r MOD 2000000000), 0) WHERE hoststatus_id = 1 + r MOD 9;
    WHEN 2 THEN INSERT IGNORE INTO icinga_hoststatus (host_object_id, day) VALUES (r MOD 50, 0);
    WHEN 3 THEN DELETE FROM icinga_objects WHERE object_id = 6 + r MOD 40;
    WHEN 4 THEN INSERT INTO icinga_comments (entry_time, comment_data) VALUES (0, CONCAT('c', r));
    ELSE DELETE FROM icinga_comments WHERE comment_id > 2 ORDER BY comment_id LIMIT 1;
  END CASE;
END//
DELIMITER ;
