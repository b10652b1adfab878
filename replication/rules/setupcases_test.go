package rules_test

import (
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

const ofPair = rules.CheckPair | rules.SetupSlave

// pairCases are about two servers that do not go together.
var pairCases = []ruleCase{
	{
		want: "problem follows-this master", at: ofPair,
		words: "the slave of the server of this host|host of the slave",
		change: func(s *rules.Subject) {
			s.Master.Masters = []*server.SlaveStatus{{MasterID: 2, IORunning: "Yes", SQLRunning: "Yes"}}
			s.Slave.Slaves = []uint32{1}
		},
	},
	{
		want: "problem follows-this master", at: ofPair,
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Master.Masters = []*server.SlaveStatus{{MasterUUID: s.Slave.UUID(), IORunning: "Connecting"}}
		},
	},
	{
		want: "problem older-slave slave", at: ofPair, words: "cannot follow the newer|to 11.8 or later",
		change: func(s *rules.Subject) {
			s.Master.Version = server.Version{Family: server.MariaDB, Major: 11, Minor: 8, Patch: 6}
		},
	},
	{
		want: "warning far-versions slave", at: ofPair,
		words: "let a slave of MySQL 8.0 follow first, and update it, by 8.4, 9.7",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Master.Version = server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 44}
		},
	},
	{
		want: "warning far-versions slave", at: ofPair, words: "let a slave of MySQL 8.4 follow first, and update it, by 9.7",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Master.Version = server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}
		},
	},
	{
		want: "problem families slave", at: ofPair, also: "warning not-crash-safe slave", words: "no authentication plugin",
		change: func(s *rules.Subject) { s.Master.Version = mysql },
	},
	{
		want: "warning families slave", at: ofPair, also: "warning not-crash-safe slave",
		words: "no way back to MySQL|mysql_native_password",
		change: func(s *rules.Subject) {
			s.Master.Version = server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}
		},
	},
	{
		want: "problem row-events master", at: ofPair, also: "warning families slave",
		words: "cannot read rows|--log-statements",
		change: func(s *rules.Subject) {
			s.Slave.Version = mysql
		},
	},
	{
		want: "problem gtid-mode slave", at: ofPair, also: "warning families slave",
		words: "no GTIDs that MySQL knows",
		change: func(s *rules.Subject) {
			s.Slave.Version, s.Slave.Variables["gtid_mode"], s.Master.Variables["binlog_format"] = mysql, "ON", "STATEMENT"
		},
	},
	{
		want: "problem gtid-mode slave", at: ofPair,
		words: "gtid_mode is OFF, and ON on the master|gtid_mode=ON in its option files",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Master.Variables["gtid_mode"], s.Slave.Variables["gtid_mode"] = "ON", "OFF"
		},
	},
	{
		want: "problem gtid-mode slave", at: ofPair, words: "gtid_mode=OFF_PERMISSIVE in its option files",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Master.Variables["gtid_mode"], s.Slave.Variables["gtid_mode"] = "OFF_PERMISSIVE", "ON"
		},
	},
	{
		want: "problem case-of-name master", at: ofPair, words: "VOMS differs from that of voms",
		change: func(s *rules.Subject) {
			s.Master.Databases = append(s.Master.Databases, facts.Database{Name: "VOMS"})
		},
	},
	{
		want: "problem case-of-name slave", at: ofPair, words: "Voms differs from that of voms",
		change: func(s *rules.Subject) {
			s.Slave.Databases = []facts.Database{{Name: "Voms"}}
		},
	},
	{
		want: "problem same-uuid slave", at: ofPair, words: "auto.cnf from its data directory /var/lib/mysql/",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Slave.Variables["server_uuid"] = s.Master.UUID()
		},
	},
	{
		want: "problem lower-case-table-names slave", at: ofPair, words: "is 1, and 0 on the master",
		change: func(s *rules.Subject) {
			s.Slave.Variables["lower_case_table_names"] = "1"
		},
	},
	{
		want: "problem unknown-collation slave", at: ofPair, words: "that voms uses: utf8mb4_0900_ai_ci|ALTER TABLE",
		change: func(s *rules.Subject) {
			s.Master.Databases[0].Collations = []string{"utf8mb4_0900_ai_ci"}
		},
	},
	{
		want: "problem unknown-collation slave", at: ofPair, words: "the master's collation_server utf8mb4_0900_ai_ci",
		change: func(s *rules.Subject) {
			s.Master.Variables["collation_server"] = "utf8mb4_0900_ai_ci"
		},
	},
	{
		want: "problem accounts-on-slave slave", at: rules.SetupSlave,
		words: "rights, and brings those of the master: 'backup'@'localhost', 'root'@'%'|--replace-databases voms,mysql;",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Method, s.Replace = journal.SeedClone, []string{"voms"}
			s.Slave.Accounts = []facts.Account{
				{User: "root", Host: "localhost"},
				{User: "backup", Host: "localhost"},
				{User: "mysql.sys", Host: "localhost"},
				{User: facts.MonitorUser, Host: "127.0.0.1"},
				{User: "root", Host: "%"},
			}
		},
	},
	{
		want: "problem unknown-engine slave", at: ofPair | rules.Repair,
		words: "lacks the storage engine ARCHIVE of tables of the master: voms.users|INSTALL SONAME 'ha_archive';|" +
			"ALTER TABLE `voms`.`users` ENGINE=InnoDB;",
		change: func(s *rules.Subject) {
			s.Slave.Engines = map[string]bool{"innodb": true}
			s.Master.Databases[0].OfEngine = map[string][]string{"archive": {"voms.users"}}
		},
	},
	{
		want: "warning default-engine slave", at: ofPair, words: "is InnoDB, and MyISAM on the master|=MyISAM",
		change: func(s *rules.Subject) {
			s.Master.Variables["default_storage_engine"] = "MyISAM"
			s.Slave.Variables["default_storage_engine"] = "InnoDB"
		},
	},
	{
		want: "problem view-broken master", at: rules.CheckServer | rules.SetupSlave,
		words: "not be copied: voms.v, voms.w; the server says: gone|DROP VIEW `voms`.`v`, `voms`.`w`; or|" +
			"ALTER VIEW `voms`.`v`",
		change: breakViews,
	},
	{want: "warning view-broken master", at: rules.SetupMaster, change: breakViews},
	{
		want: "problem view-broken master", at: rules.CheckPair, change: func(s *rules.Subject) {
			breakViews(s)
			s.Master.Grants = []string{"GRANT SELECT ON *.* TO `x`@`%`"}
		},
	},
	{
		want: "problem view-rights master", at: ofPair,
		words: "root@localhost may not open views, and so not copy them: voms.v; the server says: gone|" +
			"GRANT SELECT, SHOW VIEW, EXECUTE ON `voms`.* TO 'root'@'localhost';",
		change: func(s *rules.Subject) {
			s.Master.BrokenViews = []facts.BrokenView{{Database: "voms", Name: "v", Error: "gone", Denied: true}}
		},
	},
	{
		want: "problem view-rights master", at: rules.SetupSlave,
		change: func(s *rules.Subject) {
			s.Master.BrokenViews = []facts.BrokenView{
				{Database: "voms", Name: "v", Error: "Error 1370", Denied: true, ByRoutine: true},
			}
		},
	},
	{
		want: "problem view-rights master", at: rules.CheckPair, words: "not copy them: voms.w; the server says: gone",
		change: func(s *rules.Subject) { // of which the seeding account may call what the first calls
			s.Master.User = facts.MonitorUser + "@127.0.0.1"
			s.Master.BrokenViews = []facts.BrokenView{
				{Database: "voms", Name: "v", Error: "Error 1370", Denied: true, ByRoutine: true},
				{Database: "voms", Name: "w", Error: "gone", Denied: true},
			}
		},
	},
	{
		want: "warning seed-account-stays master", at: rules.SetupSlave,
		words: "account 'gtunnel_seed'@'127.0.0.1' stays|SET GLOBAL super_read_only=0; SET SESSION sql_log_bin=0; " +
			"DROP USER 'gtunnel_seed'@'127.0.0.1';|SET GLOBAL super_read_only=1;",
		change: func(s *rules.Subject) {
			s.Master.User, s.Master.Variables["super_read_only"] = facts.SeedUser+"@127.0.0.1", "ON"
		},
	},
	{
		want: "warning time-zone slave", at: ofPair, words: "is UTC, and CET on the master",
		change: func(s *rules.Subject) {
			s.Master.Variables["system_time_zone"] = "CET"
		},
	},
	{
		want: "warning time-zone slave", at: ofPair, words: "is +02:00, and UTC on the master",
		change: func(s *rules.Subject) {
			s.Slave.Variables["time_zone"] = "+02:00"
		},
	},
	{
		want: "problem shared-name slave", at: ofPair,
		words: "not replicated, whose changes can reach them: iam|--databases voms,iam",
		change: func(s *rules.Subject) {
			s.Master.Databases, s.Slave.Databases = append(s.Master.Databases, iam), []facts.Database{iam}
		},
	},
	{
		want: "warning shared-name slave", at: ofPair,
		words: "gtunnel_seed@127.0.0.1 does not see all databases|SHOW DATABASES",
		change: func(s *rules.Subject) {
			s.Master.User, s.Master.Grants, s.Slave.Databases = facts.SeedUser+"@127.0.0.1", nil, []facts.Database{iam}
		},
	},
	{
		want: "warning passes-filter master", at: ofPair, words: "CREATE DATABASE `iam`;|status says",
		change: func(s *rules.Subject) {
			s.Master.Databases = append(s.Master.Databases, facts.Database{Name: "iam", Routines: 1})
		},
	},
	{
		want: "warning passes-filter master", at: ofPair, words: "if it does, gtunnel replication status",
		change: func(s *rules.Subject) {
			s.Master.Databases = append(s.Master.Databases, facts.Database{Name: "iam", Routines: 1})
			s.Slave.Databases = []facts.Database{{Name: "iam"}}
		},
	},
	{
		want: "warning data-on-slave slave", at: rules.CheckPair, words: "voms with 3 tables of 2.0 kB|back it up",
		change: hasData,
	},
	{
		want: "problem data-on-slave slave", at: rules.SetupSlave,
		words:  "3 tables of 2.0 kB; views and sequences: 1|--replace-databases voms",
		change: hasData,
	},
}

var iam = facts.Database{Name: "iam", Tables: 3}

func hasData(s *rules.Subject) {
	s.Slave.Databases = []facts.Database{{Name: "voms", Tables: 3, Bytes: 2000, Others: 1}}
}

// wanted makes a case of a slave's setup.
func wanted(want, words string, change func(*rules.Subject)) ruleCase {
	return ruleCase{want: want, at: rules.SetupSlave, words: words, change: change}
}

// ofBoth makes a case of a slave's setup, and of the check before it.
func ofBoth(want, words string, change func(*rules.Subject)) ruleCase {
	return ruleCase{want: want, at: ofPair, words: words, change: change}
}

// setupCases are about the setup of a slave.
var setupCases = []ruleCase{
	ofBoth("problem other-server master", "server_id 9, not 1",
		func(s *rules.Subject) { s.Master.Variables["server_id"] = "9" }),
	ofBoth("problem unknown-database master", "voms was not set up there for replication; these were: iam",
		func(s *rules.Subject) {
			s.HandOver.Databases = []string{"iam"}
		}),
	ofBoth("problem unknown-database master", "no database voms any more|--reseed",
		func(s *rules.Subject) { s.Master.Databases = nil }),
	wanted("problem unknown-database slave", "names vomss, and there is no database vomss|is the name right",
		func(s *rules.Subject) { s.Replace = []string{"voms", "mysql", "vomss"} }),
	ofBoth("problem no-binary-log master", "setup-master there",
		func(s *rules.Subject) { s.Master.Variables["log_bin"] = "OFF" }),
	{
		want: "warning old-sessions master", at: rules.SetupMaster | rules.SetupSlave,
		words: "keep STATEMENT|other data: a@h",
		change: func(s *rules.Subject) {
			s.OldSessions = &facts.OldSessions{Before: 10, Started: time.Unix(1e9, 0), Format: "STATEMENT"}
			s.Master.Started = time.Unix(1e9+1, 0)
			s.Master.Sessions = []facts.Session{
				{ID: 8, User: "a", Host: "h"}, {ID: 9, User: "a", Host: "h"}, {ID: 10, User: "b", Host: "h"},
			}
		},
	},
	wanted("problem replaced-master slave", "replaced, or set up anew|--replace-databases voms", func(s *rules.Subject) {
		follows(s)
		s.Elsewhere = true
	}),
	wanted("problem replaced-master slave", "--reseed", func(s *rules.Subject) {
		follows(s).IORunning = "No"
		s.HandOver.Mark, s.State.MasterMark = "B", "A"
	}),
	wanted("problem replaced-master slave", "--seed-again", func(s *rules.Subject) {
		ofMySQL(s)
		follows(s).IORunning = "No"
		s.State.MasterUUID, s.Master.User = "B", facts.MonitorUser+"@127.0.0.1"
	}),
	wanted("problem other-databases slave", `it replicates iam.%, not voms.%|--replace-databases voms`,
		func(s *rules.Subject) {
			follows(s).WildDoTable = []string{"iam.%"}
		}),
	wanted("problem unknown-password master", "'db_rep'@'127.0.0.1' is not known here",
		func(s *rules.Subject) { s.HandOver.Password = false }),
	wanted("problem unknown-password master", "--new-passwords", func(s *rules.Subject) {
		s.HandOver.Password = false
		c := follows(s)
		c.IORunning, c.IOErrno = "Connecting", 1045
	}),
	wanted("problem purged slave",
		"--seed-again --databases voms, and its hand-over file here|gtunnel replication setup-slave --reseed "+
			"--replace-databases voms",
		func(s *rules.Subject) {
			c := follows(s)
			s.Master.User = facts.MonitorUser + "@127.0.0.1"
			c.IORunning, c.IOErrno, c.IOError = "No", 1236,
				"Got fatal error 1236: 'Could not find GTID state requested by slave in any binlog files'"
		}),
	wanted("problem purged slave", "it was purged, or reset|--reseed", func(s *rules.Subject) {
		c := follows(s)
		c.IORunning, c.SQLRunning, s.Gone = "No", "No", true
	}),
	wanted("problem broken slave", "has stopped: Table 'd.t' doesn't exist|--repair-table d.t", func(s *rules.Subject) {
		c := follows(s)
		c.SQLRunning, c.SQLErrno, c.SQLError = "No", 1146, "Table 'd.t' doesn't exist"
	}),
	wanted("problem broken slave", "never seen to be equal. Or: ", func(s *rules.Subject) {
		follows(s).SQLRunning, s.Connection().SQLErrno = "No", 1062
		s.State.Stage = journal.StageRunning
	}),
	ofBoth("problem no-room slave", "needs about 1.1 GB in /var/lib/mysql/, where 1.0 kB are free|make room",
		func(s *rules.Subject) { free(s, 1000) }),
	ofBoth("warning little-room slave", "less than a fifth", func(s *rules.Subject) { free(s, 1<<30+1000) }),
	wanted("problem no-seed-account master", "'gtunnel_seed'@'127.0.0.1'|--seed-again", func(s *rules.Subject) {
		s.Master.User = facts.MonitorUser + "@127.0.0.1"
	}),
	ofBoth("problem own-gtids slave", "and it has x:1-5|RESET MASTER", func(s *rules.Subject) {
		ofMySQL(s)
		for _, f := range []*facts.Facts{s.Master, s.Slave} {
			f.Version = server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 44}
			f.Variables["gtid_mode"] = "ON"
		}
		s.Slave.Variables["gtid_executed"] = "x:1-5"
	}),
	{
		want: "problem gtids-ahead slave", at: rules.Begin, words: "does not have any more",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Ahead = s.Master.UUID() + ":7-9"
		},
	},
	{
		want: "problem gtid-order slave", at: rules.Begin, words: "later GTIDs (0-2-9) than the master's (0-1-7)",
		change: func(s *rules.Subject) {
			s.Slave.Variables["gtid_strict_mode"], s.Own, s.Written = "ON", "0-2-9", "0-1-7"
		},
	},
	wanted("problem other-start slave", "does not begin at bin.000007:4", func(s *rules.Subject) {
		follows(s)
		s.Method, s.Start = journal.SeedNone, server.Position{File: "bin.000007", Offset: 4}
	}),
	wanted("problem foreign-file slave", "/etc/x exists", func(s *rules.Subject) { s.ForeignFile = "/etc/x" }),
}

// free gives the slave's disk so much room.
func free(s *rules.Subject, bytes uint64) { s.Slave.Free = &bytes }

// breakViews has the master lose what views use, of another database too.
func breakViews(s *rules.Subject) {
	s.Master.BrokenViews = []facts.BrokenView{
		{Database: "iam", Name: "other", Error: "gone"},
		{Database: "voms", Name: "v", Error: "gone"},
		{Database: "voms", Name: "w", Error: "gone too"},
	}
}
