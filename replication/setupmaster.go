package replication

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// MasterWant is what a master should become.
type MasterWant struct {
	Databases []string
	DropIn    *optionfile.DropIn // as it is; nil: no directory for it is known

	HandOver     *HandOver // of an earlier run; nil if there is none
	HandOverPath string    // where it goes; empty: it is kept in memory, see Plan.HandOver
	Host         string    // the master's name, for the hand-over
	Fresh        Fresh     // for what is made anew

	// LogStatements makes it log statements, not rows: what MySQL 9 can follow
	// MariaDB by.
	LogStatements bool

	TrustCreators bool // let accounts without SUPER create functions and triggers

	// Slaves is how many slaves it is to have, all made by one hand-over; zero: as an earlier
	// hand-over says.
	Slaves int

	NewPasswords bool // replace passwords that are not known
	SeedAgain    bool // make the seeding account though it has been used and dropped
	KeepAccounts bool // leave the passwords of those that exist as they are, though they are not known

	Refused []string // of HandOver.Refused: accounts whose password in the file was wrong
	Untried []string // of HandOver.Tried: accounts whose password in the file is believed for now

	Pair *PairWant // what makes it one of a pair; nil: it is of none
}

// PlanMaster plans what makes a server the master of databases. It is a function of
// its arguments alone, which it leaves as they are: it asks nobody, reads no file, and
// takes the time and what is random from want.
func PlanMaster(f *facts.Facts, want MasterWant) *Plan {
	p := &Plan{Findings: rules.Judge(&rules.Subject{
		Moment: rules.SetupMaster, Master: f, Databases: want.Databases, OldSessions: f.ChangesFormat(want.LogStatements),
		TrustCreators: want.TrustCreators, Pair: want.Pair.subject(),
	})}
	if len(p.Problems) > 0 {
		return p
	}
	settings := masterSettings(f, want.LogStatements, want.TrustCreators)
	if want.Pair == nil {
		settings = slices.Concat(settings, leavingsOfSlave(f))
	} else {
		settings = mergeSettings(settings, pairSettings(f, want.Databases, f.GTIDs() || want.Pair.gtidGoal(f) != ""))
	}
	dropIn := settingSteps(p, f, want.DropIn, settings)
	restartStep(p, f, settings)
	want.HandOver = want.HandOver.without(want.Refused)
	planAccounts(p, f, want)
	if want.Pair != nil && len(p.Problems) == 0 {
		planPairMaster(p, f, want, dropIn)
	}
	if len(want.Untried) > 0 {
		p.Warn(finding.Master, "passwords-untried", "",
			"the passwords of %s in the hand-over file are not tried by a dry run, as the server would count and log "+
				"what it refuses; if one is wrong, the run does more than this plan, or refuses", finding.Items(want.Untried))
	}
	return p
}

// planPairMaster adds what makes the master one of a pair.
func planPairMaster(p *Plan, f *facts.Facts, want MasterWant, dropIn *optionfile.DropIn) {
	pair := want.Pair
	for _, user := range []string{facts.ReplicationUser, facts.MonitorUser} {
		_, handedOver := p.HandOver.Passwords[user]
		if _, known := pair.Known[user]; !known && !handedOver {
			p.Problem(finding.Master, "unknown-password",
				"give the hand-over file of the earlier run with --hand-over; or have new passwords made with --new-passwords, "+
					"and set the slave up again with the new hand-over file",
				"the password of %s is not known here, and both hosts of a pair need it",
				server.QuoteAccount(user, server.Loopback))
			return
		}
	}
	goal := pair.gtidGoal(f)
	if pair.GTIDs && goal == "" && !f.GTIDs() {
		p.Warn(finding.Master, "gtids-later", "on "+pair.Peer+": gtunnel replication setup-slave --turn-gtids-on; "+
			"and then this again",
			"a slave follows this master that is not known to take GTIDs yet: they stay off until it does")
	}
	dropIn = gtidSteps(p, f, dropIn, goal)
	pair.tableSteps(p, f, false, false)
	pair.fileSteps(p, finding.Master, p.HandOver.Passwords, "")
	pair.noteStep(p, finding.Master, want.Databases)
	readOnlyAtStart(p, f, dropIn)
}

// restartCommand is how a server's service is restarted.
func restartCommand(v server.Version) string {
	if v.Family == server.MariaDB {
		return "systemctl restart mariadb"
	}
	return "systemctl restart mysql (mysqld on Red Hat's systems)"
}

// newHandOver is what is handed over, so far as it is known before the accounts are
// planned.
func newHandOver(f *facts.Facts, want MasterWant) *HandOver {
	replicates := f.Account(facts.ReplicationUser, server.Loopback) != nil
	next := &HandOver{
		Made: want.Fresh.Now, Host: want.Host, Version: f.Version, ServerID: max(f.ServerID(), 1), UUID: f.UUID(),
		Mark:      f.Mark,
		Databases: slices.Clone(want.Databases), Passwords: map[string]server.Password{}, Slaves: want.Slaves,
	}
	if old := want.HandOver; old != nil {
		if next.Slaves == 0 {
			next.Slaves = old.Slaves
		}
		next.Made, next.OldSessions = old.Made, old.OldSessions
		maps.Copy(next.Passwords, old.Passwords)
		if replicates && next.Mark == "" { // the run before was cut off; else the file is of another server
			next.Mark = old.Mark
		}
	}
	if f.UUID() == "" && next.Mark == "" && !replicates { // slaves may know another one, which is lost
		next.Mark = want.Fresh.Mark
	}
	if want.Pair != nil {
		for user, password := range want.Pair.Known {
			if _, known := next.Passwords[user]; !known && !slices.Contains(want.Refused, user) {
				next.Passwords[user] = password
			}
		}
	}
	if old := f.ChangesFormat(want.LogStatements); old != nil {
		next.OldSessions = old
	}
	return next
}

// planAccounts adds the accounts that are missing, and the hand-over of their
// passwords.
func planAccounts(p *Plan, f *facts.Facts, want MasterWant) {
	a := &accountsPlan{
		Plan: p, facts: f, want: want, next: newHandOver(f, want),
		grants: accountGrants{databases: f.Patterns(want.Databases), pair: want.Pair != nil},
	}
	for _, user := range facts.AccountUsers {
		a.planAccount(user)
	}
	p.HandOver = a.next
	var logins []*Step
	if len(a.logins) > 0 {
		logins = []*Step{{
			Name: "logins", On: finding.Master, What: "log in by these accounts, as the slave will",
			Why: "what keeps one out is better known before the copy than after it", Action: tryLogins{logins: a.logins},
		}}
	}
	written := handOverEqual(want.HandOver, a.next) ||
		want.HandOver == nil && want.Pair.knows() && len(a.steps) == 0 // it has been removed, as it should be
	if want.HandOverPath == "" || len(a.next.Passwords) == 0 || written || len(p.Problems) > 0 {
		p.Steps = slices.Concat(p.Steps, a.steps, logins)
		return
	}
	write := &Step{
		Name: "hand-over", On: finding.Master, What: "write the hand-over file for the slave",
		Why:  "setup-slave needs the passwords and the names of the databases",
		File: &File{Path: want.HandOverPath, Mode: 0o600, Content: a.next.statement()}, UndoByHand: "remove the file",
	}
	// The file comes first, so that no password is lost if the work is cut off;
	// but not if it would then tell one that an account does not have yet.
	if a.changed {
		p.Steps = slices.Concat(p.Steps, a.steps, []*Step{write}, logins)
		return
	}
	p.Steps = slices.Concat(p.Steps, []*Step{write}, a.steps, logins)
}

// accountsPlan plans the accounts of a master.
type accountsPlan struct {
	*Plan

	facts   *facts.Facts
	want    MasterWant
	next    *HandOver
	grants  accountGrants
	steps   []*Step        // one for each account that is made or completed
	logins  []server.Login // of these, whose passwords are known; without an address
	changed bool           // the password of an account that exists changes
}

// planAccount adds the step that makes or completes an account, if it needs one.
func (a *accountsPlan) planAccount(user string) {
	f, want, next := a.facts, a.want, a.next
	account := f.Account(user, server.Loopback)
	exists := account != nil
	bound, expired := exists && account.Bound, exists && account.Expired
	_, known := next.Passwords[user]
	keeps := exists && !expired && (known || want.KeepAccounts) // the password that it has
	replicates := f.Account(facts.ReplicationUser, server.Loopback) != nil
	switch {
	case user == facts.SeedUser && !exists && replicates && f.SeedMade && !want.SeedAgain && !want.NewPasswords:
		return // it has done its work
	case keeps && !bound && a.grants.has(f.Version, user, f.OurGrants[user]):
		return
	case keeps:
	case exists && !known && !want.NewPasswords && (user == facts.ReplicationUser || want.KeepAccounts):
		a.lacksPassword(user, expired, want)
		return
	case !known || want.NewPasswords && !exists:
		next.Passwords[user] = want.Fresh.password(user)
	}
	if a.changed = a.changed || exists && !keeps; exists && !keeps && user == facts.ReplicationUser && len(f.Slaves) > 0 {
		p := a.Plan
		p.Warn(finding.Master, "slaves-need-hand-over", "the new hand-over file to each of them, and there: "+
			"gtunnel replication setup-slave", "the slaves of this master log in by the password that is replaced: those that "+
			"are connected have the server ids %s; others may be away", finding.Items(serverIDs(f.Slaves)))
	}
	password, known := next.Passwords[user]
	if known {
		a.logins = append(a.logins, server.Login{Network: "tcp", User: user, Password: password})
	}
	var first *server.Password
	if !exists {
		first = &password
	}
	statements := accountStatements(f.Version, user, first, a.grants, next.Mark)
	if exists && !keeps {
		statements = append(statements, f.Version.SetPassword(user, server.Loopback, password))
	}
	if bound {
		statements = append(statements, f.Version.FreeAccount(user, server.Loopback))
	}
	if want.Pair != nil { // which may be read-only after a restart
		statements = whileWritable(f, false, statements)
	}
	a.steps = append(a.steps, accountStep(f, user, statements))
}

// serverIDs are ids as texts.
func serverIDs(ids []uint32) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatUint(uint64(id), 10)
	}
	return texts
}

// lacksPassword adds the problem of an account whose password must not be changed,
// and is not known.
func (p *Plan) lacksPassword(user string, expired bool, want MasterWant) {
	account := server.QuoteAccount(user, server.Loopback)
	if expired && want.KeepAccounts {
		p.Problem(finding.Master, "password-expired",
			"on the master: ALTER USER "+account+
				" PASSWORD EXPIRE NEVER, and IDENTIFIED BY the password that the slaves use; or --new-passwords",
			"the password of %s has expired, and is not known here", account)
		return
	}
	cure := "give the hand-over file of the earlier run with --hand-over; " +
		"or leave the passwords alone with --keep-passwords"
	if want.HandOverPath == "" {
		cure = finding.WithNames("take the master's hand-over file instead of an administrator's login "+
			"(gtunnel replication setup-master --seed-again --databases "+finding.Names+" there)", want.Databases)
	}
	why := "its password is not known here"
	if slices.Contains(want.Refused, user) {
		why = "the server refuses the password that the hand-over file has for it"
	}
	p.Problem(finding.Master, "unknown-password",
		cure+"; or have new passwords made with --new-passwords: a slave that uses the old ones must be set up again",
		"the account %s exists, and %s", account, why)
}

// accountStep is the step that makes an account, or completes it.
func accountStep(f *facts.Facts, user string, statements []server.Statement) *Step {
	account, exists := server.QuoteAccount(user, server.Loopback), f.Account(user, server.Loopback)
	why := map[string]string{
		facts.ReplicationUser: "the slave replicates by it",
		facts.MonitorUser:     "the slave asks by it where the master stands, and compares the data",
		facts.SeedUser:        "the slave copies the databases by it, and drops it when the copy is done",
	}[user]
	what, undo := "make the account "+account, dropAccount(f, user)
	if exists != nil {
		what, undo = "complete the account "+account, nil
		if exists.Bound {
			what += ", which is locked, limited, bound to TLS, or has a password that expires"
		}
	}
	return &Step{
		Name: "account-" + strings.ReplaceAll(user, "_", "-"), On: finding.Master, What: what,
		Why: why + "; 127.0.0.1, because the tunnel connects from there",
		SQL: statements, Undo: undo,
	}
}

// dropAccount takes an account away that a step has made, and as little as that is it
// logged. The procedure of the seeding account goes with it, unless there was one.
func dropAccount(f *facts.Facts, user string) Undo {
	undo := Undo{server.SQL("SET SESSION sql_log_bin=0"), f.Version.DropAccount(user, server.Loopback)}
	if user == facts.SeedUser && !f.SeedMade {
		undo = append(undo, server.SQL("DROP PROCEDURE IF EXISTS %s", server.QuoteTable("mysql", facts.DropSeedProcedure)))
	}
	return undo
}

// handOverEqual reports whether two hand-overs say the same.
func handOverEqual(a, b *HandOver) bool {
	if a == nil || !slices.Equal(a.Databases, b.Databases) || a.ServerID != b.ServerID || a.UUID != b.UUID ||
		a.Mark != b.Mark || a.Slaves != b.Slaves || len(a.Passwords) != len(b.Passwords) {
		return false
	}
	if (a.OldSessions == nil) != (b.OldSessions == nil) || a.OldSessions != nil && *a.OldSessions != *b.OldSessions {
		return false
	}
	for user, password := range a.Passwords {
		if b.Passwords[user] != password {
			return false
		}
	}
	return true
}
