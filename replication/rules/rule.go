package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// Table is every rule. Rules find in its order: the first problem is the one to
// mend first.
func Table() []Rule {
	return slices.Concat(
		repairRules, serverRules, pairStatusRules, semiSyncRules, beginRules, filterRules, threadRules, noteRules,
		masterConnectionRules, outsideRules, leftOutRules,
		skipRules, linkRules, writerRules, crashRules, databaseRules, reachRules, logEngineRules, binaryLogRules,
		keptLogRules, optionRules, keptRules, eventRules, pairRules, engineRules, viewRules, handOverRules, sessionRules,
		relayLogRules, establishedRules, copyRules, chainRules, gtidRules, errantRules, wantRules, pairSetupRules, readyRules,
		vomsRules,
	)
}

// Rule is one judgement.
type Rule struct {
	Code    string       // of what it finds, but where the error of a slave has a code of its own
	On      finding.Role // the server that it is about; empty: both
	Needs   Parts        // what must be known for it; zero: the facts of On
	Problem Moment       // when what it finds must be mended before the work can go on
	Warning Moment       // when that is only to be known
	Last    bool         // after what it finds, no other rule has anything to say
	Meaning string       // of the code: one line
	Cure    string       // what to do; a hint of it where that is different from case to case

	judge func(*judgement)
}

// Moment is a time at which servers are judged. Moments are bits: a rule has
// several.
type Moment uint

// The moments, with what a Subject has to have then.
const (
	CheckServer     Moment = 1 << iota // `check` of one server: its facts; Databases, if it is a master
	CheckPair                          // `check` of a pair, beyond what it says of each server: the facts of both
	SetupMaster                        // `setup-master`: the facts of the master
	SetupSlave                         // `setup-slave`: the facts of both, what is wanted and what was noted
	Begin                              // `setup-slave` that makes the slave begin anew: the facts of both, and their GTIDs
	Status                             // `status`: the slave's variables, writers and masters, and what was Seen
	Compare                            // `compare`: no rule, but codes
	Repair                             // `compare --repair-table`: the facts of both, the Tables and what was noted
	StatusMaster                       // `status` on a master: its variables, accounts and Followers; Databases, if known
	Promote                            // `promote`: no rule, but codes, as at the moments below
	Switchover                         // `switchover`
	Rejoin                             // `rejoin`
	Guarding                           // `guard`
	CheckPromote                       // `check` of a host of a pair, for a later promotion: Ready
	CheckSwitchover                    // the same for a switchover
	CheckRejoin                        // the same for a rejoin
	Follow                             // `follow`, of a slave outside of a pair: no rule, but codes
	CheckVOMS                          // `check --voms`: VOMS
	Dump                               // `dump`: no rule, but codes
	RepairRows                         // `compare --repair-rows`: the facts of both, and the Tables
)

// momentNames are the commands of the moments, in their order.
var momentNames = []string{
	"check", "check", "setup-master", "setup-slave", "setup-slave", "status", "compare", "repair", "status",
	"promote", "switchover", "rejoin", "guard", "check", "check", "check", "follow", "check", "dump", "repair",
}

// String names the commands of the moments, as in "check, status".
func (m Moment) String() string {
	if m&everywhere == everywhere {
		return "every command"
	}
	var names []string
	for i, name := range momentNames {
		if m&(1<<i) != 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Parts are what a rule needs to know, as bits.
type Parts uint

// The parts of a Subject.
const (
	MasterFacts Parts = 1 << iota
	SlaveFacts
	Connection // of the slave: its default connection to a master
	HandedOver
	OfPair     // Ready
	PairSeen   // of the pair: what a status has seen
	PairUnseen // why it has not seen it
	OfVOMS     // VOMS
	BothFacts  = MasterFacts | SlaveFacts
)

// Judge holds a subject against the rules of its moment.
func Judge(s *Subject) finding.Findings {
	var found finding.Findings
	for _, rule := range Table() {
		if (rule.Problem|rule.Warning)&s.Moment == 0 || !s.has(rule.needs()) {
			continue
		}
		j := &judgement{Subject: s, rule: &rule, facts: s.factsOf(rule.On)}
		rule.judge(j)
		for i, p := range j.found {
			j.found[i] = s.inWords(p)
		}
		if rule.Problem&s.Moment != 0 {
			found.Problems = append(found.Problems, j.found...)
		} else {
			found.Warnings = append(found.Warnings, j.found...)
		}
		if rule.Last && len(j.found) > 0 {
			break
		}
	}
	return found
}

// inWords is a problem with its cure in the words of the server that it is for, and with
// the names of the databases.
func (s *Subject) inWords(p *finding.Problem) *finding.Problem {
	said := *p
	if s.Moment == Status && s.Seen.Pair != nil {
		said.Cure = strings.ReplaceAll(p.Cure, finding.SeedAnew, finding.SeedAnewInPair)
	}
	said = *said.For(s.replicated())
	on := p.On
	if strings.HasPrefix(p.Cure, "on the master") {
		on = finding.Master
	}
	f := s.factsOf(on)
	if f == nil {
		f = cmp.Or(s.Slave, s.Master) // of the same family, as far as is known
	}
	if f != nil {
		said.Cure = f.Version.InWords(said.Cure)
	}
	if s.Moment == Status && s.MasterIsSilent() && startsSlave.MatchString(said.Cure) {
		said.Cure = s.noStart()
	}
	return &said
}

// startsSlave matches what starts a slave, in the words of either family.
var startsSlave = regexp.MustCompile(`START (SLAVE|REPLICA|ALL SLAVES)`)

// noStart is the cure instead of one that starts a slave while its master is silent: where
// both threads stand, a start deletes what was received and not applied.
func (s *Subject) noStart() string {
	lost := ""
	if s.Seen.Pair != nil {
		lost = ", or, if it is lost, gtunnel replication promote here"
	}
	return "first the master: bring it and the tunnel up" + lost + "; gtunnel replication status then says what to do. " +
		"Do not start the slave before: that may delete what it has received and not applied"
}

// replicated are the databases that are, or are to be, replicated.
func (s *Subject) replicated() []string {
	if c := s.Connection(); len(s.Databases) == 0 && c != nil {
		return c.Replicated()
	}
	return s.Databases
}

// needs are the parts of a subject that the rule cannot be without.
func (r *Rule) needs() Parts {
	switch {
	case r.Needs != 0:
		return r.Needs
	case r.On == finding.Master:
		return MasterFacts
	default:
		return SlaveFacts
	}
}

// judgement is one rule's of one subject.
type judgement struct {
	*Subject

	rule  *Rule
	facts *facts.Facts // of the server that the rule is about
	found []*finding.Problem
}

// say finds what the rule is about, with its cure.
func (j *judgement) say(format string, args ...any) { j.sayCure(j.rule.Cure, format, args...) }

// sayCure finds it with another cure.
func (j *judgement) sayCure(cure, format string, args ...any) {
	j.add(finding.New(j.rule.On, j.rule.Code, cure, format, args...))
}

// add finds what another room has put in words.
func (j *judgement) add(p *finding.Problem) { j.found = append(j.found, p) }
