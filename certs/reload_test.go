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

// TestReload changes a CApath step by step.
func TestReload(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	other := must(certstest.NewCA("Other", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func(mode certs.CRLMode) error {
		_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.RoleClient, now, certs.Policy{CRL: mode}))
		return err
	}
	const rootDN, otherDN = "/DC=test/DC=gtunnel/CN=Root", "/DC=test/DC=gtunnel/CN=Other"
	hash, oldHash := hashes(root)
	otherHash, otherOld := hashes(other)
	policy, names := filepath.Join(dir, "Root.signing_policy"), filepath.Join(dir, hash+".namespaces")

	t.Run("nothing", func(t *testing.T) {
		before := store.Snapshot()
		wantChange(t, reload(t, store))
		wantChange(t, nil)
		if store.Snapshot() != before {
			t.Error("another snapshot")
		}
	})
	t.Run("files touched and written anew", func(t *testing.T) {
		before := store.Snapshot()
		for _, file := range []string{"Root.pem", "Root.signing_policy"} {
			path := filepath.Join(dir, file)
			data := must(os.ReadFile(path))
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, data, 0o644)
		}
		wantChange(t, reload(t, store))
		if store.Snapshot() != before {
			t.Error("another snapshot")
		}
	})
	t.Run("CA added", func(t *testing.T) {
		if err := certstest.WriteCApath(dir, other); err != nil {
			t.Fatal(err)
		}
		first := min(otherHash, otherOld)
		wantChange(t, reload(t, store), "1 CA added: "+otherDN,
			"1 policy added: "+filepath.Join(dir, first+".signing_policy"))
	})
	t.Run("CRLs added, renewed, removed", func(t *testing.T) {
		if _, err := certstest.WriteCRL(dir, root, current); err != nil {
			t.Fatal(err)
		}
		files := must(certstest.WriteCRL(dir, other, current))
		wantChange(t, reload(t, store), "2 CRLs added: "+otherDN+", "+rootDN)
		if err := verify(certs.CRLRequire); err != nil {
			t.Error(err)
		}
		must(certstest.WriteCRL(dir, root, naming(current, host)))
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		wantChange(t, reload(t, store), "1 CRL renewed: "+rootDN,
			"2 files are missing, and count as removed if they are not back in 10s: ")
		wantChange(t, secondLook(t, store), "1 CRL removed: "+otherDN, "2 missing files count as removed: ")
		wantRefusal(t, verify(certs.CRLIfValid), certs.CodeRevoked)
		must(certstest.WriteCRL(dir, root, current))
		wantChange(t, reload(t, store), "1 CRL renewed")
	})
	t.Run("policy renewed", func(t *testing.T) {
		sane := must(os.ReadFile(policy))
		writeFile(t, policy, []byte(signing("Root", `"/DC=org/*"`)), 0o644)
		wantChange(t, reload(t, store), "1 policy renewed: "+filepath.Join(dir, min(hash, oldHash)+".signing_policy"))
		wantRefusal(t, verify(certs.CRLIgnore), certs.CodePolicyDenied)
		writeFile(t, policy, sane, 0o644)
		wantChange(t, reload(t, store), "1 policy renewed")
	})
	t.Run("policy malformed", func(t *testing.T) {
		sane := must(os.ReadFile(policy))
		writeFile(t, policy, sane[:len(sane)-5], 0o644)
		change := reload(t, store)
		wantChange(t, change, "1 new problem: ")
		if len(change.Problems) != 1 || !strings.Contains(change.Problems[0].Message, "stays in use)") {
			t.Errorf("problems %v", change.Problems)
		}
		if err := verify(certs.CRLIgnore); err != nil {
			t.Error(err)
		}
		wantChange(t, reload(t, store))
		if err := os.Remove(policy); err != nil { // its links dangle
			t.Fatal(err)
		}
		wantChange(t, reload(t, store), "2 new problems", "1 problem solved")
		if err := verify(certs.CRLIgnore); err != nil {
			t.Error(err)
		}
		writeFile(t, policy, sane, 0o644)
		wantChange(t, reload(t, store), "2 problems solved")
	})
	t.Run("policy malformed from the beginning", func(t *testing.T) {
		writeFile(t, names, []byte("TO"), 0o644)
		wantChange(t, reload(t, store), "1 policy added: "+names, "1 new problem: "+names)
		wantRefusal(t, verify(certs.CRLIgnore), certs.CodePolicyMalformed)
		if err := os.Remove(names); err != nil {
			t.Fatal(err)
		}
		wantChange(t, reload(t, store), "1 file is missing, and counts as removed if it is not back in 10s: "+names)
		wantChange(t, secondLook(t, store), "1 policy removed", "1 missing file counts as removed", "1 problem solved")
		if err := verify(certs.CRLIgnore); err != nil {
			t.Error(err)
		}
	})
	t.Run("CRL damaged, then of a stranger's key", func(t *testing.T) {
		file := filepath.Join(dir, hash+".r0")
		good := must(os.ReadFile(file))
		stranger := must(certstest.NewCA("Root", sound))
		if err := os.Remove(filepath.Join(dir, oldHash+".r0")); err != nil {
			t.Fatal(err)
		}
		reload(t, store)
		secondLook(t, store)
		for _, bad := range [][]byte{good[:100], nil, pemOf("X509 CRL", must(stranger.NewCRL(current)))} {
			writeFile(t, file, bad, 0o644)
			change := reload(t, store)
			if len(change.Problems) != 1 || change.Problems[0].File != file ||
				!strings.HasSuffix(change.Problems[0].Message, "stays in use)") {
				t.Errorf("problems %v", change.Problems)
			}
			if err := verify(certs.CRLRequire); err != nil {
				t.Error(err)
			}
			ca := findCA(t, store, rootDN)
			if !slices.ContainsFunc(ca.CRLs, func(list certs.CRL) bool { return list.LastGood && list.Unverified == "" }) ||
				len(ca.Problems) != 1 {
				t.Errorf("the CA shows the lists %+v and the problems %v", ca.CRLs, ca.Problems)
			}
		}
		writeFile(t, file, pemOf("X509 CRL", must(root.NewCRL(naming(current, host)))), 0o644)
		wantChange(t, reload(t, store), "1 CRL renewed", "1 problem solved")
		wantRefusal(t, verify(certs.CRLRequire), certs.CodeRevoked)
		writeFile(t, file, good, 0o644)
		reload(t, store)
	})
	t.Run("CA damaged", func(t *testing.T) {
		file := filepath.Join(dir, "Root.pem")
		good := must(os.ReadFile(file))
		for _, bad := range [][]byte{
			good[:100], pemOf("CERTIFICATE", other.Certificate.Raw), pemOf("CERTIFICATE", host.Certificate.Raw),
		} {
			writeFile(t, file, bad, 0o644)
			if change := reload(t, store); len(change.Problems) == 0 || len(change.CAs.Removed)+len(change.CAs.Renewed) > 0 {
				t.Errorf("the change %v", change)
			}
			if err := verify(certs.CRLRequire); err != nil {
				t.Error(err)
			}
		}
		writeFile(t, file, good, 0o644)
		if change := reload(t, store); len(change.Problems) > 0 || len(change.Solved) == 0 {
			t.Errorf("the change %v", change)
		}
		if problems := store.Snapshot().Problems(); len(problems) > 0 {
			t.Errorf("problems %v", problems)
		}
	})
	t.Run("CA renewed with another key", func(t *testing.T) {
		file := filepath.Join(dir, "Other.pem")
		renewed := must(certstest.NewCA("Other", sound))
		writeFile(t, file, pemOf("CERTIFICATE", renewed.Certificate.Raw), 0o644)
		wantChange(t, reload(t, store), "1 CA renewed: "+otherDN)
	})
	t.Run("CA removed", func(t *testing.T) {
		for _, pattern := range []string{"Root.*", hash + ".*", oldHash + ".*"} {
			for _, file := range must(filepath.Glob(filepath.Join(dir, pattern))) {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
		reload(t, store)
		wantChange(t, secondLook(t, store), "1 CA removed: "+rootDN, "1 CRL removed: "+rootDN, "1 policy removed",
			"5 missing files count as removed")
		wantRefusal(t, verify(certs.CRLIgnore), certs.CodeUnknownCA)
	})
	t.Run("everything removed", func(t *testing.T) {
		before := store.Snapshot()
		for _, empty := range []bool{true, false} {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if empty {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			_, err := store.Reload()
			wantHint(t, err, dir, "‹capath›")
			if store.Snapshot() != before {
				t.Error("the old trust is gone")
			}
		}
		if err := certstest.WriteCApath(dir, root); err != nil {
			t.Fatal(err)
		}
		wantChange(t, reload(t, store), "1 CA added: "+rootDN, "1 policy added", "4 files are missing")
		wantChange(t, secondLook(t, store), "1 CA removed: "+otherDN, "1 policy removed", "4 missing files count as removed")
	})
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
		_, err := certs.Verify(store.Snapshot(), host.Chain, anyone(certs.RoleClient, now, certs.Policy{}))
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
	session, err := certs.Verify(store.Snapshot(), good.Chain, anyone(certs.RoleClient, time.Now(), endpoint.Policy))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var judges sync.WaitGroup
	for range 4 {
		judges.Go(func() {
			session := session
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := certs.Verify(
					store.Snapshot(), good.Chain, anyone(certs.RoleClient, time.Now(), endpoint.Policy),
				); err != nil {
					t.Error(err)
					return
				}
				if _, err := certs.Verify(
					store.Snapshot(), bad.Chain, anyone(certs.RoleClient, time.Now(), endpoint.Policy),
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
		})
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
		_, err := certs.Verify(store.Snapshot(), bad.Chain, anyone(certs.RoleClient, time.Now(), endpoint.Policy))
		if revoked := err != nil; revoked != (i%2 == 0) {
			t.Errorf("round %d: %v", i, err)
		}
	}
	close(done)
	judges.Wait()
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
		held(certs.RoleServer, "host.test", now, unbound)); err != nil {
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
