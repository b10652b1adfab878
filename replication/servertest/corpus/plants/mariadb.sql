-- where a sequence stands: sequence maria.serial
DO SETVAL(maria.serial, 5000);
-- a sequence's step: sequence maria.down ward
ALTER SEQUENCE maria.`down ward` MAXVALUE 7;
-- a hidden column: table maria.hidden
UPDATE maria.hidden SET b = 'y' WHERE id = 3;
-- a column that is not hidden: table maria.drawn
ALTER TABLE maria.drawn MODIFY n BIGINT INVISIBLE DEFAULT 1;
-- a CHECK: table maria.checked
ALTER TABLE maria.checked DROP CONSTRAINT `c two`;
-- a row of a history's table: table maria.versioned_named
UPDATE maria.versioned_named SET v = 'other';
-- a package's body: routine maria.pack
SET sql_mode = ORACLE;
DROP PACKAGE BODY maria.pack;
SET sql_mode = DEFAULT;
