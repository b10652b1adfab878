package rules_test

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

const (
	ofSlave      = rules.CheckServer | rules.SetupSlave
	ofMasterHere = ofMaster | rules.StatusMaster
	logLooked    = ofPair | ofMasterHere | rules.Status
	ofMaster     = rules.CheckServer | rules.SetupMaster
)

// serverCases are about either server, and about a slave that is to be set up.
var serverCases = []ruleCase{
	{
		want: "problem too-old slave", at: rules.CheckServer, words: "MariaDB 5.5.68 is too old|update it",
		change: func(s *rules.Subject) {
			s.Slave.Version = server.Version{Family: server.MariaDB, Major: 5, Minor: 5, Patch: 68}
		},
	},
	{
		want: "problem too-old slave", at: rules.SetupSlave, also: "problem older-slave slave|warning not-crash-safe slave",
		change: func(s *rules.Subject) {
			s.Slave.Version = server.Version{Family: server.MariaDB, Major: 5, Minor: 5, Patch: 68}
		},
	},
	{want: "problem too-old master", at: ofMaster, words: "MySQL 5.6.51", change: func(s *rules.Subject) {
		s.Master.Version = server.Version{Family: server.MySQL, Major: 5, Minor: 6, Patch: 51}
	}},
	{
		want: "problem cluster slave", at: ofSlave, words: "(Galera)",
		change: func(s *rules.Subject) { s.Slave.Cluster = "Galera" },
	},
	{
		want: "problem cluster master", at: ofMaster, words: "(Galera)",
		change: func(s *rules.Subject) { s.Master.Cluster = "Galera" },
	},
	{
		want: "problem privileges slave", at: ofSlave, words: "lacks privileges: CREATE, DROP|as root",
		change: func(s *rules.Subject) {
			s.Slave.Grants = []string{"GRANT SELECT ON *.* TO `x`@`%`"}
		},
	},
	{
		want: "problem privileges master", at: ofMaster, words: "lacks privileges: CREATE USER",
		change: func(s *rules.Subject) {
			s.Master.Grants = []string{"GRANT RELOAD ON *.* TO `x`@`%`"}
		},
	},
	{
		want: "warning general-log slave", at: ofSlave, words: "passwords of the replication, in q.log",
		change: func(s *rules.Subject) {
			logAll(s.Slave, "CREATE, DROP, INSERT, CREATE VIEW, CREATE ROUTINE, TRIGGER, EVENT, "+
				"REPLICATION SLAVE ADMIN, READ_ONLY ADMIN")
		},
	},
	{want: "warning general-log master", at: ofMaster, words: "general_log=0", change: func(s *rules.Subject) {
		logAll(s.Master, "CREATE USER, RELOAD, BINLOG ADMIN, BINLOG MONITOR")
	}},
	{
		want: "problem other-master slave", at: ofSlave, words: "10.0.0.7:3306 as x|RESET SLAVE ALL",
		change: func(s *rules.Subject) {
			s.Slave.Masters = []*server.SlaveStatus{{MasterHost: "10.0.0.7", MasterPort: 3306, MasterUser: "x"}}
		},
	},
	{
		want: "problem other-channel slave", at: rules.Status, words: "it also follows 10.0.0.7:3306 by c",
		change: func(s *rules.Subject) {
			s.Slave.Masters = append(s.Slave.Masters,
				&server.SlaveStatus{Channel: "c", MasterHost: "10.0.0.7", MasterPort: 3306})
		},
	},
	{
		want: "warning other-channel slave", at: rules.Status, words: "by the channel c|left alone",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Slave.Masters = append(s.Slave.Masters,
				&server.SlaveStatus{Channel: "c", MasterHost: "10.0.0.7", MasterPort: 3306})
		},
	},
	{
		want: "problem other-channel slave", at: ofSlave, words: "it also follows 10.0.0.7:3306 by c|another server",
		change: func(s *rules.Subject) {
			s.Slave.Masters = []*server.SlaveStatus{{Channel: "c", MasterHost: "10.0.0.7", MasterPort: 3306}}
		},
	},
	{
		want: "warning other-channel slave", at: ofSlave, words: "by the channel c|left alone",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			s.Slave.Masters = []*server.SlaveStatus{{Channel: "c", MasterHost: "10.0.0.7", MasterPort: 3306}}
		},
	},
	{
		want: "problem skips-errors slave", at: ofSlave | rules.Status,
		words: "slave_exec_mode is IDEMPOTENT|slave_exec_mode=STRICT|compare",
		change: func(s *rules.Subject) {
			s.Slave.Variables["slave_exec_mode"] = "IDEMPOTENT"
		},
	},
	{
		want: "problem skips-errors slave", at: ofSlave | rules.Status,
		words: "replica_skip_errors is 1062|remove replica_skip_errors",
		change: func(s *rules.Subject) {
			s.Slave.Variables["replica_exec_mode"], s.Slave.Variables["replica_skip_errors"] = "STRICT", "1062"
		},
	},
	{
		want: "warning writers slave", at: ofSlave | rules.Status, words: "in spite of read_only: admin@%",
		change: func(s *rules.Subject) {
			s.Slave.Writers = []string{"root@localhost", "admin@%"}
		},
	},
	{
		want: "warning log-slave-updates slave", at: ofSlave | rules.Status, words: "after a failover",
		change: func(s *rules.Subject) { s.Slave.Variables["log_slave_updates"] = "OFF" },
	},
	{
		want: "warning no-binary-log slave", at: ofSlave | rules.Status, words: "writes no binary log",
		change: func(s *rules.Subject) { s.Slave.Variables["log_bin"] = "OFF" },
	},
}

// logAll makes a server log every statement, and a login without SUPER.
func logAll(f *facts.Facts, privileges string) {
	f.Variables["general_log"], f.Variables["general_log_file"] = "ON", "q.log"
	f.Grants = []string{"GRANT " + privileges + " ON *.* TO `x`@`%`"}
}

// masterCases are about a master that is to be set up.
var masterCases = []ruleCase{
	{
		want: "problem read-only master", at: ofMasterHere, words: "it was a slave|read_only=0",
		change: func(s *rules.Subject) {
			s.Master.Variables["super_read_only"] = "ON"
		},
	},
	{
		want: "problem no-databases master", at: ofMaster, words: "--databases DB_1,DB_2; there are: voms",
		change: func(s *rules.Subject) {
			s.Databases = nil
		},
	},
	{
		want: "problem system-database master", at: ofMaster, words: "MYSQL is a database of the server's own",
		change: func(s *rules.Subject) {
			s.Databases = []string{"MYSQL"}
		},
	},
	{
		want: "problem unknown-database master", at: ofMaster, words: "no database iam|there are: voms",
		change: func(s *rules.Subject) {
			s.Databases = []string{"iam"}
		},
	},
	{
		want: "problem unknown-database master", at: ofMaster, words: "no database iam|there are none: is this the master",
		change: func(s *rules.Subject) {
			s.Databases, s.Master.Databases = []string{"iam"}, nil
		},
	},
	{
		want: "warning dotted-name master", at: ofMaster,
		words: `tables of vo whose names begin with "x."|or rename it`,
		change: func(s *rules.Subject) {
			s.Databases, s.Master.Databases = []string{"vo.x"}, []facts.Database{{Name: "vo"}, {Name: "vo.x"}}
		},
	},
	{
		want: "warning locked-tables master", at: rules.CheckServer,
		words: "voms has tables without transactions|--lock-tables",
		change: func(s *rules.Subject) {
			s.Master.Databases[0].Locked = []string{"voms.t"}
		},
	},
	{
		want: "problem secure-transport master", at: ofMasterHere, words: "require_secure_transport=OFF",
		change: func(s *rules.Subject) {
			s.Master.Variables["require_secure_transport"] = "ON"
		},
	},
	{want: "problem bind-address master", at: ofMasterHere, words: "listens at 192.0.2.1", change: func(s *rules.Subject) {
		s.Master.Variables["bind_address"] = "192.0.2.1"
	}},
	{
		want: "problem account-shadowed master", at: ofMasterHere, words: "'gtunnel_seed'@'localhost'|skip_name_resolve",
		change: func(s *rules.Subject) {
			s.Master.Accounts = []facts.Account{{User: facts.SeedUser, Host: "localhost"}}
		},
	},
	{want: "problem no-tcp master", at: ofMasterHere, words: "skip-networking", change: func(s *rules.Subject) {
		s.Master.Variables["port"] = "0"
	}},
	{
		want: "warning restart master", at: rules.CheckServer, words: "log_bin is off|setup-master",
		change: func(s *rules.Subject) {
			s.Master.Variables["log_bin"] = "OFF"
		},
	},
	{
		want: "problem binlog-filter master", at: logLooked, words: "binlog-do-db keeps voms out",
		change: func(s *rules.Subject) {
			s.Master.BinlogDo = []string{"iam"}
		},
	},
	{
		want: "problem binlog-filter master", at: logLooked, words: "binlog-ignore-db keeps voms out",
		change: func(s *rules.Subject) {
			s.Master.BinlogNot = []string{"voms"}
		},
	},
	{
		want: "warning binlog-filter master", at: logLooked, words: "binlog-do-db loses statements",
		change: func(s *rules.Subject) {
			s.Master.BinlogDo = []string{"voms"}
		},
	},
	{
		want: "problem is-slave master", at: ofMaster | rules.SetupSlave,
		words: "does not log what comes from there|log_slave_updates=ON",
		change: func(s *rules.Subject) {
			s.Master.Masters = []*server.SlaveStatus{{IORunning: "Yes", SQLRunning: "Yes"}}
			s.Master.Variables["log_slave_updates"] = "OFF"
		},
	},
	{
		want: "warning is-slave master", at: ofMaster, words: "it is itself the slave of a:1",
		change: func(s *rules.Subject) {
			s.Master.Masters = []*server.SlaveStatus{{MasterHost: "a", MasterPort: 1, IORunning: "Yes", SQLRunning: "Yes"}}
		},
	},
	{
		want: "warning is-slave master", at: ofMaster, words: "it was the slave of a:1|RESET SLAVE ALL",
		change: func(s *rules.Subject) {
			s.Master.Masters = []*server.SlaveStatus{{MasterHost: "a", MasterPort: 1, IORunning: "No", SQLRunning: "No"}}
		},
	},
	{want: "problem no-binary-log master", at: rules.StatusMaster, words: "is off", change: func(s *rules.Subject) {
		s.Master.Variables["log_bin"] = "OFF"
	}},
	{
		want: "warning no-follower master", at: rules.StatusMaster, words: "no slave is connected",
		change: func(s *rules.Subject) { s.Master.Followers = nil },
	},
	{
		want: "warning durability master", at: ofMaster | rules.SetupSlave, words: "sync_binlog=1",
		change: func(s *rules.Subject) { s.Master.Variables["sync_binlog"] = "0" },
	},
}
