USE JobDB;
ALTER TABLE `order` ADD COLUMN `limit` INT NOT NULL DEFAULT -1, DROP INDEX `index`, ADD UNIQUE INDEX `index` (`key`, `rank`);
ALTER TABLE `ac_key_CERN-PROD_User` ENGINE=InnoDB;
RENAME TABLE `ac_key_CERN-PROD_User` TO `Input Data`;
ALTER TABLE Jobs COMMENT = 'all ''jobs''', CHARACTER SET utf8mb4;
CREATE OR REPLACE VIEW `group` AS SELECT `key` FROM `order` WHERE `limit` < 0;
DROP TRIGGER `Jobs delete`;
