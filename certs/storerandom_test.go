package certs_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// randomFolder is a CApath whose files change at random.
type randomFolder struct {
	t     *testing.T
	dir   string
	dice  *rand.Rand
	names []string            // that count in a CApath
	sound map[string][][]byte // what is sound under a name, by its ending
	other map[string][][]byte // what is not

	hosts map[*certstest.Host]*certstest.CA
}

// newRandomFolder has two CAs of one name, the one of which certifies the other, one of
// another name, and a subordinate.
func newRandomFolder(t *testing.T, seed uint64) *randomFolder {
	one, two, other := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound)),
		must(certstest.NewCA("Other", sound))
	sub := must(other.NewSubordinate("Sub", sound))
	f := &randomFolder{
		t: t, dir: t.TempDir(), dice: rand.New(rand.NewPCG(seed, 0)), sound: map[string][][]byte{},
		other: map[string][][]byte{}, hosts: map[*certstest.Host]*certstest.CA{},
	}
	for _, ca := range []*certstest.CA{one, two, other, sub} {
		f.hosts[must(ca.NewHost("good.test", sound))] = ca
	}
	host := must(one.NewHost("host.test", sound))
	list := func(ca *certstest.CA, o certstest.CRLOptions) []byte { return pemOf("X509 CRL", must(ca.NewCRL(o))) }
	broken := [][]byte{nil, []byte("junk"), list(one, current)[:150], pemOf("CERTIFICATE", host.Certificate.Raw)}
	for name, cas := range map[string][]*certstest.CA{"Root": {one, two}, "Other": {other}, "Sub": {sub}} {
		hash, oldHash := hashes(cas[0])
		for _, h := range []string{hash, oldHash} {
			var certificates, lists [][]byte
			for _, ca := range cas {
				certificates = append(certificates, pemOf("CERTIFICATE", ca.Certificate.Raw))
				for _, o := range []certstest.CRLOptions{current, stale, naming(current, host), critical, deltaList} {
					lists = append(lists, list(ca, o))
				}
			}
			if name == "Root" {
				certificates = append(certificates, pemOf("CERTIFICATE", rollover(one, two, withKeyID(one)).Certificate.Raw))
			}
			certificates = append(certificates, slices.Concat(certificates...))
			lists = append(lists, slices.Concat(lists...), slices.Concat(lists[1], lists[0]))
			for n := range 3 {
				ca, crl := fmt.Sprintf("%s.%d", h, n), fmt.Sprintf("%s.r%d", h, n)
				f.names = append(f.names, ca, crl)
				f.sound[ca], f.sound[crl] = certificates, lists
				f.other[ca] = broken
				f.other[crl] = append(slices.Clone(broken), list(must(certstest.NewCA(name, sound)), current),
					slices.Concat(lists[0], broken[2]))
			}
			for kind, texts := range map[string][]string{
				"signing_policy": {signing(name, `"/DC=test/*"`), signing(name, `"/DC=test/DC=gtunnel/*"`)},
				"namespaces":     {to("", "PERMIT", ".*"), to(name, "PERMIT", "/DC=test/.*")},
			} {
				policy := h + "." + kind
				f.names = append(f.names, policy)
				for _, text := range texts {
					f.sound[policy] = append(f.sound[policy], []byte(text))
				}
				f.other[policy] = broken
			}
		}
	}
	slices.Sort(f.names)
	for name := range f.sound {
		f.write(name, f.pick(f.sound[name]))
	}
	return f
}

func (f *randomFolder) pick(contents [][]byte) []byte { return contents[f.dice.IntN(len(contents))] }

func (f *randomFolder) name() string { return f.names[f.dice.IntN(len(f.names))] }

// write replaces a file, or makes a link to one.
func (f *randomFolder) write(name string, content []byte) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if f.dice.IntN(3) > 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			f.t.Fatal(err)
		}
		if f.dice.IntN(2) == 0 {
			alias := fmt.Sprintf("alias-%d", f.dice.IntN(30))
			writeFile(f.t, filepath.Join(f.dir, alias), content, 0o644)
			symlink(f.t, alias, path)
			return
		}
	}
	writeFile(f.t, path, content, 0o644) // through a link, if it is one
}

// change does one thing.
func (f *randomFolder) change() {
	f.t.Helper()
	name := f.name()
	path := filepath.Join(f.dir, name)
	switch f.dice.IntN(7) {
	case 0, 1:
		f.write(name, f.pick(f.sound[name]))
	case 2:
		f.write(name, f.pick(f.other[name]))
	case 3, 4:
		_ = os.Remove(path)
	case 5:
		// Numbers are dealt anew.
		hash, kind, _ := strings.Cut(name, ".")
		_ = os.Rename(path, filepath.Join(f.dir, hash+"."+strings.TrimRight(kind, "012")+fmt.Sprint(f.dice.IntN(3))))
	case 6:
		_ = os.Remove(filepath.Join(f.dir, fmt.Sprintf("alias-%d", f.dice.IntN(30))))
	}
}

// tick waits for the clock by which the file system stamps files: the store's
// own time is ahead, so that it takes every stamp for settled.
func (f *randomFolder) tick() {
	f.t.Helper()
	stamped := func() time.Time {
		return must(os.Stat(writeFile(f.t, filepath.Join(f.dir, "tick"), nil, 0o644))).ModTime()
	}
	for before := stamped(); stamped().Equal(before); {
		time.Sleep(time.Millisecond)
	}
}

// heal leaves nothing in the folder that has a problem, and has all CAs in it:
// a list of a CA that is not installed is one.
func (f *randomFolder) heal() {
	f.t.Helper()
	for _, name := range f.names {
		path := filepath.Join(f.dir, name)
		content, err := os.ReadFile(path)
		if !slices.ContainsFunc(f.sound[name], func(sound []byte) bool { return err == nil && bytes.Equal(sound, content) }) {
			_ = os.Remove(path)
		}
		if strings.HasSuffix(name, ".0") && f.dice.IntN(2) == 0 || strings.HasSuffix(name, ".1") {
			_ = os.Remove(path)
			writeFile(f.t, path, f.sound[name][len(f.sound[name])-1], 0o644)
		}
	}
}

// show is all that can be seen of a snapshot, one line for each thing.
func show(s *certs.Snapshot) []string {
	var lines []string
	for _, ca := range s.CAs() {
		dn := fmt.Sprintf("%s %X", ca.Subject.Slash(), ca.Certificate.SerialNumber)
		lines = append(lines, fmt.Sprintf("CA %s %v %t %v", dn, ca.Files, ca.Anchor, ca.Problems))
		for _, list := range ca.CRLs {
			code, why := list.State(now)
			lines = append(lines,
				fmt.Sprintf("CRL %s %v %v %v %t %s %s", dn, list.Number, list.Files, list.Unverified, list.LastGood, code, why))
		}
		for _, policy := range ca.Policies {
			lines = append(lines, fmt.Sprintf("policy %s %s %v %v", dn, policy.Kind, policy.Files, policy.Problem))
		}
	}
	for _, p := range s.Problems() {
		lines = append(lines, "problem "+p.String())
	}
	return lines
}

// TestStoreAtRandom: whatever happened to the files of a CApath, in the end
// the Store holds what a new one would read; and meanwhile nothing less.
func TestStoreAtRandom(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newRandomFolder(t, seed)
			config := certs.StoreConfig{CApath: f.dir}
			store := must(certs.OpenStore(config))
			store.PassTime(5 * time.Second) // so that files are settled
			for range 5 {
				for range f.dice.IntN(30) {
					for range f.dice.IntN(8) {
						f.change()
					}
					before := store.Snapshot()
					if change, err := store.Reload(); err == nil && change.Empty() != (before == store.Snapshot()) &&
						len(change.Missing)+len(change.Back)+len(change.Removed) == 0 {
						t.Errorf("another snapshot %t, and the change %v", before != store.Snapshot(), change)
					}
					if fresh, err := certs.OpenStore(config); err == nil {
						wantAll(t, store.Snapshot(), fresh.Snapshot())
					}
					f.wantStates(store.Snapshot())
					f.tick()
					if f.dice.IntN(3) == 0 {
						store.PassTime(time.Duration(f.dice.IntN(12)) * time.Second)
					}
				}
				f.heal()
				fresh, err := certs.OpenStore(config)
				if err != nil {
					continue
				}
				reload(t, store)
				secondLook(t, store)
				f.tick()
				if !store.NextLook().IsZero() {
					t.Error("another look after the second one")
				}
				got, want := show(store.Snapshot()), show(fresh.Snapshot())
				for _, line := range got {
					if !slices.Contains(want, line) {
						t.Errorf("the store has, and a new one has not: %s", line)
					}
				}
				for _, line := range want {
					if !slices.Contains(got, line) {
						t.Errorf("the store has not, and a new one has: %s", line)
					}
				}
				if !t.Failed() && !slices.Equal(got, want) {
					t.Errorf("another order:\n%s\nin a new one:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// wantStates checks that the state of each CA's lists that is shown is what a
// peer is judged by.
func (f *randomFolder) wantStates(s *certs.Snapshot) {
	f.t.Helper()
	for host, ca := range f.hosts {
		for _, policy := range []certs.Policy{{CRL: certs.CRLRequire}, {CRL: certs.CRLIfPresent, CRLGrace: 48 * time.Hour}} {
			policy.Namespaces = certs.NamespacesIgnore
			_, err := certs.Verify(s, host.Chain, anyone(certs.PeerAny, now, policy))
			refusal, _ := errors.AsType[*certs.Refusal](err)
			for _, shown := range s.CAs() {
				if !shown.Certificate.Equal(ca.Certificate) ||
					refusal != nil && (refusal.Depth > 0 || !strings.HasPrefix(string(refusal.Code), "crl-")) {
					continue // the CA above is at fault, or it is no matter of lists
				}
				why, refused := shown.CRLRefusal(policy, now)
				if refused != (refusal != nil) || refused && !strings.HasPrefix(why, string(refusal.Code)+": ") {
					f.t.Errorf("under %s %s is shown as refused: %t, %s; a peer: %v", policy.CRL, ca.Certificate.Subject, refused, why,
						err)
				}
			}
		}
	}
}

// wantAll checks that a store lacks nothing of what a new one reads.
func wantAll(t *testing.T, s, fresh *certs.Snapshot) {
	t.Helper()
	things := func(s *certs.Snapshot) map[string]bool {
		all := map[string]bool{}
		for _, ca := range s.CAs() {
			all["CA "+string(ca.Certificate.Raw)] = true
			for _, list := range ca.CRLs {
				all[fmt.Sprintf("CRL of %s number %v", ca.Subject.Slash(), list.Number)] = true
			}
		}
		return all
	}
	has := things(s)
	for thing := range things(fresh) {
		if !has[thing] {
			t.Errorf("the store lacks %.60q", thing)
		}
	}
}
