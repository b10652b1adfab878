-- A zero with a sign, where no key finds its row.
CREATE DATABASE zeros; USE zeros;
CREATE TABLE signs (d DOUBLE, f FLOAT);
INSERT INTO signs VALUES (-0e0, 0), (0, -0e0), (1, 1);
UPDATE signs SET d = d * -1 WHERE d = 0;
