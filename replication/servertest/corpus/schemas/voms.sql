-- Members of a virtual organisation: names of certificates, groups that are in
-- groups, roles, and lists of rights. An account of the service's own is the
-- definer of what runs.
CREATE USER 'voms adm'@'localhost' IDENTIFIED BY 'not used by anybody';
CREATE DATABASE voms_atlas DEFAULT CHARACTER SET latin1;
GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, TRIGGER, EVENT ON `voms\_atlas`.* TO 'voms adm'@'localhost';
USE voms_atlas;

CREATE TABLE ca (cid SMALLINT NOT NULL AUTO_INCREMENT PRIMARY KEY, ca VARCHAR(250) NOT NULL, cadescr VARCHAR(255),
  UNIQUE KEY uk_ca (ca)) ENGINE=InnoDB;
INSERT INTO ca (ca, cadescr) VALUES ('/C=XX/O=Grid/CN=Root CA', NULL), ('/C=YY/O=Grille/CN=AC Générale', 'accréditée'),
  ('/DC=zz/CN=O''Brien \\ "CA"', '');

CREATE TABLE usr (userid BIGINT NOT NULL AUTO_INCREMENT, dn VARCHAR(250) COLLATE latin1_bin NOT NULL, ca SMALLINT NOT NULL,
  cn VARCHAR(250), mail VARCHAR(250), cauri VARCHAR(250), creation_time DATETIME NOT NULL, end_time DATETIME,
  suspended BIT(1) NOT NULL DEFAULT b'0', PRIMARY KEY (userid), UNIQUE KEY uk_usr (dn, ca),
  CONSTRAINT fk_usr_ca FOREIGN KEY (ca) REFERENCES ca (cid)) ENGINE=InnoDB AUTO_INCREMENT=1000;
INSERT INTO usr (dn, ca, cn, mail, creation_time) VALUES ('/CN=one', 1, 'One', 'one@example.org', '2001-01-01 00:00:00'),
  ('/CN=One', 1, 'one', NULL, '2011-01-01 00:00:00'), ('/CN=José Núñez', 2, 'José', '', '2021-01-01 00:00:00');
-- Bytes of UTF-8 in a column that says latin1: an old client wrote them.
INSERT INTO usr (dn, ca, cn, creation_time) VALUES (_latin1 x'2F434E3D5AC3BC72696368', 2, _latin1 x'5AC3BC72696368', '1999-12-31 23:59:59');

CREATE TABLE `groups` (gid BIGINT NOT NULL AUTO_INCREMENT, dn VARCHAR(255) NOT NULL, parent BIGINT NOT NULL, must BIT(1),
  description VARCHAR(255), PRIMARY KEY (gid), UNIQUE KEY dn (dn), KEY fk_parent (parent),
  CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES `groups` (gid)) ENGINE=InnoDB;
INSERT INTO `groups` VALUES (1, '/atlas', 1, b'1', NULL), (2, '/atlas/de', 1, b'0', 'ÄÖÜ'), (3, '/atlas/de/prod', 2, NULL, '');

CREATE TABLE roles (rid BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, role VARCHAR(255) NOT NULL, UNIQUE KEY role (role));
INSERT INTO roles VALUES (1, 'VO-Admin'), (2, 'production'), (3, 'Rôle');

-- Who is in which group, with which role; a role of NULL more than once.
CREATE TABLE m (mapping_id BIGINT NOT NULL AUTO_INCREMENT, userid BIGINT NOT NULL, gid BIGINT NOT NULL, rid BIGINT,
  PRIMARY KEY (mapping_id), UNIQUE KEY uk_m (userid, gid, rid), KEY of_roles (rid),
  CONSTRAINT fk_m_usr FOREIGN KEY (userid) REFERENCES usr (userid) ON DELETE CASCADE,
  CONSTRAINT fk_m_groups FOREIGN KEY (gid) REFERENCES `groups` (gid),
  CONSTRAINT fk_m_roles FOREIGN KEY (rid) REFERENCES roles (rid) ON DELETE SET NULL);
INSERT INTO m (userid, gid, rid) SELECT userid, 1, NULL FROM usr;
INSERT INTO m (userid, gid, rid) SELECT userid, 1, NULL FROM usr WHERE userid < 1002;
INSERT INTO m (userid, gid, rid) SELECT userid, 2, 2 FROM usr;

CREATE TABLE acl2 (acl_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, group_id BIGINT NOT NULL, defaultACL BIT(1) NOT NULL,
  role_id BIGINT, UNIQUE KEY uk_acl2 (group_id, defaultACL, role_id));
CREATE TABLE acl2_permissions (acl_id BIGINT NOT NULL, permissions INT, admin_id BIGINT NOT NULL, PRIMARY KEY (acl_id, admin_id),
  CONSTRAINT fk_perm FOREIGN KEY (acl_id) REFERENCES acl2 (acl_id) ON DELETE CASCADE);
INSERT INTO acl2 VALUES (1, 1, b'0', NULL), (2, 1, b'0', NULL), (3, 2, b'1', 2);
INSERT INTO acl2_permissions VALUES (1, 8191, 1), (1, NULL, 2), (3, -1, 1);
CREATE TABLE seqnumber (seq VARCHAR(255) NOT NULL);
INSERT INTO seqnumber VALUES ('0');
CREATE TABLE version (version INT NOT NULL, admin_version VARCHAR(255) NOT NULL) ENGINE=MyISAM;
INSERT INTO version VALUES (3, '3.8.0');
CREATE TABLE audit (at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), what TEXT CHARACTER SET utf8mb4, by_whom VARCHAR(100)) COMMENT='no key at all';
CREATE TABLE dice (n BIGINT NOT NULL) COMMENT='what the event draws next';
INSERT INTO dice VALUES (1);

CREATE DEFINER='voms adm'@'localhost' SQL SECURITY DEFINER VIEW members AS
  SELECT u.userid, u.dn, g.dn AS `group`, r.role FROM usr u JOIN m ON m.userid = u.userid JOIN `groups` g ON g.gid = m.gid
  LEFT JOIN roles r ON r.rid = m.rid;
CREATE VIEW fqans AS SELECT userid, CONCAT(`group`, IFNULL(CONCAT('/Role=', role), '')) AS fqan FROM members WHERE dn NOT LIKE '%\_x';
CREATE SQL SECURITY INVOKER VIEW suspended AS SELECT userid FROM usr WHERE suspended = b'1' WITH CASCADED CHECK OPTION;

DELIMITER $$
CREATE DEFINER='voms adm'@'localhost' TRIGGER usr_after AFTER UPDATE ON usr FOR EACH ROW
BEGIN
  -- ; a comment with ' one quote
  IF NOT (OLD.cn <=> NEW.cn) THEN
    INSERT INTO audit (what, by_whom) VALUES (CONCAT('cn of ', NEW.dn, ' was "', IFNULL(OLD.cn, '\\N'), '"'), 'trigger');
  END IF;
END$$
CREATE DEFINER='voms adm'@'localhost' FUNCTION next_serial() RETURNS VARCHAR(255) DETERMINISTIC MODIFIES SQL DATA
BEGIN
  UPDATE seqnumber SET seq = LOWER(HEX(CONV(seq, 16, 10) + 1));
  RETURN (SELECT MAX(seq) FROM seqnumber);
END$$
CREATE PROCEDURE write_some(IN r BIGINT) COMMENT 'one change, drawn by r'
BEGIN
  DECLARE k BIGINT DEFAULT 1000 + r MOD 40;
  DECLARE ignored VARCHAR(255);
  CASE (r DIV 40) MOD 6
    WHEN 0 THEN INSERT IGNORE INTO usr (dn, ca, cn, creation_time) VALUES (CONCAT('/CN=user ', r MOD 97, '\é'), 1 + r MOD 3, NULL, '2026-01-01');
    WHEN 1 THEN UPDATE usr SET cn = CONCAT('name ', r), suspended = r MOD 2 WHERE userid = k;
    WHEN 2 THEN DELETE FROM usr WHERE userid = k AND k > 1010;
    WHEN 3 THEN INSERT IGNORE INTO m (userid, gid, rid) SELECT userid, 1 + r MOD 3, NULL FROM usr WHERE userid >= k ORDER BY userid LIMIT 2;
    WHEN 4 THEN SET ignored = next_serial();
    ELSE DELETE FROM audit ORDER BY at, what LIMIT 1;
  END CASE;
END$$
CREATE DEFINER='voms adm'@'localhost' EVENT `tick tock` ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE COMMENT 'draws and writes' DO
BEGIN
  UPDATE dice SET n = (n * 1103515245 + 12345) MOD 2147483648;
  CALL write_some((SELECT MAX(n) FROM dice));
END$$
DELIMITER ;
CREATE EVENT far_away ON SCHEDULE AT '2037-12-31 23:59:59' DISABLE DO DELETE FROM audit;
