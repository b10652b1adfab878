package certs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// twoKeys is a CApath with two CAs of one name, and a host of each.
func twoKeys(t testing.TB) (store *certs.Store, dir string, verify func() error) {
	t.Helper()
	cas := []*certstest.CA{must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))}
	hosts := []*certstest.Host{must(cas[0].NewHost("one.test", sound)), must(cas[1].NewHost("two.test", sound))}
	dir = filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	for n, ca := range cas {
		writeList(t, dir, ca, n, current)
	}
	store = must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	store.PassTime(0)
	verify = func() error {
		for _, host := range hosts {
			if _, err := certs.Verify(store.Snapshot(), host.Chain,
				anyone(certs.PeerClient, now, certs.Policy{CRL: certs.CRLRequire})); err != nil {
				return err
			}
		}
		return nil
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	return store, dir, verify
}

// glob finds files of a CApath.
func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	files := must(filepath.Glob(filepath.Join(dir, pattern)))
	if len(files) == 0 {
		t.Fatalf("no files %s in %s", pattern, dir)
	}
	return files
}

// moveFiles moves the files of a pattern from one directory to another.
func moveFiles(t testing.TB, from, to, pattern string) {
	t.Helper()
	for _, file := range glob(t, from, pattern) {
		if err := os.Rename(file, filepath.Join(to, filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSecondLook: what vanishes counts for as long as SecondLook says, and
// what is back by then has never been away.
func TestSecondLook(t *testing.T) {
	for name, pattern := range map[string]string{
		"a CA":                    "*.0", // each has two numbers
		"lists":                   "*.r[01]",
		"policies":                "[0-9a-f]*.signing_policy",
		"where links to CAs lead": "Root.pem",
	} {
		t.Run(name, func(t *testing.T) {
			store, dir, verify := twoKeys(t)
			before, away := store.Snapshot(), t.TempDir()
			moveFiles(t, dir, away, pattern)
			if change := reload(t, store); len(change.Missing) == 0 || !strings.Contains(change.String(), "missing, and count") {
				t.Errorf("the change %v", change)
			}
			store.PassTime(certs.SecondLook - time.Second)
			wantChange(t, reload(t, store))
			if err := verify(); err != nil || store.Snapshot() != before {
				t.Errorf("before the second look: %v, another snapshot %t", err, store.Snapshot() != before)
			}
			if store.NextLook().IsZero() {
				t.Error("nobody need look again")
			}
			moveFiles(t, away, dir, pattern)
			if change := reload(t, store); len(change.Back) == 0 || len(change.Missing)+len(change.Removed) > 0 {
				t.Errorf("the change %v", change)
			}
			if err := verify(); err != nil || store.Snapshot() != before || !store.NextLook().IsZero() {
				t.Errorf("when all is back: %v, another snapshot %t, next look %s", err, store.Snapshot() != before,
					store.NextLook())
			}

			moveFiles(t, dir, away, pattern) // and the time begins anew
			reload(t, store)
			store.PassTime(certs.SecondLook - time.Second)
			wantChange(t, reload(t, store))
			store.PassTime(time.Second)
			if change := reload(t, store); len(change.Removed) == 0 {
				t.Errorf("the change %v", change)
			}
			if verify() == nil || !store.NextLook().IsZero() {
				t.Errorf("what has been missing for %s still counts; next look %s", certs.SecondLook, store.NextLook())
			}
		})
	}
}

// TestSecondLookAtNumbers: while a file of a hash is missing, what another has
// taken the name of counts too: numbers are dealt one by one.
func TestSecondLookAtNumbers(t *testing.T) {
	store, dir, verify := twoKeys(t)
	for range 2 {
		zeros, ones := glob(t, dir, "*.0"), glob(t, dir, "*.1")
		first, second := must(os.Readlink(zeros[0])), must(os.Readlink(ones[0]))
		for i := range zeros { // by both hashes
			remove(t, zeros[i], ones[i])
			symlink(t, second, zeros[i])
		}
		if change := reload(t, store); len(change.CAs.Removed)+len(change.CAs.Renewed) > 0 || len(change.Missing) != 2 {
			t.Errorf("the change %v", change)
		}
		if err := verify(); err != nil {
			t.Errorf("with one of two numbers: %v", err)
		}
		for i := range ones {
			symlink(t, first, ones[i])
		}
		reload(t, store)
		if err := verify(); err != nil {
			t.Error(err)
		}
	}
	// A certificate that is replaced, and nothing is missing, counts at once.
	writeFile(t, filepath.Join(dir, "Root.pem"),
		pemOf("CERTIFICATE", must(certstest.NewCA("Root", sound)).Certificate.Raw), 0o644)
	reload(t, store)
	wantRefusal(t, verify(), certs.CodeBadSignature)
}

// TestSecondLookWaitsForNothingElse: what is new counts at once, whatever is
// missing.
func TestSecondLookWaitsForNothingElse(t *testing.T) {
	root, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))
	host := must(root.NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	file := writeList(t, dir, root, 0, current)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func(host *certstest.Host) error {
		_, err := certs.Verify(store.Snapshot(), host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{CRL: certs.CRLIfValid}))
		return err
	}
	if err := certstest.WriteCApath(dir, other); err != nil {
		t.Fatal(err)
	}
	remove(t, file)
	writeList(t, dir, root, 1, naming(current, host))
	wantChange(t, reload(t, store), "1 CA added", "1 CRL renewed", "1 policy added", "1 file is missing")
	wantRefusal(t, verify(host), certs.CodeRevoked)
	if err := verify(must(other.NewHost("other.test", sound))); err != nil {
		t.Error(err)
	}
}

// TestNextLookAfterAFailure: a directory that is away for a moment is looked
// at again, however seldom the caller looks.
func TestNextLookAfterAFailure(t *testing.T) {
	store, dir, verify := twoKeys(t)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Reload()
	wantHint(t, err, dir, "‹capath›")
	if store.NextLook().IsZero() {
		t.Error("nobody need look again")
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	wantChange(t, reload(t, store))
	if err := verify(); err != nil || !store.NextLook().IsZero() {
		t.Errorf("%v, next look %s", err, store.NextLook())
	}
}
