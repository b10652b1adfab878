package page_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

// states are what may be seen, and what the page says of it.
var states = map[string]struct {
	change func(*fake, *page.Source)
	want   []string
}{
	"ready": {func(*fake, *page.Source) {}, []string{"All is well", "Good Ready; no connection is open."}},
	"works": {
		func(f *fake, _ *page.Source) {
			f.status.Sessions = []tunnel.SessionStatus{
				{ID: "7", PeerDN: "/CN=client.test", LastActivity: time.Now().Add(-3 * time.Minute)},
			}
		},
		[]string{"All is well", "Works: 1 connection open, last data 3 minutes ago.", "/CN=client.test main #7"},
	},
	"by a proxy": {
		func(f *fake, _ *page.Source) {
			f.status.Sessions = []tunnel.SessionStatus{
				{ID: "7", PeerDN: "/CN=client.test", PeerAddress: "192.0.2.7:40001", ProxyAddress: "127.0.0.9:33333"},
			}
		},
		[]string{"192.0.2.7:40001 by 127.0.0.9:33333"},
	},
	"not ready": {
		func(f *fake, _ *page.Source) {
			f.unready = []string{"nobody listens at 127.0.0.1:3306 any more; hint: is mysqld running?"}
		},
		[]string{
			"1 thing needs attention", "Tunnel main: Nobody listens at 127.0.0.1:3306 any more What to do: is mysqld running?",
			"Problem Carries no connections.",
		},
	},
	"not ready with connections": {
		func(f *fake, _ *page.Source) {
			f.unready, f.status.Sessions = []string{"it is full"}, make([]tunnel.SessionStatus, 30)
		},
		[]string{"Carries no new connections; 30 connections open already.", "and 5 more: gtunnel sessions"},
	},
	"leaving": {
		func(f *fake, _ *page.Source) { f.status.Retired, f.status.Accepting = true, false },
		[]string{"All is well", "Leaving: the configuration has it no more; 0 connections open to the end."},
	},
	"certificate ends": {
		func(f *fake, _ *page.Source) { f.status.Certificate.NotAfter = time.Now().Add(13*day + time.Hour) },
		[]string{
			"1 thing needs attention", "hostcert.pem ends soon: 13 days left What to do: ask your CA for a new one",
			"Warning Certificate: 13 days left",
		},
	},
	"certificate has ended": {
		func(f *fake, _ *page.Source) { f.status.Certificate.NotAfter = time.Now().Add(-49 * time.Hour) },
		[]string{
			"1 thing needs attention", "hostcert.pem has ended 2 days ago: every peer refuses it",
			"Problem Certificate: Ended 2 days ago",
		},
	},
	"lists refuse": {
		func(f *fake, _ *page.Source) {
			f.status.CRLs = certs.CRLReport{Mode: certs.CRLRequire, CAs: 3, Current: 2, Stale: 1, Refused: 1}
		},
		[]string{
			"1 thing needs attention", "Problem Tunnel main: Revocation lists of 3 CAs: 2 current, 1 stale;",
			"What to do: run fetch-crl",
		},
	},
	"reload failed": {
		func(_ *fake, s *page.Source) {
			s.Reload = func() page.Reload {
				return page.Reload{Failed: 1, Problems: []page.Problem{
					{Text: "gtunnel.toml:3: no such key", Cure: "did you mean accept?"},
				}}
			}
		},
		[]string{
			"Configuration: gtunnel.toml:3: no such key What to do: did you mean accept?",
			"What the files say is not in force",
		},
	},
	"restart": {
		func(_ *fake, s *page.Source) {
			s.Reload = func() page.Reload { return page.Reload{Good: 1, Restart: []string{"log-file"}} }
		},
		[]string{"1 thing needs attention", "Settings in the file need a restart: log-file"},
	},
	"refused": {
		func(f *fake, _ *page.Source) {
			f.status.Refusals = []tunnel.Refusal{{
				Time: time.Now(), Code: "access-denied", Peer: "192.0.2.1:5", PeerDN: "/CN=stranger", Reason: "no rule lets it in",
				Cure: "--allow-host stranger", Times: 4,
			}}
		},
		[]string{
			"1 thing needs attention", "A host with a certificate was refused just now: /CN=stranger",
			"Warning main: No rule lets it in access-denied 4 times 192.0.2.1:5, /CN=stranger What to do: --allow-host stranger",
		},
	},
	"nobody's port scan is news": {
		func(f *fake, _ *page.Source) {
			f.status.Refusals = []tunnel.Refusal{
				{Time: time.Now(), Code: "no-tls", Peer: "192.0.2.1:5", Reason: "no TLS", Times: 1},
			}
		},
		[]string{"All is well", "main: No TLS no-tls"},
	},
}

// TestStates: each state is told in plain words, with what to do, and the
// headline knows of it.
func TestStates(t *testing.T) {
	for name, test := range states {
		t.Run(name, func(t *testing.T) {
			f := sound("main")
			s := source(f)
			test.change(f, &s)
			got := words(show(t, s))
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q: %s", want, got)
				}
			}
		})
	}
}

// TestReplication: what the process says that watches it is shown, and what
// nobody says is not taken for good.
func TestReplication(t *testing.T) {
	lag := 2.5
	running := page.Replication{
		State: page.ReplicationRunning, Summary: "ok: keeps up", Master: "127.0.0.1:3307", LagSeconds: &lag,
		Since: time.Now().Add(-3 * day),
		History: []page.LagPoint{
			{At: time.Now().Add(-20 * time.Second), LagSeconds: &lag}, {At: time.Now().Add(-10 * time.Second)},
		},
		Compared: &page.Comparison{At: time.Now().Add(-5 * time.Hour), Equal: true, Summary: "all tables are equal"},
	}
	broken := running
	broken.State, broken.LagSeconds = page.ReplicationBroken, nil
	broken.Summary, broken.Hint = "it has stopped", "look at its error"
	different := running
	different.Compared = &page.Comparison{At: time.Now(), Summary: "2 tables differ"}
	told := different
	told.Findings = []page.ReplicationFinding{
		{Level: "warning", Code: "compared-unequal", Text: "2 things NOT equal", Cure: "compare"},
	}
	odd := running
	odd.State = "odd"
	for name, test := range map[string]struct {
		answer any
		want   []string
	}{
		"running": {running, []string{
			"All is well", "Good Keeps up", "Behind the master 2.5 s", "So for 3 days",
			"Behind the master: not known now, 2.5 s on average",
			"All tables are equal (5 hours ago).",
		}},
		"broken": {broken, []string{
			"1 thing needs attention", "Problem Replication: It has stopped What to do: look at its error",
			"Behind the master not known",
		}},
		"different": {different, []string{
			"1 thing needs attention", "The last comparison: 2 tables differ What to do: gtunnel replication compare",
		}},
		"different, as status has it": {told, []string{"1 thing needs attention", "2 things NOT equal What to do: compare"}},
		"an unknown word":             {odd, []string{"1 thing needs attention"}},
		"no JSON": {http.StatusOK, []string{
			"1 thing needs attention", "The state of the replication is not known", "answers what cannot be read",
		}},
		"an error": {http.StatusInternalServerError, []string{"1 thing needs attention", "answers 500"}},
		"nobody":   {nil, []string{"All is well", "Not watched on this host.", "systemctl enable --now gtunnel-monitor"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(sound("main"))
			if test.answer != nil {
				s.Socket = answering(t, test.answer)
			}
			got := words(show(t, s))
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q: %s", want, got)
				}
			}
		})
	}
}
