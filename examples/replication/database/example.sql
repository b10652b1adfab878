-- What is replicated: it is on the master before there is a slave.
CREATE DATABASE IF NOT EXISTS example;
CREATE TABLE IF NOT EXISTS example.entries (id INT AUTO_INCREMENT PRIMARY KEY, made TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), text VARCHAR(200) NOT NULL);
INSERT IGNORE INTO example.entries (id, text) VALUES (1, 'before there was a slave');
