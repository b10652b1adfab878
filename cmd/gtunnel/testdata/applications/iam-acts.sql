-- What the service does, again and again: each paragraph is a transaction; :n is a new number.
-- A login.
INSERT INTO SPRING_SESSION VALUES (CONCAT('primary-', :n), CONCAT('session-', :n), :n, 'ada');
INSERT INTO SPRING_SESSION_ATTRIBUTES VALUES (CONCAT('primary-', :n), 'SPRING_SECURITY_CONTEXT', UNHEX(CONCAT('ACED0005', SHA2(:n, 512)))), (CONCAT('primary-', :n), 'b', '');

-- A token.
INSERT INTO saved_user_auth (name) VALUES (CONCAT('user ', :n));
SET @auth = LAST_INSERT_ID();
INSERT INTO saved_user_auth_info VALUES (@auth, 'sub', SHA2(:n, 256)), (@auth, 'sub', SHA2(:n, 256));
INSERT INTO authentication_holder (user_auth_id, client_id, approved) VALUES (@auth, 'stays', 1);
SET @holder = LAST_INSERT_ID();
INSERT INTO authentication_holder_scope VALUES (@holder, 'openid'), (@holder, 'openid');
INSERT INTO refresh_token (token_value, client_id, auth_holder_id) VALUES (CONCAT('r', :n), 1, @holder);
SET @refresh = LAST_INSERT_ID();
INSERT INTO access_token (token_value, expiration, refresh_token_id, client_id, auth_holder_id) VALUES (REPEAT(SHA2(:n, 256), 20), NOW() + INTERVAL (:n MOD 7 - 3) HOUR, @refresh, 1, @holder);
INSERT INTO token_scope VALUES (LAST_INSERT_ID(), 'openid'), (LAST_INSERT_ID(), 'profile');

-- The garbage collection.
DELETE FROM access_token WHERE expiration < NOW() ORDER BY id LIMIT 3;
DELETE FROM saved_user_auth WHERE id > 2 ORDER BY id LIMIT 1;
DELETE FROM SPRING_SESSION WHERE EXPIRY_TIME < :n - 40;
DELETE FROM iam_revoked_at WHERE expiration < NOW();

-- A registration, its mail, a membership.
INSERT INTO iam_reg_request (uuid, status, notes) VALUES (UUID(), 'NEW', CONCAT('request ', :n));
INSERT INTO iam_email_notification (uuid, subject, body, delivery_status, request_id) VALUES (UUID(), 'New', REPEAT('body ', :n MOD 50), 'PENDING', LAST_INSERT_ID());
UPDATE iam_email_notification SET delivery_status = 'DELIVERED', last_update = NOW() WHERE delivery_status = 'PENDING' ORDER BY id LIMIT 2;
REPLACE INTO iam_account_group VALUES (1, 1 + :n MOD 2, NOW());
DELETE FROM iam_account_labels WHERE account_id = 1 LIMIT 1;
INSERT INTO iam_account_labels VALUES ('a', NULL, NULL, 1);

-- A revocation.
INSERT INTO iam_revoked_at VALUES (UUID(), NOW() + INTERVAL 1 HOUR);
