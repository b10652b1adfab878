package rules

import (
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// reachRules are about how a tunnel's end on the master reaches its server.
var reachRules = []Rule{
	{
		Code: "secure-transport", On: finding.Master, Problem: CheckServer | SetupMaster | StatusMaster, judge: wantsTLS,
		Meaning: "the master refuses connections without TLS, as they come out of the tunnel",
		Cure: "SET GLOBAL require_secure_transport=OFF, and in the option files: the tunnel encrypts, " +
			"and MySQL listens on 127.0.0.1 only",
	},
	{
		Code: "bind-address", On: finding.Master, Problem: CheckServer | SetupMaster | StatusMaster, judge: listensElsewhere,
		Meaning: "the master does not listen at 127.0.0.1, where the tunnel connects",
		Cure:    "set bind-address=127.0.0.1 in its option files, or 0.0.0.0 behind a firewall, and restart it",
	},
	{
		Code: "account-shadowed", On: finding.Master, Problem: CheckServer | SetupMaster | StatusMaster,
		judge:   shadowsAccounts,
		Meaning: "another account takes the place of one of the slave's, because the server resolves names",
		Cure: "DROP USER of it, unless a slave uses it; " +
			"or set skip_name_resolve=ON in the option files, and restart the server",
	},
	{
		Code: "no-tcp", On: finding.Master, Problem: CheckServer | SetupMaster | StatusMaster, judge: listensNowhere,
		Meaning: "the master does not listen on TCP, where the tunnel connects",
		Cure:    "remove skip-networking, set bind-address=127.0.0.1, and restart the server",
	},
}

func wantsTLS(j *judgement) {
	if j.facts.On("require_secure_transport") {
		j.say("require_secure_transport refuses connections without TLS, as they come out of the tunnel")
	}
}

func listensElsewhere(j *judgement) {
	if address := j.facts.Variable("bind_address"); !listensOnLoopback(address) {
		j.say("it listens at %s, and not at 127.0.0.1, where the tunnel connects", address)
	}
}

// listensOnLoopback reports whether one of the addresses of bind_address is, or
// holds, 127.0.0.1. MySQL's may name a network namespace.
func listensOnLoopback(addresses string) bool {
	return addresses == "" || slices.ContainsFunc(strings.Split(addresses, ","), func(address string) bool {
		address, _, _ = strings.Cut(strings.TrimSpace(address), "/")
		return slices.Contains([]string{"*", "0.0.0.0", "::", server.Loopback, "localhost"}, address)
	})
}

// shadowsAccounts finds accounts that take the place of ours: MariaDB knows who
// comes from 127.0.0.1 by the name localhost, unless it resolves no names.
func shadowsAccounts(j *judgement) {
	f := j.facts
	if f.Version.Family != server.MariaDB || f.On("skip_name_resolve") {
		return
	}
	for _, user := range facts.AccountUsers {
		if f.Account(user, "localhost") != nil {
			account := server.QuoteAccount(user, "localhost")
			j.sayCure("DROP USER "+account+", unless a slave uses it; "+
				"or set skip_name_resolve=ON in its option files, and restart it",
				"there is an account %s, which the server takes for what comes from %s as long as it resolves names",
				account, server.Loopback)
		}
	}
}

func listensNowhere(j *judgement) {
	if j.facts.On("skip_networking") || j.facts.Number("port") == 0 {
		j.say("the server does not listen on TCP, where the tunnel connects")
	}
}
