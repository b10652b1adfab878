package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// VOMS is one VO on a host whose server is a slave, or the master of one, as a check there
// finds it.
type VOMS struct {
	VO, Database string
	Conf         string // its voms.conf
	IsMaster     bool   // this host's server is the master
	OfPair       bool   // the hosts can both be it
	Left         bool   // the database is not replicated
	Own, Peer    VOMSHost
	Silent       error // why the other host's server cannot be asked; nil: it answers
	Account      VOMSAccount
	Admin        *VOMSAdmin  // nil: no VOMS Admin serves the VO on this host
	Faults       []error     // of files; their hints are the cures
	Tables       *VOMSTables // nil: they were not compared
}

// VOMSHost is one of the two, as the VO's clients see it from this host.
type VOMSHost struct {
	Name        string
	Facts       *facts.Facts // its server's variables; nil: not known
	Silent      error        // why its VOMS server does not answer; nil: it does, or was not asked
	Certificate VOMSCertificate
	Vomses      []VOMSLine // of the VO and the host
	AddVomses   string     // the command that adds the line that it lacks
	LSC         VOMSLSC
}

// VOMSCertificate is that of a VOMS server.
type VOMSCertificate struct {
	From       string // a file, or the server that showed it
	DN, Issuer string // in slash form; empty: it was not read
	NotAfter   time.Time
	Soon       bool  // it ends soon
	Err        error // why it cannot be read, or is refused; its hint is the cure
}

// VOMSLine is a line of vomses.
type VOMSLine struct {
	File string
	Line int
	DN   string
	Mend string // the command that writes the right DN into it
}

// VOMSLSC is an LSC file.
type VOMSLSC struct {
	File  string
	There bool
	Names bool   // it has the DNs of the certificate, as services read them
	Plain bool   // it has them, but for the backslash before a slash within a name
	Mend  string // the command that writes what it lacks
}

// VOMSAccount is the account of voms.conf at its server.
type VOMSAccount struct {
	Err       error  // of the login, or of a look at the database; nil: it works
	Elsewhere string // where its server is, if that is not the one that is checked
	Make      string // the command that makes it, with the password of its file
	User      string // as the server knows it; empty: not known
	Grants    []facts.Grant
}

// VOMSAdmin is VOMS Admin on this host.
type VOMSAdmin struct {
	File                string // its properties of the VO
	Registers, ReadOnly bool
	SetRegistration     string // the command that turns the registration the other way round
	SetReadOnly         string // the command that makes it change nothing
}

// VOMSTables is what a look at the VO's tables on both hosts has found.
type VOMSTables struct {
	Alike  int
	Differ []string // with their numbers of rows
	Left   []string // that were too large, or for which there was no time
}

// vomsRules are about what a VO needs that is served from both hosts.
var vomsRules = slices.Concat([]Rule{
	{
		Code: "voms-file", On: finding.Own, Needs: OfVOMS, Problem: CheckVOMS, judge: hasFaults,
		Meaning: "a file of VOMS cannot be read, or is malformed",
		Cure:    "mend the line that it names",
	},
	{
		Code: "voms-not-replicated", Needs: OfVOMS, Problem: CheckVOMS, judge: isLeftOutOfVOMS,
		Meaning: "the database of a VO is not replicated",
		Cure: "once more, with --databases that have it: gtunnel replication setup-master; then setup-slave on the other " +
			"host",
	},
	{
		Code: "voms-login", On: finding.Own, Needs: OfVOMS, Problem: CheckVOMS, judge: cannotServe,
		Meaning: "the VOMS server cannot log in to its database, or not read it: accounts are not replicated",
		Cure:    "make the account of its voms.conf there",
	},
	{
		Code: "voms-elsewhere", On: finding.Own, Needs: OfVOMS, Problem: CheckVOMS, judge: isElsewhere,
		Meaning: "the VOMS server of this host reads its database from another server than this host's",
		Cure:    "in its voms.conf: --mysql-socket or --contactstring of this host's server",
	},
	{
		Code: "voms-account", On: finding.Own, Needs: OfVOMS, Problem: CheckVOMS, judge: vomsWrites(false),
		Meaning: "the account of the VOMS server on the backup may do more than read",
		Cure:    "revoke that, and grant SELECT on the database of the VO",
	},
	{
		Code: "voms-account", On: finding.Own, Needs: OfVOMS, Warning: CheckVOMS, judge: vomsWrites(true),
		Cure: "revoke that, and grant SELECT on the database of the VO; VOMS Admin has an account of its own",
	},
	{
		Code: "voms-registration", On: finding.Own, Needs: OfVOMS, Problem: CheckVOMS, judge: registersOnBackup,
		Meaning: "users can ask for a membership at VOMS Admin of the backup, which is read-only",
		Cure:    "voms.registration.enabled = false in its service.properties, and a restart of VOMS Admin",
	},
	{
		Code: "voms-admin-writes", On: finding.Own, Needs: OfVOMS, Warning: CheckVOMS, judge: adminWrites,
		Meaning: "VOMS Admin of the backup does not know that its database is read-only: its own work fails",
		Cure:    "voms.readonly = true in its service.properties, and a restart of VOMS Admin",
	},
	{
		Code: "voms-no-registration", On: finding.Own, Needs: OfVOMS, Warning: CheckVOMS, judge: registersNowhere,
		Meaning: "VOMS Admin of the master takes no requests, as that of a backup: nobody can become a member",
		Cure:    "voms.registration.enabled = true, voms.readonly = false in its service.properties, and a restart of it",
	},
	{
		Code: "peer-silent", On: finding.Peer, Needs: OfVOMS, Problem: CheckVOMS, judge: isSilentOfVOMS,
		Cure: silentCure,
	},
	{
		Code: "voms-tables", Needs: OfVOMS, Problem: CheckVOMS, judge: tablesDiffer,
		Meaning: "tables of a VO are not the same on both hosts",
		Cure:    "gtunnel replication compare on the slave says which rows; gtunnel replication status, whether it is behind",
	},
	{
		Code: "voms-not-compared", Needs: OfVOMS, Warning: CheckVOMS, judge: tablesLeft,
		Meaning: "tables of a VO are too large to be compared by a check",
		Cure:    "gtunnel replication compare on the slave takes the time that it needs",
	},
	{
		Code: "voms-silent", On: finding.Peer, Needs: OfVOMS, Warning: CheckVOMS, judge: vomsIsSilent,
		Meaning: "the VOMS server of the other host does not answer",
		Cure:    "start it there; its port must be open to users, too",
	},
}, vomsHostRules(finding.Own), vomsHostRules(finding.Peer))

// vomsHostRules are about one of the two hosts.
func vomsHostRules(on finding.Role) []Rule {
	return []Rule{
		{
			Code: "voms-mysql", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: cannotHoldVOMS,
			Meaning: "VOMS does not work with MySQL 8 and later, whose word groups is reserved: it is a table of VOMS",
			Cure:    "use MariaDB for it",
		},
		{
			Code: "voms-writable", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: backupIsWritable,
			Meaning: "the server of the backup is not read-only",
			Cure:    "SET GLOBAL read_only=1; of a pair: systemctl enable --now gtunnel-guard there",
		},
		{
			Code: "voms-certificate", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: certificateRefused,
			Meaning: "the certificate of a VOMS server is not valid for clients with this host's CAs",
			Cure:    "as it says; gtunnel certs verify says more",
		},
		{
			Code: "voms-certificate-ends", On: on, Needs: OfVOMS, Warning: CheckVOMS, judge: certificateEnds,
			Meaning: "the certificate of a VOMS server ends soon",
			Cure:    "ask your CA for a new one now; a new DN goes into vomses and the LSC files of all sites",
		},
		{
			Code: "voms-vomses", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: lacksVomses,
			Meaning: "vomses lacks a host: clients do not turn to it when the other is lost",
			Cure:    "add the line that it shows, here and on user interfaces",
		},
		{
			Code: "voms-vomses-dn", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: hasOtherDN,
			Meaning: "vomses has another DN of a host than its certificate: clients refuse the server",
			Cure:    "write the DN that it shows, here and on user interfaces",
		},
		{
			Code: "voms-lsc", On: on, Needs: OfVOMS, Problem: CheckVOMS, judge: lacksLSC,
			Meaning: "the LSC file of a host is missing, or has other names than its certificate: services refuse its proxies",
			Cure:    "write the lines that it shows, here and on every service that takes proxies of the VO",
		},
	}
}

// vomsHost is the host that the rule is about.
func (j *judgement) vomsHost() *VOMSHost {
	if j.rule.On == finding.Peer {
		return &j.VOMS.Peer
	}
	return &j.VOMS.Own
}

// hintOf is what an error says is to be done, or the cure of the rule.
func (j *judgement) hintOf(err error) string {
	hinted, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if ok && hinted.Hint() != "" {
		return hinted.Hint()
	}
	return j.rule.Cure
}

func hasFaults(j *judgement) {
	for _, fault := range j.VOMS.Faults {
		j.sayCure(j.hintOf(fault), "%v", fault)
	}
}

func isLeftOutOfVOMS(j *judgement) {
	if j.VOMS.Left {
		j.say("the database %s of the VO %s (%s) is not replicated", j.VOMS.Database, j.VOMS.VO, j.VOMS.Conf)
	}
}

func cannotServe(j *judgement) {
	a := j.VOMS.Account
	if a.Err == nil {
		return
	}
	cure := "see that --dbname, --contactstring, --mysql-socket and --passfile there are right, and that the database " +
		"has the tables of VOMS"
	if server.IsAccessDenied(a.Err) || server.IsDenied(a.Err) {
		cure = cmp.Or(a.Make, j.rule.Cure+", with the password of its --passfile")
	}
	j.add(&finding.Problem{
		On: finding.Own, Code: j.rule.Code, Err: a.Err, Cure: cure,
		Text: fmt.Sprintf("the VOMS server of %s cannot use its database as %s says", j.VOMS.VO, j.VOMS.Conf),
	})
}

func isElsewhere(j *judgement) {
	if at := j.VOMS.Account.Elsewhere; at != "" {
		j.say("the VOMS server of %s has its database at %s, as %s says, which is not the server that is checked",
			j.VOMS.VO, at, j.VOMS.Conf)
	}
}

// vomsWrites is the judgement on the backup, or on a master that may become it.
func vomsWrites(onMaster bool) func(*judgement) {
	return func(j *judgement) {
		v := j.VOMS
		more := beyondSelect(v.Account.Grants)
		if len(more) == 0 || v.IsMaster != onMaster || onMaster && !v.OfPair {
			return
		}
		user, host, _ := server.SplitAccount(v.Account.User)
		account := server.QuoteAccount(user, host)
		cure := fmt.Sprintf("SET SESSION sql_log_bin=0; REVOKE ALL PRIVILEGES, GRANT OPTION FROM %s; "+
			"GRANT SELECT ON %s.* TO %s", account, server.QuoteName(server.EscapePattern(v.Database)), account)
		why := "it may do nothing but SELECT on a backup"
		if v.OfPair {
			cure += "; and the same on the other host, where VOMS Admin needs an account of its own"
		}
		if onMaster {
			why = "once this host is the backup, it may do nothing but SELECT"
		}
		j.sayCure(cure, "the account %s of the VOMS server of %s has %s: %s", v.Account.User, v.VO, finding.Items(more), why)
	}
}

// beyondSelect are the rights of an account beyond those to read.
func beyondSelect(grants []facts.Grant) []string {
	var more []string
	for _, g := range grants {
		for _, p := range g.Privileges {
			if !g.Revoked && p != "SHOW VIEW" && p != "SELECT" && !strings.HasPrefix(p, "SELECT (") {
				more = append(more, p+" on "+g.On.String())
			}
		}
	}
	return more
}

func registersOnBackup(j *judgement) {
	if a := j.VOMS.Admin; a != nil && !j.VOMS.IsMaster && a.Registers {
		j.sayCure(a.SetRegistration, "VOMS Admin of %s takes requests for memberships, which only the master's can keep (%s)",
			j.VOMS.VO, a.File)
	}
}

func adminWrites(j *judgement) {
	if a := j.VOMS.Admin; a != nil && !j.VOMS.IsMaster && !a.ReadOnly {
		j.sayCure(a.SetReadOnly, "VOMS Admin of %s takes its database for one that can be written to (%s)", j.VOMS.VO, a.File)
	}
}

func registersNowhere(j *judgement) {
	if a := j.VOMS.Admin; a != nil && j.VOMS.IsMaster && (!a.Registers || a.ReadOnly) {
		what := "takes no requests for memberships"
		if a.ReadOnly {
			what = "is read-only"
		}
		cure := a.SetRegistration
		if a.Registers {
			cure = a.SetReadOnly
		}
		j.sayCure(cure, "this host is the master, and VOMS Admin of %s %s (%s)", j.VOMS.VO, what, a.File)
	}
}

func isSilentOfVOMS(j *judgement) {
	if err := j.VOMS.Silent; err != nil {
		j.add(&finding.Problem{
			On: finding.Peer, Code: j.rule.Code, Text: "its server cannot be asked through the tunnel", Err: err,
			Cure: j.rule.Cure,
		})
	}
}
