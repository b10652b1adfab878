package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// newTestReloader is the reloader of a client with a host certificate, whose
// file holds the chain, and a CApath of these CAs.
func newTestReloader(
	t *testing.T, host *certstest.Host, cas ...*certstest.CA,
) (r *reloader, logs *observer.ObservedLogs, folder string) {
	t.Helper()
	folder = t.TempDir()
	whole, c := config.New("client"), config.NewTunnel("", tunnel.Client)
	c.CApath = filepath.Join(folder, "certificates")
	if err := certstest.WriteCApath(c.CApath, cas...); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.Cert, c.Key, err = host.Write(folder); err != nil {
		t.Fatal(err)
	}
	c.Connect = []tunnel.Address{{Network: "tcp", Host: "server.test", Port: "3307"}}
	c.Complete()
	whole.Tunnels = []config.Tunnel{c}
	core, logs := observer.New(zapcore.InfoLevel)
	p, err := newProcess(whole, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	p.logStart(zap.New(core), time.Now())
	return newReloader(p, zap.New(core)), logs, folder
}

func value[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantLines checks the levels and messages that were logged since the call
// before.
func wantLines(t *testing.T, logs *observer.ObservedLogs, want ...string) {
	t.Helper()
	var got []string
	for _, e := range logs.TakeAll() {
		got = append(got, e.Level.String()+" "+e.Message)
	}
	if len(got) != len(want) {
		t.Errorf("got the lines %q, want %q", got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("got the line %q, want %q", got[i], want[i])
		}
	}
}

// TestCertificateEnds: the log says when the end is near, at once when it has
// come, and once a day in either case.
func TestCertificateEnds(t *testing.T) {
	ca := value(certstest.NewCA("Test CA", certstest.Options{}))(t)
	host := value(ca.NewHost("client.test", certstest.Options{NotAfter: time.Now().AddDate(0, 1, 0)}))(t)
	r, logs, _ := newTestReloader(t, host, ca)
	logs.TakeAll()
	end := host.Certificate.NotAfter
	const day = 24 * time.Hour
	const soon = "warn certificate expires in less than 14 days: renew it now"
	ended := "error certificate has ended on " + end.UTC().Format(time.DateTime) + " UTC: every peer refuses it"
	for _, step := range []struct {
		at   time.Time
		want []string
	}{
		{end.Add(-15 * day), nil},
		{end.Add(-13 * day), []string{soon}},
		{end.Add(-13*day + time.Hour), nil},
		{end.Add(-time.Hour), []string{soon}},
		{end, nil},
		{end.Add(time.Second), []string{ended}},
		{end.Add(2 * time.Second), nil},
		{end.Add(day + time.Minute), []string{ended}},
	} {
		if said := r.reload(step.at); said != (step.want != nil) {
			t.Errorf("%s after the end: said %t", step.at.Sub(end), said)
		}
		wantLines(t, logs, step.want...)
	}
}

// TestEndedCAInTheFile: the log says what is sent instead of a subordinate
// that has ended, at the start and when it changes.
func TestEndedCAInTheFile(t *testing.T) {
	root := value(certstest.NewCA("Root", certstest.Options{}))(t)
	sub := value(root.NewSubordinate("Sub",
		certstest.Options{NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().Add(-time.Hour)}))(t)
	host := value(sub.NewHost("client.test", certstest.Options{}))(t)
	r, logs, folder := newTestReloader(t, host, root)
	const refused = "a CA in the certificate's file has ended: peers that have no newer certificate of it refuse this host"
	const sent = "a CA in the certificate's file has ended: the renewed one is sent in its place"
	if found := logs.FilterMessage(refused).TakeAll(); len(found) != 1 || found[0].Level != zapcore.WarnLevel ||
		found[0].ContextMap()["ca"] != "/DC=test/DC=gtunnel/CN=Sub" {
		t.Errorf("at the start: %+v", found)
	}
	logs.TakeAll()
	renewed := value(sub.Renew(certstest.Options{}))(t)
	if err := certstest.WriteCApath(filepath.Join(folder, "certificates"), renewed); err != nil {
		t.Fatal(err)
	}
	r.reload(time.Now())
	if found := logs.FilterMessage(sent).TakeAll(); len(found) != 1 || found[0].Level != zapcore.InfoLevel ||
		found[0].ContextMap()["renewed"] == "" {
		t.Errorf("when it is installed: %+v", found)
	}
	logs.TakeAll()
	var text []byte
	for _, certificate := range []*x509.Certificate{host.Certificate, renewed.Certificate} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	check := &hostCheck{config: &r.process.config.Tunnels[0], now: time.Now()}
	check.host()
	if !slices.ContainsFunc(check.findings, func(f checkLine) bool {
		return f.Level == levelOK && f.About == "chain" && strings.Contains(f.Text, "has ended on ") &&
			strings.Contains(f.Text, "the renewed one is sent in its place")
	}) {
		t.Errorf("certs check finds %+v", check.findings)
	}
	if err := os.WriteFile(filepath.Join(folder, "hostcert.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.reload(time.Now())
	wantLines(t, logs, "info certificate changed")
}

// TestCertificateOfOtherNames: a renewal that proves less than the certificate
// before, or something else, is a warning with both.
func TestCertificateOfOtherNames(t *testing.T) {
	ca := value(certstest.NewCA("Test CA", certstest.Options{}))(t)
	host := func(name string, o certstest.Options) *certstest.Host { return value(ca.NewHost(name, o))(t) }
	r, logs, folder := newTestReloader(t, host("client.test", certstest.Options{IPs: []string{"192.0.2.1"}}), ca)
	const names = "warn the new certificate proves other names: peers that dial or allow this host by a name that is " +
		"gone refuse it"
	const dn = "warn the new certificate has another DN: peers that allow this host by its DN refuse it"
	const changed = "info certificate changed"
	for _, step := range []struct {
		about string
		host  *certstest.Host
		want  []string
	}{
		{"the same", host("client.test", certstest.Options{IPs: []string{"192.0.2.1"}}), []string{changed}},
		{
			"a name more",
			host("client.test", certstest.Options{DNSNames: []string{"client.test", "more.test"}, IPs: []string{"192.0.2.1"}}),
			[]string{changed},
		},
		{
			"the address is gone", host("client.test", certstest.Options{DNSNames: []string{"client.test", "more.test"}}),
			[]string{changed, names},
		},
		{
			"another DN",
			host("client.test",
				certstest.Options{DNSNames: []string{"client.test", "more.test"}, CommonName: "host/client.test"}),
			[]string{changed, dn},
		},
		{"another host's", host("server.test", certstest.Options{}), []string{changed, names}},
	} {
		if _, _, err := step.host.Write(folder); err != nil {
			t.Fatal(err)
		}
		logs.TakeAll()
		r.reload(time.Now())
		if step.about == "another host's" {
			line := logs.All()[logs.Len()-1].ContextMap()
			if line["dn_before"] != "/DC=test/DC=gtunnel/O=hosts/CN=host/client.test" ||
				line["dn"] != "/DC=test/DC=gtunnel/O=hosts/CN=server.test" {
				t.Errorf("the line names %v and %v", line["dn_before"], line["dn"])
			}
		}
		t.Log(step.about)
		wantLines(t, logs, step.want...)
	}
}
