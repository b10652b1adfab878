package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// alikeRules are about what both hosts of a pair must have alike, and replication does not
// carry, or need not have carried.
var alikeRules = []Rule{
	{
		Code: "accounts-differ", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: accountsDiffer,
		Meaning: "accounts are not the same on both hosts of a pair, and replication does not carry them",
		Cure: "SHOW CREATE USER and SHOW GRANTS FOR it on the one where it is right give the statements for the other: " +
			"there after SET SESSION sql_log_bin=0",
	},
	{
		Code: "accounts-unknown", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: accountsUnknown,
		Meaning: "the accounts of the two hosts of a pair could not be compared",
		Cure:    "gtunnel replication setup-master on the master, and setup-slave on the other host, once more",
	},
	{
		Code: "sequences-differ", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: sequencesDiffer,
		Meaning: "sequences are not the same on both hosts of a pair, or the slave's would give numbers twice",
		Cure:    "on the slave, after SET SESSION sql_log_bin=0: as it says",
	},
	{
		Code: "events-differ", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: eventsDiffer,
		Meaning: "events are not the same on both hosts of a pair",
		Cure:    "make them anew on the master, from where they are replicated: DROP EVENT IF EXISTS, and CREATE EVENT",
	},
	{
		Code: "options-differ", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: optionsDiffer,
		Meaning: "settings that programs notice are not the same on both hosts of a pair",
		Cure:    "give both the same in their option files, if that was not meant",
	},
	{
		Code: "plugins-differ", Needs: OfPair, Warning: CheckPromote | CheckSwitchover, judge: pluginsDiffer,
		Meaning: "one host of a pair has plugins that the other has not",
		Cure:    "INSTALL PLUGIN or the package of it on the other, if programs need it",
	},
}

// byRole are the two hosts, the master first.
func (r *Ready) byRole() (master, slave *PairHost) {
	if r.Note.Term.Master == r.Peer.Name {
		return &r.Peer, &r.Own
	}
	return &r.Own, &r.Peer
}

func accountsUnknown(j *judgement) {
	if j.Ready.Silent == nil && (j.Ready.Own.Rights == nil || j.Ready.Peer.Rights == nil) {
		j.say("the accounts of the two were not compared")
	}
}

func accountsDiffer(j *judgement) {
	master, slave := j.Ready.byRole()
	if master.Rights == nil || slave.Rights == nil {
		return
	}
	for _, of := range [][2]*PairHost{{master, slave}, {slave, master}} {
		here, there := of[0], of[1]
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(here.Rights)), func(account string) bool {
			_, both := there.Rights[account]
			return both
		})
		if len(names) > 0 {
			j.sayCure(j.Ready.carryAccounts(here, there, names, showAll), "only %s has these accounts: %s", here.Name,
				finding.Items(names))
		}
	}
	var rights, logins []string
	for _, account := range slices.Sorted(maps.Keys(master.Rights)) {
		other, both := slave.Rights[account]
		if both && other.Rights != master.Rights[account].Rights {
			rights = append(rights, account)
		}
		if both && other.Login != master.Rights[account].Login {
			logins = append(logins, account)
		}
	}
	if len(rights) > 0 {
		j.sayCure(j.Ready.carryAccounts(master, slave, rights, showGrants),
			"these accounts have other rights on %s than on %s: %s", master.Name, slave.Name, finding.Items(rights))
	}
	if len(logins) == 0 {
		return
	}
	text, cure := "these accounts have another password on %s than on %s: %s",
		j.Ready.carryAccounts(master, slave, logins, showLogin)
	if master.Facts != nil && master.Facts.Version.AtLeast(server.MySQL, 8, 0, 0) {
		text = "these accounts have another password on %s than on %s, or the same with another salt, as " +
			"caching_sha2_password makes one for each time that a password is set: %s"
		cure += ". Where programs can log in on both, nothing need be done"
	}
	j.sayCure(cure, text, master.Name, slave.Name, finding.Items(logins))
}

// carried is what of an account is carried from one host to the other.
type carried int

const (
	showAll carried = iota
	showGrants
	showLogin
)

// carryAccounts are the statements that show accounts on one host, and how those that are
// shown are run on the other.
func (r *Ready) carryAccounts(from, to *PairHost, accounts []string, what carried) string {
	mysql := from.Facts != nil && from.Facts.Version.Family == server.MySQL
	var show []string
	if mysql && what != showGrants {
		show = append(show, "SET SESSION print_identified_with_as_hex=1")
	}
	begin, with := []string{"SET SESSION sql_log_bin=0"}, ""
	for _, account := range accounts {
		if what != showGrants {
			show = append(show, "SHOW CREATE USER "+account)
		}
		if what != showLogin {
			show = append(show, "SHOW GRANTS FOR "+account)
		}
		if what == showGrants {
			begin = append(begin, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM "+account)
		}
	}
	if what == showLogin {
		with = ", with ALTER USER in place of CREATE USER"
	}
	end := ""
	if _, slave := r.byRole(); mysql && to == slave {
		begin = slices.Insert(begin, 0, "SET GLOBAL super_read_only=0")
		end = "; SET GLOBAL super_read_only=1 (all at once: the guard would set it within a second)"
	}
	return fmt.Sprintf("on %s: %s; then on %s, in one session: %s; what was shown%s%s", from.Name,
		strings.Join(show, "; "), to.Name, strings.Join(begin, "; "), with, end)
}

// alike are what both hosts have in the pair's databases; ok: it is known of both.
func (r *Ready) alike() (master, slave *facts.Alike, ok bool) {
	m, s := r.byRole()
	return m.Alike, s.Alike, m.Alike != nil && s.Alike != nil
}

func sequencesDiffer(j *judgement) {
	master, slave, known := j.Ready.alike()
	if !known {
		return
	}
	_, host := j.Ready.byRole()
	onSlave := func(statement, name, more string) string {
		quoted := server.QuoteTable(server.SplitTable(name, j.Ready.Note.Databases))
		return "on " + host.Name + ", in one session: SET SESSION sql_log_bin=0; " + fmt.Sprintf(statement, quoted) + more
	}
	for _, name := range slices.Sorted(maps.Keys(master.Sequences)) {
		want := master.Sequences[name]
		is, there := slave.Sequences[name]
		place := fmt.Sprintf(", %s, 0, %d)", want.Next, want.Cycles)
		switch {
		case !there:
			j.sayCure(onSlave("CREATE SEQUENCE %s "+want.Options+"; DO SETVAL(%[1]s", name, place),
				"%s lacks the sequence %s", host.Name, name)
		case is.Options != want.Options:
			j.sayCure(onSlave("ALTER SEQUENCE %s "+want.Options+"; DO SETVAL(%[1]s", name, place),
				"the sequence %s counts otherwise on %s: %s, and on the master %s", name, host.Name, is.Options, want.Options)
		case is.Before(want):
			j.sayCure(onSlave("DO SETVAL(%s", name, place),
				"the sequence %s stands at %s on %s, and at %s on the master: it would give numbers twice", name, is.Next,
				host.Name, want.Next)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(slave.Sequences)) {
		if _, both := master.Sequences[name]; !both {
			j.sayCure(onSlave("DROP SEQUENCE %s", name, "; if nothing needs it"),
				"only %s, the slave, has the sequence %s", host.Name, name)
		}
	}
}

func eventsDiffer(j *judgement) {
	master, slave, known := j.Ready.alike()
	if !known {
		return
	}
	m, s := j.Ready.byRole()
	quoted := func(name string) string {
		return server.QuoteTable(server.SplitTable(name, j.Ready.Note.Databases))
	}
	for _, name := range slices.Sorted(maps.Keys(master.Events)) {
		is, both := slave.Events[name]
		if both && is == master.Events[name] {
			continue
		}
		text := "%s lacks the event %s"
		if both {
			text = "%s has another event %s than the master"
		}
		j.sayCure(fmt.Sprintf("on %s: SHOW CREATE EVENT %s; DROP EVENT IF EXISTS %[2]s; then what was shown: both are "+
			"replicated", m.Name, quoted(name)), text, s.Name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(slave.Events)) {
		if _, both := master.Events[name]; !both {
			j.sayCure(fmt.Sprintf("on %s: DROP EVENT IF EXISTS %s, which is replicated; if nothing needs it", m.Name,
				quoted(name)), "only %s, the slave, has the event %s", s.Name, name)
		}
	}
}

// comparedOptions are the variables that programs notice, under the names of both
// families and of all versions.
var comparedOptions = []string{
	"sql_mode", "character_set_server", "collation_server", "lower_case_table_names", "time_zone", "system_time_zone",
	"event_scheduler", "default_storage_engine", "transaction_isolation", "tx_isolation", "innodb_strict_mode",
	"explicit_defaults_for_timestamp", "group_concat_max_len", "max_connections", "max_allowed_packet",
	"innodb_lock_wait_timeout", "wait_timeout", "local_infile", "auto_increment_increment", "auto_increment_offset",
	"log_bin_trust_function_creators", "default_authentication_plugin", "authentication_policy", "div_precision_increment",
	"binlog_format", "binlog_row_image", "gtid_domain_id", "gtid_strict_mode", "gtid_mode", "old_passwords",
	"sql_require_primary_key",
}

func optionsDiffer(j *judgement) {
	if !j.Ready.bothSeen() {
		return
	}
	own, peer := j.Ready.Own, j.Ready.Peer
	var others []string
	for _, name := range comparedOptions {
		mine, ok := own.Facts.Variables[name]
		theirs, both := peer.Facts.Variables[name]
		if ok && both && mine != theirs && name != "event_scheduler" ||
			name == "event_scheduler" && (mine == "DISABLED") != (theirs == "DISABLED") { // the slave's may be off
			others = append(others, fmt.Sprintf("%s: %q here, %q there", name, mine, theirs))
		}
	}
	if len(others) > 0 {
		j.say("settings that programs notice are not alike: %s", strings.Join(others, "; "))
	}
}

func pluginsDiffer(j *judgement) {
	if !j.Ready.bothSeen() {
		return
	}
	only := func(here, there PairHost) {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(here.Facts.Plugins)) {
			if !there.Facts.Plugins[name] && !strings.HasPrefix(name, "rpl_semi_sync") && name != "clone" {
				names = append(names, name)
			}
		}
		if len(names) > 0 && len(there.Facts.Plugins) > 0 {
			j.say("only %s has these plugins: %s", here.Name, finding.Items(names))
		}
	}
	only(j.Ready.Own, j.Ready.Peer)
	only(j.Ready.Peer, j.Ready.Own)
}
