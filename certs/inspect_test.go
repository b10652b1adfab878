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

// TestListsAsShown: what a person is told of the lists of a CA.
func TestListsAsShown(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	tests := []struct {
		name  string
		lists []certstest.CRLOptions
		code  certs.Code // of the CA
		why   string
	}{
		{name: "none", code: certs.CodeCRLMissing, why: "no list"},
		{name: "current", lists: []certstest.CRLOptions{current}},
		{name: "stale", lists: []certstest.CRLOptions{stale}, code: certs.CodeCRLExpired, why: "due on"},
		{name: "not yet valid", lists: []certstest.CRLOptions{notYet}, code: certs.CodeCRLNotYetValid, why: "begins on"},
		{name: "delta", lists: []certstest.CRLOptions{deltaList}, code: certs.CodeCRLUnusable, why: "delta"},
		{
			name: "delta and stale", lists: []certstest.CRLOptions{deltaList, stale}, code: certs.CodeCRLExpired,
			why: ".r1: the next one",
		},
		{name: "stale and current", lists: []certstest.CRLOptions{stale, current}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := bare(t, root)
			for i, o := range test.lists {
				writeList(t, dir, root, i, o)
			}
			store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
			code, why := findCA(t, store, rootDN).CRLState(now)
			if code != test.code || !strings.Contains(why, test.why) || (why == "") != (code == "") {
				t.Errorf("%s: %s; want %s: %s", code, why, test.code, test.why)
			}
		})
	}

	t.Run("junk", func(t *testing.T) {
		dir := bare(t, root)
		hash, _ := hashes(root)
		file := writeFile(t, filepath.Join(dir, hash+".r0"), []byte("junk"), 0o644)
		ca := findCA(t, must(certs.OpenStore(certs.StoreConfig{CApath: dir})), rootDN)
		if code, why := ca.CRLState(now); code != certs.CodeCRLInvalid || !strings.Contains(why, file) {
			t.Errorf("%s: %s", code, why)
		}
	})
	t.Run("of an expired key", func(t *testing.T) { checkListOfExpiredKey(t, root) })
	checkListsBesideOthers(t, root)
}

func checkListOfExpiredKey(t *testing.T, root *certstest.CA) {
	t.Helper()
	old := must(certstest.NewCA("Root",
		certstest.Options{NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-time.Hour)}))
	dir := bare(t, old, root)
	writeList(t, dir, old, 0, current)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	for _, ca := range store.Snapshot().CAs() {
		want := certs.CodeCRLMissing
		if ca.Certificate.Equal(old.Certificate) {
			want = ""
		}
		if code, why := ca.CRLState(now); code != want {
			t.Errorf("%s: %s, want %q", code, why, want)
		}
	}
}

// checkListsBesideOthers: a list of the root beside one of a stranger of its
// name and those of a CA that is not installed.
func checkListsBesideOthers(t *testing.T, root *certstest.CA) {
	t.Helper()
	other, stranger := must(certstest.NewCA("Other", sound)), must(certstest.NewCA("Root", sound))
	due := now.Add(time.Hour).Truncate(time.Second)
	dir := bare(t, root)
	host := must(root.NewHost("host.test", sound))
	o := naming(certstest.CRLOptions{NextUpdate: due, Number: 42}, host)
	files := must(certstest.WriteCRL(dir, root, o))
	foreign := writeFile(t, filepath.Join(dir, strings.Replace(filepath.Base(files[0]), ".r0", ".r1", 1)),
		must(stranger.NewCRL(current)), 0o644)
	hash, _ := hashes(other)
	writeList(t, dir, other, 0, current) // of a CA that is not installed
	misnamed := writeFile(t, filepath.Join(dir, hash+".r1"), must(root.NewCRL(current)), 0o644)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	ca := findCA(t, store, rootDN)
	if len(ca.CRLs) != 2 {
		t.Fatalf("the lists %+v", ca.CRLs)
	}
	for _, list := range ca.CRLs {
		code, why := list.State(now)
		if list.Files[0] == foreign {
			if code != certs.CodeCRLInvalid || why != list.Unverified || !strings.Contains(why, "signature") {
				t.Errorf("%+v: %s: %s", list, code, why)
			}
			continue
		}
		if len(list.Files) != 2 || list.Entries != 1 || list.Number.Int64() != 42 || !list.NextUpdate.Equal(due) ||
			list.Unverified != "" || list.Defect != "" || list.LastGood || code != "" || why != "" {
			t.Errorf("%+v: %s: %s", list, code, why)
		}
		if code, _ := list.State(due); code != certs.CodeCRLExpired {
			t.Errorf("at its nextUpdate: %s", code)
		}
	}
	var problems []string
	for _, p := range store.Snapshot().Problems() {
		problems = append(problems, p.File)
	}
	if want := []string{foreign, misnamed}; len(problems) != 2 || min(problems[0], problems[1]) != min(want[0], want[1]) ||
		max(problems[0], problems[1]) != max(want[0], want[1]) {
		t.Errorf("problems %v, want those of %v", store.Snapshot().Problems(), want)
	}
	if len(ca.Problems) != 1 || ca.Problems[0].File != foreign {
		t.Errorf("problems of the CA %v, want that of %s", ca.Problems, foreign)
	}
	if err := os.Remove(misnamed); err != nil {
		t.Fatal(err)
	}
	wantChange(t, reload(t, store), "1 problem solved")
}
