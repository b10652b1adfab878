package certs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// fileLists are lists that lie together in a file: of a root that is
// installed, of another CA, and of one that has the root's name only.
type fileLists struct {
	root, foreign, stranger *certstest.CA
	host                    *certstest.Host // of the root
	// PEM blocks of the root: a list that names nobody, one that names the
	// host, one that names another host, and the first cut off.
	good, names, namesOther, cut []byte
}

func newFileLists() fileLists {
	root := must(certstest.NewCA("Root", sound))
	host, other := must(root.NewHost("host.test", sound)), must(root.NewHost("other.test", sound))
	good := listPEM(root, current)
	return fileLists{
		root: root, foreign: must(certstest.NewCA("Foreign", sound)), stranger: must(certstest.NewCA("Root", sound)),
		host: host, good: good, names: listPEM(root, naming(current, host)),
		namesOther: listPEM(root, naming(current, other)), cut: good[:len(good)-40],
	}
}

func listDER(ca *certstest.CA, o certstest.CRLOptions) []byte { return must(ca.NewCRL(o)) }

func listPEM(ca *certstest.CA, o certstest.CRLOptions) []byte {
	return pemOf("X509 CRL", listDER(ca, o))
}

// listFileCase is a file of several lists.
type listFileCase struct {
	name    string
	content []byte
	want    certs.Code // under CRLRequire and CRLIfPresent; empty: accepted
	line    int        // that decided
	lists   int        // in use
	problem string     // empty: none
	at      int        // its line
}

// wholeListCases are files of which every list can be read.
func wholeListCases(l fileLists) []listFileCase {
	return []listFileCase{
		{name: "the first revokes", content: slices.Concat(l.names, l.good), want: certs.CodeRevoked, line: 1, lists: 2},
		{
			name: "the second revokes", content: slices.Concat(l.good, l.names), want: certs.CodeRevoked,
			line: 1 + bytes.Count(l.good, []byte("\n")), lists: 2,
		},
		{
			name: "the last of three revokes", content: slices.Concat(l.good, l.namesOther, l.names), want: certs.CodeRevoked,
			line: 1 + bytes.Count(slices.Concat(l.good, l.namesOther), []byte("\n")), lists: 3,
		},
		{name: "none revokes", content: slices.Concat(l.good, l.namesOther), lists: 2},
		{
			name: "text between",
			content: slices.Concat([]byte("# CRLs\n"), l.good, []byte("0 Certificate Revocation List:\n\n"), l.names,
				[]byte("end")),
			want: certs.CodeRevoked, line: 4 + bytes.Count(l.good, []byte("\n")), lists: 2,
		},
		{
			name: "another block between", content: slices.Concat(l.good, pemOf("CERTIFICATE", l.root.Certificate.Raw), l.names),
			want: certs.CodeRevoked,
			line: 1 + bytes.Count(l.good, []byte("\n")) +
				bytes.Count(pemOf("CERTIFICATE", l.root.Certificate.Raw), []byte("\n")),
			lists: 2,
		},
		{
			name: "CRLF", content: bytes.ReplaceAll(slices.Concat(l.good, l.names), []byte("\n"), []byte("\r\n")),
			want: certs.CodeRevoked, line: 1 + bytes.Count(l.good, []byte("\n")), lists: 2,
		},
		{
			name: "joined without a line end", content: slices.Concat(bytes.TrimSpace(l.good), l.names), want: certs.CodeRevoked,
			line: bytes.Count(l.good, []byte("\n")), lists: 2,
		},
		{
			name: "two of DER", content: slices.Concat(listDER(l.root, current), listDER(l.root, naming(current, l.host))),
			want: certs.CodeRevoked, lists: 2,
		},
		{
			name: "three of DER and white space",
			content: slices.Concat(listDER(l.root, naming(current, l.host)), []byte("\n"), listDER(l.root, current),
				[]byte("\r\n"), listDER(l.root, namingNone), []byte("\n")),
			want: certs.CodeRevoked, lists: 3,
		},
		{
			name: "DER, then PEM", content: slices.Concat(listDER(l.root, naming(current, l.host)), []byte("\n"), l.good),
			want: certs.CodeRevoked, lists: 2,
		},
		{name: "twice the same", content: slices.Concat(l.good, l.good), lists: 1},
		{name: "current and stale", content: slices.Concat(listPEM(l.root, stale), l.good), lists: 2},
	}
}

// brokenListCases are files with something broken or foreign in them.
func brokenListCases(l fileLists) []listFileCase {
	return []listFileCase{
		{
			name: "the first is broken", content: slices.Concat(l.cut, []byte("\n"), l.names), want: certs.CodeRevoked,
			line: 1 + bytes.Count(l.cut, []byte("\n")) + 1, lists: 1, problem: "no END line", at: 1,
		},
		{
			name: "the second is broken", content: slices.Concat(l.good, l.cut), lists: 1, problem: "no END line",
			at: 1 + bytes.Count(l.good, []byte("\n")),
		},
		{
			name: "the second is no list", content: slices.Concat(l.names, pemOf("X509 CRL", []byte("junk"))),
			want: certs.CodeRevoked, line: 1, lists: 1, problem: "not a usable CRL", at: 1 + bytes.Count(l.names, []byte("\n")),
		},
		{
			name:    "the second of DER is cut off",
			content: slices.Concat(listDER(l.root, naming(current, l.host)), listDER(l.root, current)[:100]),
			want:    certs.CodeRevoked,
			lists:   1, problem: "cut off",
		},
		{
			name: "junk after DER", content: slices.Concat(listDER(l.root, naming(current, l.host)), []byte("junk")),
			want: certs.CodeRevoked, lists: 1, problem: "4 bytes follow",
		},
		{
			name: "the first is another CA's", content: slices.Concat(listPEM(l.foreign, current), l.names),
			want: certs.CodeRevoked,
			line: 1 + bytes.Count(listPEM(l.foreign, current), []byte("\n")), lists: 1, problem: "not the hash", at: 1,
		},
		{
			name: "the first is a stranger's", content: slices.Concat(listPEM(l.stranger, naming(current, l.host)), l.good),
			lists:   2,
			problem: "signature", at: 1,
		},
		{
			name: "all are broken", content: slices.Concat(l.cut, []byte("\n"), l.cut), want: certs.CodeCRLInvalid, line: 1,
			problem: "no END line", at: 1,
		},
	}
}

// TestSeveralListsOfAFile: every list of a file counts, whatever lies between
// them, and what is broken keeps no other from counting.
func TestSeveralListsOfAFile(t *testing.T) {
	l := newFileLists()
	tests := slices.Concat(wholeListCases(l), brokenListCases(l))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l.check(t, test)
		})
	}
}

// check judges the host by the lists of a case.
func (l fileLists) check(t *testing.T, test listFileCase) {
	t.Helper()
	dir := bare(t, l.root)
	hash, oldHash := hashes(l.root)
	file := writeFile(t, filepath.Join(dir, hash+".r0"), test.content, 0o644)
	// As fetch-crl does; it comes first in the order of names if its
	// hash is the lower one.
	writeFile(t, filepath.Join(dir, oldHash+".r0"), test.content, 0o644)
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	for _, mode := range []certs.CRLMode{certs.CRLRequire, certs.CRLIfPresent} {
		_, err := certs.Verify(store.Snapshot(), l.host.Chain,
			anyone(certs.PeerClient, now, certs.Policy{CRL: mode, Namespaces: certs.NamespacesIgnore}))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", mode, err)
			}
		} else if refusal := wantRefusal(t, err, test.want); !strings.HasSuffix(refusal.File, ".r0") ||
			refusal.Line != test.line ||
			test.line > 0 && !strings.Contains(refusal.Reason, fmt.Sprintf("%s:%d", refusal.File, test.line)) {
			t.Errorf("%s: decided by %s:%d, want line %d: %v", mode, refusal.File, refusal.Line, test.line, refusal)
		}
	}
	checkShown(t, store, file, test)
}

// checkShown checks what is said of a file's lists and problems.
func checkShown(t *testing.T, store *certs.Store, file string, test listFileCase) {
	t.Helper()
	ca := findCA(t, store, "/DC=test/DC=gtunnel/CN=Root")
	if len(ca.CRLs) != test.lists {
		t.Errorf("%d lists are shown, want %d", len(ca.CRLs), test.lists)
	}
	for _, list := range ca.CRLs {
		if len(list.Files) != 2 {
			t.Errorf("the files %v, want two", list.Files)
		}
	}
	var here []certs.Problem
	for _, p := range store.Snapshot().Problems() {
		if p.File == file {
			here = append(here, p)
		}
	}
	if test.problem == "" && len(here) == 0 {
		return
	}
	if len(here) == 0 || !strings.Contains(here[0].Message, test.problem) || test.problem == "" ||
		here[0].Line != test.at {
		t.Errorf("problems %v, want %q at line %d", here, test.problem, test.at)
	}
}

var namingNone = certstest.CRLOptions{Number: 7}

// TestSeveralListsReread: while one list of a file is broken, the file's other
// lists are read anew and those that it held before go on counting.
func TestSeveralListsReread(t *testing.T) {
	before, after := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Root", sound))
	old, young, third := must(before.NewHost("old.test", sound)), must(after.NewHost("young.test", sound)),
		must(after.NewHost("third.test", sound))
	dir := bare(t, before, after)
	hash, _ := hashes(before)
	file := filepath.Join(dir, hash+".r0")
	write := func(parts ...[]byte) { t.Helper(); writeFile(t, file, slices.Concat(parts...), 0o644) }
	write(listPEM(before, naming(current, old)), listPEM(after, current))
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	check := func(want map[*certstest.Host]certs.Code, lists int) {
		t.Helper()
		for host, code := range want {
			_, err := certs.Verify(store.Snapshot(), host.Chain,
				anyone(certs.PeerClient, now, certs.Policy{CRL: certs.CRLRequire, Namespaces: certs.NamespacesIgnore}))
			if code == "" && err != nil {
				t.Error(err)
			} else if code != "" {
				wantRefusal(t, err, code)
			}
		}
		if ca := store.Snapshot().CAs()[0]; len(ca.CRLs) != lists {
			t.Errorf("%d lists are shown, want %d", len(ca.CRLs), lists)
		}
	}
	check(map[*certstest.Host]certs.Code{old: certs.CodeRevoked, young: "", third: ""}, 2)

	cut := listPEM(before, current)[:200]
	write(cut, []byte("\n"), listPEM(after, naming(current, young)))
	change := reload(t, store)
	if len(change.Problems) != 1 || change.Problems[0].Line != 1 ||
		!strings.HasSuffix(change.Problems[0].Message, "stays in use)") {
		t.Errorf("problems %v", change.Problems)
	}
	check(map[*certstest.Host]certs.Code{old: certs.CodeRevoked, young: certs.CodeRevoked, third: ""}, 2)

	write(cut) // now nothing can be read
	reload(t, store)
	check(map[*certstest.Host]certs.Code{old: certs.CodeRevoked, young: certs.CodeRevoked, third: ""}, 2)

	// A list of a key that is no longer installed says nothing of the other's
	// certificates.
	pem := writeFile(t, filepath.Join(dir, "moved"), nil, 0o644)
	for _, name := range must(filepath.Glob(filepath.Join(dir, "*.pem"))) {
		if bytes.Equal(must(os.ReadFile(name)), pemOf("CERTIFICATE", before.Certificate.Raw)) {
			if err := os.Rename(name, pem); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.Rename(pem, name) }()
			reload(t, store)
			secondLook(t, store)
			check(map[*certstest.Host]certs.Code{old: certs.CodeBadSignature, young: certs.CodeRevoked, third: ""}, 2)
			if err := os.Rename(pem, name); err != nil {
				t.Fatal(err)
			}
			reload(t, store)
			break
		}
	}
	write(listPEM(before, current), listPEM(after, naming(current, third)))
	wantChange(t, reload(t, store), "1 CRL renewed", "1 problem solved")
	check(map[*certstest.Host]certs.Code{old: "", young: "", third: certs.CodeRevoked}, 2)
}
