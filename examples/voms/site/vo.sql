-- A VO with two groups, a role and one member, in the tables of voms-mysql.data: what VOMS Admin
-- writes when it makes a VO.
INSERT INTO version VALUES (2);
INSERT INTO seqnumber VALUES ('00');
INSERT INTO ca (cid, ca) VALUES
	(1, '/O=VOMS/O=System/CN=Dummy Certificate Authority'),
	(2, '/O=Grid/OU=gtunnel/CN=Simple CA');
INSERT INTO `groups` (gid, dn, parent, must) VALUES
	(1, '/vo.domain.one', 1, 1),
	(2, '/vo.domain.one/ops', 1, 0),
	(3, '/vo.domain.one/production', 1, 0);
INSERT INTO roles (rid, role) VALUES (1, 'VO-Admin');
INSERT INTO usr (userid, dn, ca, cn) VALUES
	(1, '/O=Grid/OU=gtunnel/OU=Simple CA/CN=Alice Example', 2, 'Alice Example');
INSERT INTO m (userid, gid) VALUES (1, 1);
