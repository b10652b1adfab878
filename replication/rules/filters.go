package rules

import (
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// filterRules are about the filter of a slave that gtunnel sets: it is lost, or
// another one. They come before the errors of the slave's threads, because a lost
// filter lets changes through that fail. A setup filters again by itself.
var filterRules = []Rule{
	{
		Code: "no-filter", On: finding.Slave, Needs: Connection, Problem: CheckServer | Status, Warning: SetupSlave,
		judge:   lacksFilter,
		Meaning: "the slave has lost its filter, and replicates every database of the master, its accounts too",
		Cure:    "gtunnel replication setup-slave, which filters again and compares",
	},
	{
		Code: "other-databases", On: finding.Slave, Needs: Connection, Problem: Status, judge: leavesOutWanted,
		Meaning: "the slave replicates another set of databases than the wanted one",
		Cure: "gtunnel replication setup-slave --reseed, with --replace-databases, copies all anew: " +
			"their changes have been left out",
	},
}

// keptRules are about how the filter outlives a restart.
var keptRules = []Rule{{
	Code: "filter-not-kept", On: finding.Slave, Needs: Connection, Warning: CheckServer | Status, judge: losesFilter,
	Meaning: "a restart of the server would lose the filter",
	Cure:    "gtunnel replication setup-slave writes it to an option file of the server",
}}

func lacksFilter(j *judgement) {
	c := j.Connection()
	throughTunnel := c.MasterHost == server.Loopback && (j.Port == 0 || c.MasterPort == j.Port)
	if !throughTunnel || j.Seen.Busy || len(c.WildDoTable) > 0 || j.Moment == SetupSlave && j.NeedsSeed() {
		return
	}
	if isSet(c, "replicate_do_table") { // the rule other-filters says more
		return
	}
	j.say("there is no replicate_wild_do_table: every database of the master is replicated, its accounts too")
}

// leavesOutWanted is about databases that were set up, and that the filter does
// not let through any more.
func leavesOutWanted(j *judgement) {
	c := j.Connection()
	if len(c.WildDoTable) == 0 || j.Seen.Busy {
		return // the rule no-filter says so
	}
	lost := slices.DeleteFunc(slices.Clone(j.Databases), c.ReplicatesAllOf)
	if len(lost) > 0 {
		j.say("its filter is %s, and leaves out what was set up to be replicated: %s",
			finding.Items(c.WildDoTable), finding.Items(lost))
	}
}

func losesFilter(j *judgement) {
	if slices.Contains(j.Slave.Transient, "replicate_wild_do_table") {
		j.say("a restart of the server loses the filter: it would then replicate every database")
	}
}

// filters are those of the slave: of its connection, or those that a new one would
// have; nil if they are not known.
func (s *Subject) filters() *server.SlaveStatus {
	if c := s.Connection(); c != nil {
		return c
	}
	return s.Slave.Filters
}

// ours are the databases that are to be replicated: the wanted ones, and those that
// the filter of a slave at work names, or of one of which nothing is wanted.
func (s *Subject) ours() []string {
	if s.Slave == nil || len(s.Databases) > 0 && s.Moment != Status {
		return s.Databases
	}
	names := slices.Clone(s.Databases)
	if c := s.filters(); c != nil {
		names = append(names, c.Replicated()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// sameName reports whether a server takes two names of databases for the same in
// a list of names.
func sameName(f *facts.Facts, a, b string) bool {
	return a == b || !f.Version.AtLeast(server.MySQL, 8, 0, 0) && fold(a) == fold(b)
}
