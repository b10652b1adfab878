package rules

import (
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// masterConnectionRules are about the masters that a slave follows.
var masterConnectionRules = []Rule{
	{
		Code: "other-master", On: finding.Slave, Problem: CheckServer | SetupSlave, judge: followsAnother,
		Meaning: "the slave follows another master already",
		Cure:    "if it shall no longer follow it: STOP SLAVE; RESET SLAVE ALL",
	},
	{
		Code: "other-channel", On: finding.Slave, Warning: CheckServer | SetupSlave | Status, judge: hasChannels,
		Meaning: "the slave also follows another master, by a channel of its own",
		Cure:    "it is left alone",
	},
	{
		Code: "other-channel", On: finding.Slave, Problem: CheckServer | SetupSlave | Status, judge: sharesSettings,
		Meaning: "the slave also follows another master, for which its filters and GTIDs would hold too",
		Cure:    "take another server as the slave: what a setup must set holds for all of a server's masters",
	},
}

func followsAnother(j *judgement) {
	if m := j.Connection(); m != nil && m.MasterHost != "" && !IsOurMaster(m, j.Port) {
		j.say(
			"it follows another master already: %s:%d as %s", m.MasterHost, m.MasterPort, m.MasterUser)
	}
}

// keepsApart reports whether a server has filters and GTIDs of their own for each
// of its masters. Filters of option files, and MariaDB's gtid_slave_pos, are of
// all.
func keepsApart(v server.Version) bool { return v.AtLeast(server.MySQL, 8, 0, 0) }

func hasChannels(j *judgement) {
	for _, m := range j.facts.Masters {
		if m.Channel != "" && keepsApart(j.facts.Version) {
			j.say("it also follows %s:%d by the channel %s", m.MasterHost, m.MasterPort, m.Channel)
		}
	}
}

func sharesSettings(j *judgement) {
	for _, m := range j.facts.Masters {
		if m.Channel != "" && !keepsApart(j.facts.Version) {
			j.say("it also follows %s:%d by %s", m.MasterHost, m.MasterPort, m.Channel)
		}
	}
}

// optionRules are about the options of the connection to the master, which break
// the replication later. A setup states those that are not so anew.
var optionRules = []Rule{
	{
		Code: "gives-up", On: finding.Slave, Needs: Connection, Warning: Status, judge: givesUp,
		Meaning: "the slave gives up for good once its master is away for less than a day",
		Cure:    stateAgain,
	},
	{
		Code: "connect-retry", On: finding.Slave, Needs: Connection, Warning: Status, judge: waitsLong,
		Meaning: "the slave waits for minutes before it tries to connect again",
		Cure:    stateAgain,
	},
	{
		Code: "delayed", On: finding.Slave, Needs: Connection, Warning: Status, judge: isDelayed,
		Meaning: "the slave is told to stay behind its master",
		Cure:    "if nobody wants that: STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=0; START SLAVE",
	},
	{
		Code: "tls-inside", On: finding.Slave, Needs: Connection, Warning: Status, judge: speaksTLS,
		Meaning: "the slave is told to speak TLS inside the tunnel",
		Cure:    stateAgain,
	},
	{
		Code: "public-key", On: finding.Slave, Needs: Connection, Warning: Status, judge: lacksPublicKey,
		Meaning: "the slave does not ask for the master's public key, and cannot log in after its next restart",
		Cure:    stateAgain,
	},
	{
		Code: "net-timeout", On: finding.Slave, Needs: Connection, Warning: Status, judge: noticesLate,
		Meaning: "the slave notices a dead link only after minutes",
		Cure:    stateAgain,
	},
}

const stateAgain = "gtunnel replication setup-slave states every option"

// What a slave may take its time for.
const (
	leastPatience = 24 * time.Hour  // before it gives up
	longRetry     = 5 * time.Minute // before it tries to connect again
	longTimeout   = 5 * time.Minute // before it notices that nothing comes
)

func givesUp(j *judgement) {
	c := j.Connection()
	if lasts := time.Duration(c.RetryCount) * c.ConnectRetry; c.RetryCount > 0 && lasts < leastPatience {
		cure := stateAgain
		if j.Slave.Version.Family == server.MariaDB {
			cure = "set master_retry_count=86400 in its option files, and restart it"
		}
		j.sayCure(cure, "once the master is away for %s (%d times %s) the slave gives up for good",
			finding.FormatDuration(lasts), c.RetryCount, c.ConnectRetry)
	}
}

func waitsLong(j *judgement) {
	if retry := j.Connection().ConnectRetry; retry > longRetry {
		j.say("once the connection is lost the slave waits %s before it tries again", finding.FormatDuration(retry))
	}
}

func isDelayed(j *judgement) {
	if delay := j.Connection().Delay; delay > 0 {
		j.say("the slave is told to stay %s behind its master (MASTER_DELAY)",
			finding.FormatDuration(time.Duration(delay)*time.Second))
	}
}

func speaksTLS(j *judgement) {
	if j.Connection().SSLAllowed == "Yes" {
		j.say("the slave is told to speak TLS inside the tunnel (MASTER_SSL=1)")
	}
}

func lacksPublicKey(j *judgement) {
	if c := j.Connection(); c.GetsPublicKey != nil && !*c.GetsPublicKey && c.SSLAllowed != "Yes" {
		j.say("GET_SOURCE_PUBLIC_KEY is 0: " +
			"an account with caching_sha2_password fails after the next restart of the master")
	}
}

func noticesLate(j *judgement) {
	// A number on every server.
	patience, _ := strconv.Atoi(j.facts.Variable("slave_net_timeout", "replica_net_timeout"))
	if timeout := time.Duration(patience) * time.Second; timeout > longTimeout {
		j.say("a dead link is noticed only after %s (slave_net_timeout)", finding.FormatDuration(timeout))
	}
}
