package main

import "testing"

// reseed is a cure for both hosts.
const reseed = "on the master: gtunnel replication setup-master --seed-again, and its hand-over file here again; " +
	"then here: gtunnel replication setup-slave"

// curesInCommands are cures as a command says them that was run with some flags.
var curesInCommands = []struct {
	args       []string
	cure, want string
}{
	{
		[]string{"setup-slave", "--socket", "/run/second one.sock", "--databases=voms", "--master-user", "boss", "--yes"},
		reseed + " --reseed --replace-databases voms",
		reseed + " --reseed --replace-databases voms --socket '/run/second one.sock' --master-user boss --databases=voms",
	},
	{
		[]string{"status", "--defaults-file", "/root/b.cnf", "--master-user", "watch"},
		"gtunnel replication setup-slave; gtunnel replication compare --repair-table d.t copies it anew",
		"gtunnel replication setup-slave --defaults-file /root/b.cnf; " +
			"gtunnel replication compare --repair-table d.t --defaults-file /root/b.cnf --master-user watch copies it anew",
	},
	{
		[]string{"setup-master", "--socket", "/s", "--databases", "voms"},
		"gtunnel replication setup-master --new-passwords; there: gtunnel replication setup-slave",
		"gtunnel replication setup-master --new-passwords --socket /s --databases voms; " +
			"there: gtunnel replication setup-slave",
	},
	{
		[]string{"compare", "--socket", "/s"},
		"gtunnel replication compare --repair-table copies one table anew",
		"gtunnel replication compare --socket /s --repair-table copies one table anew",
	},
	{[]string{"check", "--role", "master", "--socket", "/s"}, reseed, "on the master: gtunnel replication setup-master " +
		"--seed-again --socket /s, and its hand-over file here again; then here: gtunnel replication setup-slave"},
	{
		[]string{"setup-slave", "--master", "127.0.0.1:3310", "--monitor-file", "/m.cnf"},
		"gtunnel replication status",
		"gtunnel replication status --master 127.0.0.1:3310 --master-defaults-file /m.cnf",
	},
	{
		[]string{"setup-slave", "--socket", "/s", "--monitor-file=/m.cnf", "--reseed"},
		"afterwards, on each of them: gtunnel replication setup-slave --reseed",
		"afterwards, on each of them: gtunnel replication setup-slave --reseed",
	},
	{
		[]string{"compare", "--unsafe-plaintext", "--databases", "a"},
		"gtunnel replication status says why",
		"gtunnel replication status --unsafe-plaintext says why",
	},
	{
		[]string{"check", "--socket", "/run/second one.sock", "--defaults-file", "/root/$1.cnf", "--user=boss"},
		"on the slave: mariadb < /d/a.sql; then: mysql < /d/b.sql",
		"on the slave: mariadb --defaults-file='/root/$1.cnf' --socket='/run/second one.sock' --user=boss < /d/a.sql; " +
			"then: mysql --defaults-file='/root/$1.cnf' --socket='/run/second one.sock' --user=boss < /d/b.sql",
	},
	{
		[]string{"setup-slave", "--port", "3308", "--user", "boss", "--password-file", "/p"},
		"mariadb < /d/a.sql", "mariadb --port=3308 --user=boss --host=127.0.0.1 -p < /d/a.sql",
	},
	{
		[]string{"status", "--config", "/c", "--socket", "/s", "--master-defaults-file", "/m.cnf", "--state-dir", "/d"},
		"gtunnel replication guard --i-am-master; gtunnel replication rejoin --give-up one; on two.x: gtunnel replication " +
			"guard --stand-by; then gtunnel replication rejoin there; gtunnel replication switchover on two.x",
		"gtunnel replication guard --i-am-master --socket /s --state-dir /d --config /c --monitor-file /m.cnf; gtunnel " +
			"replication rejoin --give-up one --socket /s --state-dir /d --config /c --monitor-file /m.cnf; on two.x: gtunnel " +
			"replication guard --stand-by; then gtunnel replication rejoin there; gtunnel replication switchover on two.x",
	},
	{
		[]string{"promote", "--yes", "--socket", "/s"},
		"switch one off; then: gtunnel replication promote --fenced one --lose-at-most 7s",
		"switch one off; then: gtunnel replication promote --fenced one --lose-at-most 7s --socket /s --yes",
	},
	{ // where nobody can be asked, the cure has it
		[]string{"promote", "--yes", "--socket", "/s"},
		"gtunnel replication promote --lose-at-most any --yes; or bring one back",
		"gtunnel replication promote --lose-at-most any --yes --socket /s; or bring one back",
	},
	{[]string{"setup-slave", "--databases", "voms"}, "mariadb < /d/a.sql", "mariadb < /d/a.sql"},
	{
		[]string{"status", "--config", "/c", "--socket", "/s", "--master-defaults-file", "/m.cnf"},
		"gtunnel replication follow, which finds the master",
		"gtunnel replication follow --socket /s --config /c --monitor-file /m.cnf, which finds the master",
	},
	{
		[]string{"promote", "--socket", "/s"},
		"on each of them: gtunnel replication follow",
		"on each of them: gtunnel replication follow",
	},
}

// TestInCommands: what a cure says to run on this host has the flags of this command,
// and what is for the other host has not.
func TestInCommands(t *testing.T) {
	for _, c := range curesInCommands {
		m := &Main{Args: append([]string{"replication"}, c.args...)}
		cmd, rest, err := m.rootCommand().Find(m.Args)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Fatal(err)
		}
		m.command = cmd
		if got := m.inCommands(c.cure); got != c.want {
			t.Errorf("%q:\n%s, want\n%s", c.args, got, c.want)
		}
	}
}
