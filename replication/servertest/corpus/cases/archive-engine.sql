-- only: mysql
-- An engine that the slave may lack. (MariaDB: a plugin; MySQL has it.)
CREATE DATABASE backups; USE backups;
CREATE TABLE jobs_done (job INT, host VARCHAR(20)) ENGINE=ARCHIVE;
INSERT INTO jobs_done VALUES (1, 'a'), (1, 'a'), (2, NULL);
CREATE TABLE jobs (job INT PRIMARY KEY);
