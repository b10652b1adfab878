USE cns_db;
ALTER TABLE Cns_file_metadata ADD COLUMN ctime INT, MODIFY csumtype VARCHAR(4) BINARY, ADD KEY (ctime, status);
ALTER TABLE Cns_symlinks CONVERT TO CHARACTER SET utf8mb4;
ALTER TABLE schema_version_cns ADD PRIMARY KEY (major);
