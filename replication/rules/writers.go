package rules

import (
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// writerRules are about who can write on a slave, and who cannot on a master.
var writerRules = []Rule{
	{
		Code: "writable", On: finding.Slave, Needs: Connection, Warning: CheckServer | Status, // a setup makes it read-only
		judge:   isWritable,
		Meaning: "the slave is not read-only, or not for all: whoever writes there breaks it",
		Cure:    "SET GLOBAL read_only=1 (super_read_only=1); gtunnel replication setup-slave makes it last",
	},
	{
		Code: "writable-slave", On: finding.Slave, Needs: Connection, Problem: Status, judge: isWritableSlave,
		Meaning: "the slave, which was made read-only by its setup, can be written to: whoever writes there breaks it",
		Cure:    "SET GLOBAL read_only=1 (super_read_only=1)",
	},
	{
		Code: "writers", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: hasWriters,
		Meaning: "accounts can write on the slave in spite of read_only",
		Cure: "take READ ONLY ADMIN (before MariaDB 10.11 also SUPER, ALL PRIVILEGES) " +
			"from those that need it not",
	},
	{
		Code: "read-only-not-kept", On: finding.Slave, Warning: CheckServer | Status, judge: losesReadOnly,
		Meaning: "a restart of the server would make the slave writable",
		Cure:    "gtunnel replication setup-slave writes it to an option file of the server",
	},
	{
		Code: "read-only", On: finding.Master, Problem: CheckServer | SetupMaster | StatusMaster, judge: isReadOnlyForAll,
		Meaning: "the server is read-only, as a slave is, and cannot be a master",
		Cure:    "if it shall be the master: SET GLOBAL read_only=0, and in its option files",
	},
	{
		Code: "read-only", On: finding.Master, Warning: CheckServer | SetupMaster, judge: isReadOnly,
		Cure: "if it shall be the master: SET GLOBAL read_only=0; what gtunnel's option file says of it, " +
			"gtunnel replication setup-master takes out",
	},
	{
		// setup-master takes them out.
		Code: "slave-settings", On: finding.Master, Warning: CheckServer, judge: keepsSlaveSettings,
		Meaning: "a server that is nobody's slave any more would be read-only, or filter, after its next restart",
		Cure:    "gtunnel replication setup-master takes that out of gtunnel's option file",
	},
}

// hasSuperReadOnly reports whether a server can be read-only for all, which
// MariaDB cannot.
func hasSuperReadOnly(f *facts.Facts) bool {
	_, ok := f.Variables["super_read_only"]
	return ok
}

func isWritable(j *judgement) {
	if !j.judgesThreads() || j.writableSaid() { // it is no slave of ours yet
		return
	}
	const last = "; gtunnel replication setup-slave makes it last"
	switch f := j.facts; {
	case !f.On("read_only"):
		j.sayCure("SET GLOBAL read_only=1"+last, "it is not read-only: whoever writes on a slave breaks it")
	case hasSuperReadOnly(f) && !f.On("super_read_only"):
		j.sayCure("SET GLOBAL super_read_only=1"+last,
			"accounts with SUPER or CONNECTION_ADMIN can write: %s", finding.Items(f.Writers))
	}
}

// writableSaid reports whether a problem says that the slave can be written to.
func (s *Subject) writableSaid() bool {
	return s.Moment == Status && s.Slave.Variable("read_only") == "OFF" && (s.isWritableSlave() || s.Seen.Pair != nil)
}

// isWritableSlave is about a slave of no pair. Of a pair it is said otherwise.
func isWritableSlave(j *judgement) {
	if j.Seen.Pair == nil && j.isWritableSlave() {
		set := "SET GLOBAL read_only=1"
		if hasSuperReadOnly(j.Slave) {
			set = "SET GLOBAL super_read_only=1"
		}
		j.sayCure(set+"; gtunnel replication compare tells whether somebody has written there",
			"it is not read-only any more: whoever writes on a slave breaks it")
	}
}

// hasWriters names those that are not the server's own administrators. While a
// slave at work is not read-only at all, the rule writable says more.
func hasWriters(j *judgement) {
	writable := j.Moment == Status || j.Moment == CheckServer && j.Established()
	if hasSuperReadOnly(j.facts) || j.facts.ReadOnlyForAll() || writable && !j.facts.On("read_only") {
		return
	}
	if others := slices.DeleteFunc(slices.Clone(j.facts.Writers), isAdministrator); len(others) > 0 {
		j.say("accounts can write in spite of read_only: %s", finding.Items(others))
	}
}

// isAdministrator reports whether an account is one of those of the server's own
// host that its packages make.
func isAdministrator(account string) bool {
	return slices.Contains([]string{
		"root@localhost", "mysql@localhost", "mariadb.sys@localhost",
		"debian-sys-maint@localhost",
	}, account)
}

func losesReadOnly(j *judgement) {
	for _, name := range j.facts.Transient {
		if name == "read_only" || name == "super_read_only" {
			j.say("a restart of the server loses %s=1", name)
		}
	}
}

func isReadOnlyForAll(j *judgement) {
	const words = "it is read-only, so that no account can be made there, nor can anybody write: "
	switch f := j.facts; {
	case !f.ReadOnlyForAll():
	case j.Pair != nil, j.Seen.Pair != nil: // as one of a pair is from its start on, whatever its role
	case f.FollowsNobody():
		j.say(words + "it was a slave")
	default:
		begin, end := f.LetAdministratorsWrite()
		j.sayCure(fmt.Sprintf("if it shall be a master and go on as a slave: %s for the setup, and %s after it; "+
			"if it shall be the master alone: make it nobody's slave, and SET GLOBAL read_only=0", begin, end),
			words+"it is a slave")
	}
}

func isReadOnly(j *judgement) {
	if f := j.facts; f.On("read_only") && !f.ReadOnlyForAll() && f.FollowsNobody() && j.Pair == nil {
		j.say("it is read-only, though nobody's slave: only administrators can write")
	}
}

// SlaveSettings are the settings that a setup gives a slave, and that are wrong on a
// server which is nobody's slave.
var SlaveSettings = []string{"read_only", "super_read_only", "replicate_wild_do_table"}

func keepsSlaveSettings(j *judgement) {
	f := j.facts
	if !f.FollowsNobody() {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(SlaveSettings), func(name string) bool {
		return !f.DropIn.Has(name) && !f.IsPersistedOtherwise(name, "OFF")
	})
	if len(kept) > 0 {
		j.say("it is nobody's slave, and its next restart brings settings of one: %s", finding.Items(kept))
	}
}
