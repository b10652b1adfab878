-- A catalogue of files: latin1, names that are binary, a row number as the only
-- key or no key at all, UNIQUE keys over NULLs.
CREATE DATABASE cns_db DEFAULT CHARACTER SET latin1;
USE cns_db;
CREATE TABLE Cns_class_metadata (rowid INTEGER UNSIGNED AUTO_INCREMENT PRIMARY KEY, classid INTEGER, name VARCHAR(15) BINARY, owner_uid INTEGER, gid INTEGER, min_filesize INTEGER);
CREATE TABLE Cns_file_metadata (rowid BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, fileid BIGINT UNSIGNED, parent_fileid BIGINT UNSIGNED, guid CHAR(36) BINARY, name VARCHAR(255) BINARY, filemode INTEGER UNSIGNED,
  nlink INTEGER, filesize BIGINT UNSIGNED, atime INTEGER, status CHAR(1) BINARY, csumtype VARCHAR(2) BINARY, acl BLOB,
  CONSTRAINT pk_file UNIQUE (fileid), CONSTRAINT file_full_id UNIQUE (parent_fileid, name), CONSTRAINT file_guid UNIQUE (guid), INDEX PARENT_FILEID_IDX (parent_fileid)) ENGINE=InnoDB;
CREATE TABLE Cns_file_replica (rowid BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, fileid BIGINT UNSIGNED, nbaccesses BIGINT UNSIGNED, host VARCHAR(63) BINARY, sfn BLOB, poolname VARCHAR(15) BINARY,
  INDEX (host), INDEX replica_sfn (sfn(255)), CONSTRAINT fk_fileid FOREIGN KEY (fileid) REFERENCES Cns_file_metadata (fileid));
CREATE TABLE Cns_symlinks (fileid BIGINT UNSIGNED, linkname BLOB, UNIQUE KEY pk_l_fileid (fileid));
CREATE TABLE Cns_groupinfo (gid INTEGER, groupname VARCHAR(255) BINARY, banned INTEGER, CONSTRAINT map_groupname UNIQUE (groupname)) ENGINE=MyISAM;
CREATE TABLE Cns_userinfo (userid INTEGER, username VARCHAR(255) BINARY, user_ca VARCHAR(255) BINARY, banned INTEGER, CONSTRAINT map_username UNIQUE (username)) CHARACTER SET latin1 COLLATE latin1_general_cs;
CREATE TABLE Cns_unique_id (id BIGINT UNSIGNED);
CREATE TABLE schema_version_cns (major INTEGER NOT NULL, minor INTEGER NOT NULL, patch INTEGER NOT NULL);
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
INSERT INTO Cns_class_metadata (classid, name, owner_uid) VALUES (1, 'Class', NULL), (1, 'class', NULL), (NULL, NULL, NULL);
INSERT INTO Cns_file_metadata (fileid, parent_fileid, guid, name, filemode, nlink, filesize, status, acl) VALUES (2, 0, NULL, '/', 16877, 1, 0, '-', NULL), (3, 2, NULL, 'grid', 16877, 1, 18446744073709551615, 'D', x'00'),
  (4, 2, 'g-1', _latin1 x'64C3A97A', 33204, 0, NULL, NULL, ''), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, 'é', NULL, NULL, NULL, 'm', NULL);
INSERT INTO Cns_file_replica (fileid, host, sfn) VALUES (4, 'se.example.org', 'srm://se/a'), (NULL, '', ''), (3, 'SE.example.org', REPEAT('long/', 200));
INSERT INTO Cns_symlinks VALUES (NULL, 'x'), (NULL, 'x'), (3, x'2f00ff');
INSERT INTO Cns_groupinfo VALUES (1, 'atlas', NULL), (1, 'Atlas', 0), (NULL, NULL, 0), (NULL, NULL, 0);
INSERT INTO Cns_userinfo VALUES (1, '/CN=a', NULL, 0), (1, '/CN=A', '', 0), (2, '/CN=ÿ', NULL, NULL);
INSERT INTO Cns_unique_id VALUES (4);
INSERT INTO schema_version_cns VALUES (3, 0, 0);
CREATE VIEW paths AS SELECT f.fileid, p.name AS parent, f.name FROM Cns_file_metadata f LEFT JOIN Cns_file_metadata p ON p.fileid = f.parent_fileid;
DELIMITER //
CREATE PROCEDURE write_some(IN r BIGINT)
BEGIN
  DECLARE k BIGINT UNSIGNED DEFAULT 5 + r MOD 60;
  CASE (r DIV 60) MOD 6
    WHEN 0 THEN UPDATE Cns_unique_id SET id = id + 1; INSERT IGNORE INTO Cns_file_metadata (fileid, parent_fileid, name, filesize) SELECT id, 2 + r MOD 2, CONCAT('f', r MOD 60, CHAR(160 + r MOD 90 USING latin1)), r * 1000 FROM Cns_unique_id;
    WHEN 1 THEN UPDATE Cns_file_metadata SET filesize = r, acl = REPEAT(CHAR(r MOD 256), r MOD 300), status = SUBSTR('-mDd', 1 + r MOD 4, 1) WHERE fileid = k;
    WHEN 2 THEN DELETE FROM Cns_file_replica WHERE fileid = k; DELETE FROM Cns_file_metadata WHERE fileid = k;
    WHEN 3 THEN INSERT INTO Cns_file_replica (fileid, nbaccesses, host, sfn) SELECT fileid, r, CONCAT('h', r MOD 4), CONCAT('sfn', r) FROM Cns_file_metadata WHERE fileid = k;
    WHEN 4 THEN INSERT INTO Cns_symlinks VALUES (NULL, CONCAT('l', r MOD 3));
    ELSE DELETE FROM Cns_symlinks WHERE linkname = CONCAT('l', r MOD 3) LIMIT 1;
  END CASE;
END//
DELIMITER ;
