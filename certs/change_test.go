package certs_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// remove removes files.
func remove(t testing.TB, files ...string) {
	t.Helper()
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// symlink makes a link.
func symlink(t testing.TB, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}

// TestOneLinkToAPolicyGoes: of two CAs whose policy is one file, that which
// loses its link has no policy, and the change says so.
func TestOneLinkToAPolicyGoes(t *testing.T) {
	for _, loses := range []int{0, 1} {
		cas := []*certstest.CA{must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound))}
		hosts := []*certstest.Host{must(cas[0].NewHost("host.test", sound)), must(cas[1].NewHost("host.test", sound))}
		dir := bare(t, cas...)
		const all = `"/DC=test/DC=gtunnel/*"`
		writeFile(t, filepath.Join(dir, "both.signing_policy"), []byte(signing("Root", all)+signing("Other", all)), 0o644)
		var links []string
		for _, ca := range cas {
			hash, _ := hashes(ca)
			links = append(links, filepath.Join(dir, hash+".signing_policy"))
			symlink(t, "both.signing_policy", links[len(links)-1])
		}
		store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
		verify := func(i int) error {
			_, err := certs.Verify(store.Snapshot(), hosts[i].Chain, anyone(certs.PeerClient, now, certs.Policy{}))
			return err
		}
		for i := range cas {
			if err := verify(i); err != nil {
				t.Fatal(err)
			}
		}
		remove(t, links[loses])
		wantChange(t, reload(t, store), "1 file is missing")
		wantChange(t, secondLook(t, store), "1 policy removed: "+links[loses],
			"1 missing file counts as removed: "+links[loses])
		wantRefusal(t, verify(loses), certs.CodePolicyMissing)
		if err := verify(1 - loses); err != nil {
			t.Error(err)
		}
		symlink(t, "both.signing_policy", links[loses])
		wantChange(t, reload(t, store), "1 policy added: "+links[loses])
		if err := verify(loses); err != nil {
			t.Error(err)
		}
	}
}

// TestOtherFileNames: the same CA by a name more is another Snapshot, though
// nothing else has changed.
func TestOtherFileNames(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	before := store.Snapshot()
	hash, _ := hashes(root)
	symlink(t, "Root.pem", filepath.Join(dir, hash+".1"))
	change := reload(t, store)
	if change.Empty() || store.Snapshot() == before ||
		change.String() != "the same CAs, CRLs and policies have other file names" {
		t.Errorf("the change %q, another snapshot %t", change, store.Snapshot() != before)
	}
}

// TestEveryOtherSnapshotIsAChange plays with the files of a CApath: whoever
// judges again after each change that is not empty has judged by the Snapshot
// of the moment.
func TestEveryOtherSnapshotIsAChange(t *testing.T) {
	cas := []*certstest.CA{
		must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Other", sound)),
	}
	host := must(cas[0].NewHost("host.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	for _, ca := range cas {
		must(certstest.WriteCRL(dir, ca, current))
	}
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- a test
	others := 0
	for range 400 {
		shuffleFiles(t, random, dir, cas, host)
		before := store.Snapshot()
		if random.IntN(3) == 0 {
			store.PassTime(certs.SecondLook)
		}
		change, err := store.Reload()
		if other := store.Snapshot() != before; other && change.Empty() {
			t.Fatalf("another snapshot, and no change: %v, %v", change, err)
		} else if other {
			others++
		}
	}
	if others == 0 {
		t.Error("nothing has ever changed")
	}
}

// shuffleFiles does one thing at random to the files of a CApath.
func shuffleFiles(t testing.TB, random *rand.Rand, dir string, cas []*certstest.CA, host *certstest.Host) {
	t.Helper()
	var named, aliases []string
	for _, entry := range must(os.ReadDir(dir)) {
		if file := filepath.Join(dir, entry.Name()); entry.Type().IsRegular() && filepath.Ext(file) != ".r0" {
			aliases = append(aliases, file)
		} else {
			named = append(named, file)
		}
	}
	slices.Sort(named)
	oneOf := func(files []string) string { return files[random.IntN(len(files))] }
	ca := cas[random.IntN(len(cas))]
	switch action := random.IntN(6); {
	case action < 2 && len(named) > 4:
		remove(t, oneOf(named))
	case action == 2:
		if err := certstest.WriteCApath(dir, cas...); err != nil {
			t.Fatal(err)
		}
	case action == 3:
		o := current
		if random.IntN(2) == 0 {
			o = naming(current, host)
		}
		must(certstest.WriteCRL(dir, ca, o))
	case action == 4 && len(named) > 4: // one takes the name of another
		if err := os.Rename(oneOf(named), oneOf(named)); err != nil {
			t.Fatal(err)
		}
	case len(named) > 0:
		link := oneOf(named)
		target := oneOf(aliases)
		if filepath.Ext(target) == filepath.Ext(link) ||
			filepath.Ext(target) == ".pem" && filepath.Ext(link) != ".signing_policy" {
			remove(t, link)
			symlink(t, filepath.Base(target), link)
		}
	}
}
