package certs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loaded is what a load found: the files, and the Snapshot of what they hold.
type loaded struct {
	files    map[fileKey]*trustFile // one for each name; those that are missing too, until the second look
	used     []*trustFile           // that the Snapshot is made of, in the order of compareNames
	snapshot *Snapshot
}

// load reads a CApath and a CA file. It reads only what has changed since the
// load before, if there was one; if nothing has, it returns that. What is
// missing now and was there before counts as there until it has been missing
// for SecondLook.
func load(config StoreConfig, before *loaded, now time.Time) (*loaded, error) {
	names, stamps, err := listTrust(config)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = new(loaded)
	}
	reader := newFileReader(before.files, stamps, now)
	if len(names) == len(before.used) && !slices.ContainsFunc(names, func(name trustName) bool {
		f := before.files[name.key()]
		return f == nil || !reader.unchanged(f)
	}) {
		return before, nil
	}
	after := &loaded{files: make(map[fileKey]*trustFile, len(names))}
	for _, name := range names {
		if f := reader.read(name); f != nil {
			after.files[name.key()] = f
		}
	}
	after.keepMissing(before, now)
	if before.snapshot != nil && after.holdsSame(before) {
		after.snapshot = before.snapshot
		return after, nil
	}
	b := newBuilder(config)
	for _, f := range after.used {
		if err := b.add(f); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(b.snapshot.cas, func(ca *CA) bool { return ca.Anchor }) {
		return nil, b.snapshot.noAnchor()
	}
	b.finish()
	after.snapshot = b.snapshot
	return after, nil
}

// holdsSame reports whether two loads make the same Snapshot.
func (l *loaded) holdsSame(other *loaded) bool {
	return slices.EqualFunc(l.used, other.used, func(a, b *trustFile) bool {
		return a.trustName == b.trustName && a.content == b.content && a.kept == b.kept && slices.Equal(a.problems, b.problems)
	})
}

// compareNames has CAs come first, and those of one kind by hash and number.
func compareNames(a, b trustName) int {
	// The number is no part of the alphabet: .2 comes before .10.
	return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.hash, b.hash), cmp.Compare(a.number, b.number), strings.Compare(a.path, b.path))
}

// listTrust lists the files that count, with their stamps.
func listTrust(config StoreConfig) (names []trustName, stamps map[string]stamp, err error) {
	if config.CApath == "" && config.CAfile == "" {
		return nil, nil, &setupError{
			message: "there is no CA to trust: neither a CApath nor a CA file is given",
			hint:    "give ‹capath› /etc/grid-security/certificates",
		}
	}
	stamps = make(map[string]stamp)
	if config.CApath != "" {
		entries, err := os.ReadDir(config.CApath)
		if err != nil {
			return nil, nil, directoryError(config.CApath, err)
		}
		for _, entry := range entries {
			path := filepath.Join(config.CApath, entry.Name())
			name, ok := parseTrustName(path, entry.Name())
			if !ok {
				continue
			}
			at, gone := statFile(path)
			if gone {
				continue // since the directory was listed
			}
			stamps[path] = at
			names = append(names, name)
		}
		if !slices.ContainsFunc(names, func(name trustName) bool { return name.kind == kindCA }) {
			return nil, nil, noHashNames(config.CApath, entries)
		}
		slices.SortFunc(names, compareNames)
	}
	if config.CAfile != "" {
		stamps[config.CAfile], _ = statFile(config.CAfile)
		names = append(names, trustName{path: config.CAfile, kind: kindCAfile})
	}
	return names, stamps, nil
}

// noAnchor explains a store without a CA that a path may end at.
func (s *Snapshot) noAnchor() error {
	places := strings.Join(slices.DeleteFunc([]string{s.config.CApath, s.config.CAfile},
		func(s string) bool { return s == "" }), " and ")
	message := fmt.Sprintf("no usable CA in %s", places)
	hint := "install the packages of the CAs that issue the peers' certificates (igtf-policy-classic on Debian, ca-policy-egi-core on EL)"
	if len(s.cas) > 0 {
		message += ": there are only subordinate CAs, and no self-signed root above them"
		hint = fmt.Sprintf("install the root too: %s", s.cas[0].Subject.Brief())
	} else if len(s.problems) > 0 {
		message += ": first problem: " + s.problems[0].String()
	}
	return &setupError{message: message, hint: hint}
}

// directoryError explains a CApath that cannot be listed.
func directoryError(directory string, err error) error {
	e := &setupError{message: "cannot read the CApath: " + err.Error(), cause: err}
	info, statErr := os.Stat(directory)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.hint = "install the packages of your CAs (igtf-policy-classic on Debian, ca-policy-egi-core on EL), or give the directory with ‹capath›"
	case errors.Is(err, fs.ErrPermission):
		e.hint = "let this user list the directory: chmod a+rx " + shellQuote(directory)
	case statErr == nil && !info.IsDir():
		e.message = fmt.Sprintf("the CApath %s is not a directory", directory)
		e.hint = "give a directory with ‹capath›; a single file of CAs is given with ‹cafile›"
	default:
		e.hint = "check the directory given with ‹capath›: ls -ld " + shellQuote(directory)
	}
	return e
}

// noHashNames explains a directory without a file named as a CA.
func noHashNames(directory string, entries []os.DirEntry) error {
	isCertificate := func(entry os.DirEntry) bool {
		return slices.Contains([]string{".pem", ".crt", ".cer", ".cert"}, filepath.Ext(entry.Name()))
	}
	e := &setupError{
		message: fmt.Sprintf("the CApath %s holds no CA", directory),
		hint:    "install the packages of your CAs (igtf-policy-classic on Debian, ca-policy-egi-core on EL), or give another directory with ‹capath›",
	}
	if i := slices.IndexFunc(entries, isCertificate); i >= 0 {
		e.message += fmt.Sprintf(": it has certificate files such as %s, but none with a hash name such as 1234abcd.0", entries[i].Name())
		e.hint = "make the hash names: openssl rehash " + shellQuote(directory)
	} else if len(entries) == 0 {
		e.message += ": it is empty"
	}
	return e
}
