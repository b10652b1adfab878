package certs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// reload reloads a store that has no reason to fail.
func reload(t testing.TB, store *certs.Store) *certs.Change {
	t.Helper()
	change, err := store.Reload()
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// secondLook reloads a store as long after files have vanished as it takes for
// them to count as removed.
func secondLook(t testing.TB, store *certs.Store) *certs.Change {
	t.Helper()
	store.PassTime(certs.SecondLook)
	return reload(t, store)
}

// wantChange checks that the line for the log says certain words and no more
// parts than these.
func wantChange(t testing.TB, change *certs.Change, parts ...string) {
	t.Helper()
	line := change.String()
	if strings.Contains(line, "\n") || change.Empty() != (len(parts) == 0) {
		t.Errorf("the line %q, empty %t", line, change.Empty())
	}
	if got := strings.Split(line, "; "); len(parts) > 0 && len(got) != len(parts) {
		t.Errorf("the line %q, want %d parts: %q", line, len(parts), parts)
	}
	for _, part := range parts {
		if !strings.Contains(line, part) {
			t.Errorf("the line %q does not say %q", line, part)
		}
	}
}

func findCA(t testing.TB, store *certs.Store, dn string) *certs.CA {
	t.Helper()
	cas := store.Snapshot().CAs()
	i := slices.IndexFunc(cas, func(ca *certs.CA) bool { return ca.Subject.Slash() == dn })
	if i < 0 {
		t.Fatalf("%s is not installed", dn)
	}
	return cas[i]
}

// TestReloadCAfile: the CA file that vanishes or breaks stays in
// use.
func TestReloadCAfile(t *testing.T) {
	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	host := must(root.NewHost("host.test", sound))
	file := writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), pemOf("CERTIFICATE", root.Certificate.Raw), 0o644)
	store := must(certs.OpenStore(certs.StoreConfig{CAfile: file}))
	verify := func() error {
		_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.PeerClient, now, certs.Policy{}))
		return err
	}
	for _, break_ := range []func() error{
		func() error { return os.Remove(file) },
		func() error { return os.WriteFile(file, []byte("hello"), 0o600) },
	} {
		if err := break_(); err != nil {
			t.Fatal(err)
		}
		change, err := store.Reload()
		if err != nil || len(change.Problems) != 1 || !strings.Contains(change.String(), "stays in use)") {
			t.Errorf("change %v, error %v", change, err)
		}
		if err := verify(); err != nil {
			t.Error(err)
		}
	}
	writeFile(t, file, pemOf("CERTIFICATE", other.Certificate.Raw), 0o644)
	wantChange(t, reload(t, store), "1 CA added", "1 CA removed", "1 problem solved")
	if refusal := wantRefusal(t, verify(), certs.CodeUnknownCA); !strings.HasSuffix(refusal.Cure,
		" to "+file+", if you trust it.") {
		t.Errorf("the cure %q does not name the CA file", refusal.Cure)
	}
}

// TestReloadWhileVerifying swaps lists and CAs while peers are judged: each
// verdict is that of one moment.
func TestReloadWhileVerifying(t *testing.T) {
	root, extra := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Extra", sound))
	good, bad := must(root.NewHost("good.test", sound)), must(root.NewHost("bad.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	must(certstest.WriteCRL(dir, root, current))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	endpoint := &certs.Endpoint{
		Store: store, Policy: certs.Policy{CRL: certs.CRLRequire, Access: must(certs.NewAccess(nil, nil, true))},
	}
	session, err := certs.Verify(store.Snapshot(), good.Chain, anyone(certs.PeerClient, time.Now(), endpoint.Policy))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var judges sync.WaitGroup
	for range 4 {
		judges.Go(func() { judgeUntil(t, done, endpoint, session, good, bad) })
	}
	for i := range 40 {
		o := current
		if i%2 == 0 {
			o = naming(current, bad)
		}
		must(certstest.WriteCRL(dir, root, o))
		if i == 20 {
			if err := certstest.WriteCApath(dir, extra); err != nil {
				t.Fatal(err)
			}
		}
		reload(t, store)
		_, err := certs.Verify(store.Snapshot(), bad.Chain, anyone(certs.PeerClient, time.Now(), endpoint.Policy))
		if revoked := err != nil; revoked != (i%2 == 0) {
			t.Errorf("round %d: %v", i, err)
		}
	}
	close(done)
	judges.Wait()
}

// judgeUntil judges a good and a bad peer, and a session with the good one,
// until done is closed.
func judgeUntil(
	t *testing.T, done <-chan struct{}, endpoint *certs.Endpoint, session *certs.Result, good, bad *certstest.Host,
) {
	t.Helper()
	for {
		select {
		case <-done:
			return
		default:
		}
		if _, err := certs.Verify(
			endpoint.Store.Snapshot(), good.Chain, anyone(certs.PeerClient, time.Now(), endpoint.Policy),
		); err != nil {
			t.Error(err)
			return
		}
		if _, err := certs.Verify(
			endpoint.Store.Snapshot(), bad.Chain, anyone(certs.PeerClient, time.Now(), endpoint.Policy),
		); err != nil {
			wantRefusal(t, err, certs.CodeRevoked)
		}
		again, err := endpoint.Recheck(session, time.Now())
		if err != nil {
			t.Error(err)
			return
		}
		session = again
	}
}

// TestCredentialKeepsAGoodPair: a bad pair never takes the place of a good one.
func TestCredentialKeepsAGoodPair(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	first, second := must(sub.NewHost("host.test", sound)), must(sub.NewHost("host.test", sound))
	dir := t.TempDir()
	certFile, keyFile, err := first.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := must(certs.LoadCredential(certFile, keyFile))
	if gotCert, gotKey := c.Files(); gotCert != certFile || gotKey != keyFile {
		t.Errorf("files %s and %s", gotCert, gotKey)
	}
	if chain := c.Chain(); len(chain) != 2 || !chain[0].Equal(first.Certificate) || !chain[1].Equal(sub.Certificate) {
		t.Errorf("the chain has %d certificates", len(chain))
	}
	if result, err := certs.Verify(openStore(t, root).Snapshot(), c.Chain(),
		held(certs.PeerServer, "host.test", now, unbound)); err != nil {
		t.Errorf("its own chain: %v, %v", result, err)
	}
	for range 2 {
		if changed, err := c.Reload(); changed || err != nil {
			t.Errorf("changed %t, error %v", changed, err)
		}
	}
	if err := os.WriteFile(certFile, pemOf("CERTIFICATE", second.Certificate.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		changed, err := c.Reload()
		wantHint(t, err, "does not belong", "openssl")
		if changed || !c.Certificate().Equal(first.Certificate) {
			t.Error("the bad pair took the place of the good one")
		}
	}
	if _, _, err := second.Write(dir); err != nil {
		t.Fatal(err)
	}
	if changed, err := c.Reload(); !changed || err != nil || !c.Certificate().Equal(second.Certificate) {
		t.Errorf("changed %t, error %v", changed, err)
	}
	if err := os.Chmod(keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = c.Reload()
	wantHint(t, err, "0644", "chmod 0400")
}

// TestChangeIsOneLine: however much has changed.
func TestChangeIsOneLine(t *testing.T) {
	for _, test := range []struct {
		change *certs.Change
		want   bool
	}{
		{nil, false},
		{new(certs.Change), false},
		{&certs.Change{CRLs: certs.Changed{Added: []string{"/CN=x"}}}, false},
		{&certs.Change{CAs: certs.Changed{Renewed: []string{"/CN=x"}}}, true},
	} {
		if got := test.change.HasCAs(); got != test.want {
			t.Errorf("%v: HasCAs is %t", test.change, got)
		}
	}
	change := &certs.Change{Problems: []certs.Problem{{File: "/f", Line: 2, Message: "broken"}}}
	for i := range 88 {
		change.CRLs.Renewed = append(change.CRLs.Renewed, fmt.Sprint("/CN=", i))
	}
	const want = "88 CRLs renewed: /CN=0, /CN=1, /CN=2 and 85 more; 1 new problem: /f:2: broken"
	if got := change.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
