package certs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
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
		return a.trustName == b.trustName && a.content == b.content && a.kept == b.kept &&
			slices.Equal(a.problems, b.problems)
	})
}

// compareNames has CAs come first, and those of one kind by hash and number.
func compareNames(a, b trustName) int {
	// The number is no part of the alphabet: .2 comes before .10.
	return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.hash, b.hash),
		cmp.Compare(a.number, b.number), strings.Compare(a.path, b.path))
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

// builder puts a Snapshot together from files.
type builder struct {
	snapshot *Snapshot
	ca       map[*element]*CA
	policies map[*fileContent]*policyFile // several names of one file are one policy
	lists    []*trustFile                 // judged when all CAs are known
}

func newBuilder(config StoreConfig) *builder {
	return &builder{
		snapshot: &Snapshot{
			config:      config,
			bySubject:   make(map[string][]*element),
			byDER:       make(map[string]*element),
			unusableCAs: make(map[string][]Problem),
			policies:    make(map[policyKey]*policyFile),
			lists:       make(map[string][]*installedCRL),
			brokenLists: make(map[string][]Problem),
		},
		ca:       make(map[*element]*CA),
		policies: make(map[*fileContent]*policyFile),
	}
}

// add takes a file into the snapshot. Only a useless CA file is an error.
func (b *builder) add(f *trustFile) error {
	if f.kind != kindCRL { // addList tells those of lists
		for _, p := range f.problems {
			b.problem(p)
		}
	}
	switch f.kind {
	case kindCA:
		b.addCAs(f)
	case kindCAfile:
		if b.addCAs(f) == 0 {
			return b.uselessCAfile(f)
		}
	case kindSigningPolicy, kindNamespaces:
		b.addPolicy(f)
	case kindCRL:
		b.lists = append(b.lists, f)
	}
	return nil
}

// problem notes a problem, once for all the links to a file.
func (b *builder) problem(p Problem) {
	if !slices.Contains(b.snapshot.problems, p) {
		b.snapshot.problems = append(b.snapshot.problems, p)
	}
}

// addCAs takes the CAs of a file and says how many are usable.
func (b *builder) addCAs(f *trustFile) (usable int) {
	if f.content == nil {
		return 0
	}
	for _, c := range f.content.certificates {
		if c.err != nil {
			continue
		}
		if !c.element.mayBeCA() || f.kind == kindCA && !c.element.subject.HasHash(f.hash) {
			b.passOver(c, f.problems)
			continue
		}
		b.addCA(c.element, f.path, c.line, f.kind == kindCAfile)
		usable++
	}
	return usable
}

// passOver notes why a certificate is not used, for those that look for it.
func (b *builder) passOver(c fileCertificate, problems []Problem) {
	key := c.element.subjectKey
	for _, p := range problems {
		if p.Line == c.line {
			b.snapshot.unusableCAs[key] = append(b.snapshot.unusableCAs[key], p)
		}
	}
}

// addCA takes a CA, once for all its names.
func (b *builder) addCA(parsed *element, file string, line int, fromCAfile bool) {
	s := b.snapshot
	if known, ok := s.byDER[string(parsed.cert.Raw)]; ok {
		ca := b.ca[known]
		if !slices.Contains(ca.Files, file) {
			ca.Files = append(ca.Files, file)
		}
		// Who names a CA in the CA file trusts it as it is.
		known.fromCAfile = known.fromCAfile || fromCAfile
		ca.FromCAfile = known.fromCAfile
		return
	}
	e := *parsed // the parsed one belongs to several snapshots
	e.hashes = e.hashNames()
	e.file, e.line, e.anchor, e.fromCAfile = file, line, e.selfSigned(), fromCAfile
	ca := &CA{Certificate: e.cert, Subject: e.subject, Files: []string{file}, Anchor: e.anchor, FromCAfile: fromCAfile}
	b.ca[&e] = ca
	s.cas = append(s.cas, ca)
	s.byDER[string(e.cert.Raw)] = &e
	s.bySubject[e.subjectKey] = append(s.bySubject[e.subjectKey], &e)
}

// addPolicy takes a policy file under the hash of its name.
func (b *builder) addPolicy(f *trustFile) {
	policy := b.policies[f.content]
	if policy == nil {
		policy = &policyFile{content: f.content}
		if f.content == nil || !f.kept && len(f.problems) > 0 {
			policy.problem = &f.problems[0]
		}
		if f.content != nil {
			b.policies[f.content] = policy
		}
		b.snapshot.policyFiles = append(b.snapshot.policyFiles, policy)
	}
	policy.files = append(policy.files, f.path)
	b.snapshot.policies[policyKey{kind: f.kind, hash: f.hash}] = policy
}

// finish judges the lists, now that all CAs are known, and completes what is
// to be shown of each CA.
func (b *builder) finish() {
	s := b.snapshot
	for e, ca := range b.ca {
		if e.anchor = e.anchor && !s.rolledOver(e); !e.anchor {
			ca.Anchor = false
		}
	}
	for _, f := range b.lists {
		b.addList(f)
	}
	slices.SortStableFunc(s.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	byHash := make(map[string][]Problem)
	for _, p := range s.problems {
		hash, _, _ := strings.Cut(filepath.Base(p.File), ".")
		byHash[hash] = append(byHash[hash], p)
	}
	for e, ca := range b.ca {
		b.describe(e, ca, byHash)
	}
}

// rolledOver reports whether a self-issued certificate that has no key
// identifiers to say so is not self-signed: a root of its name has signed it
// with another key.
func (s *Snapshot) rolledOver(e *element) bool {
	return !e.signed(e) && slices.ContainsFunc(s.bySubject[e.subjectKey], func(other *element) bool {
		return other.signed(e) && other.signed(other)
	})
}

// addList takes the CRLs of a file. While something in the file is wrong, or
// signed by no installed key of its issuer's name, the lists that it held
// before stay in use beside those that it holds now.
func (b *builder) addList(f *trustFile) {
	s := b.snapshot
	problems := slices.Clone(f.problems)
	read := f.lists()
	for _, list := range read {
		if why := s.unsigned(list); why != nil {
			problems = append(problems, Problem{File: f.path, Line: list.Line, Message: "not used: " + why.Error()})
		}
	}
	var kept []*crl.List
	if len(problems) > 0 {
		kept = slices.DeleteFunc(slices.Clone(f.held), func(old *crl.List) bool {
			return slices.ContainsFunc(read, func(list *crl.List) bool {
				return list.Same(old) || s.replaces(list, old)
			})
		})
	}
	f.held = slices.Concat(read, kept)
	good := slices.ContainsFunc(kept, func(list *crl.List) bool { return s.unsigned(list) == nil })
	for _, p := range problems {
		if good {
			p.Message += keptMessage
		}
		b.problem(p)
	}
	for _, list := range read {
		s.addList(f.path, list, false)
	}
	for _, list := range kept {
		s.addList(f.path, list, true)
	}
	if len(kept) == 0 {
		s.brokenLists[f.hash] = append(s.brokenLists[f.hash], f.problems...)
	}
}

// lists gives the CRLs of a file that lie where they belong.
func (f *trustFile) lists() []*crl.List {
	if f.content == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.content.lists), func(list *crl.List) bool {
		return !list.Issuer.HasHash(f.hash)
	})
}

// unsigned says why no installed CA of its issuer's name has signed a list; nil
// if one has, and too if none is installed.
func (s *Snapshot) unsigned(list *crl.List) error {
	var first error
	for _, ca := range s.bySubject[list.Issuer.Canonical()] {
		err := list.SignedBy(ca.cert)
		if err == nil {
			return nil
		}
		// That the key fits and may not sign lists is the better reason.
		if why, ok := errors.AsType[*crl.SignatureError](err); first == nil || ok && why.Fault != crl.FaultList {
			first = err
		}
	}
	return first
}

// replaces reports whether a list makes an older one superfluous.
func (s *Snapshot) replaces(list, old *crl.List) bool {
	var keys []*x509.Certificate
	for _, ca := range s.bySubject[list.Issuer.Canonical()] {
		keys = append(keys, ca.cert)
	}
	return list.Replaces(old, keys)
}
