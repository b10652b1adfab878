package certs

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

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
	for _, p := range f.problems {
		b.problem(p)
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
		if !c.element.mayBeCA() || f.kind == kindCA && !c.element.subject.hasHash(f.hash) {
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
		// Who names a CA by --cafile trusts it as it is.
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

func (b *builder) uselessCAfile(f *trustFile) error {
	if f.content == nil {
		_, err := readFile(f.path, maxFileBytes)
		if err == nil {
			err = fmt.Errorf("%s: %s", f.path, f.problems[0].Message)
		}
		return &setupError{
			message: "cannot read the CA file: " + err.Error(),
			hint:    "check the path given to --cafile and that this user may read it: ls -lL " + shellQuote(f.path),
			cause:   err,
		}
	}
	return &setupError{
		message: fmt.Sprintf("no usable CA in the CA file %s: %s", f.path, f.problems[0]),
		hint:    "give --cafile a PEM file with the certificate of the CA that issues the peers' certificates",
	}
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
	b.snapshot.policies[policyKey{f.kind, f.hash}] = policy
}

// finish judges the lists, now that all CAs are known, and completes what is
// to be shown of each CA.
func (b *builder) finish() {
	for _, f := range b.lists {
		b.addList(f)
	}
	s := b.snapshot
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

// addList takes a CRL. If no installed key of its issuer's name has signed
// it, what the file held before stays in use.
func (b *builder) addList(f *trustFile) {
	if f.content == nil || f.content.list == nil || !f.kept && len(f.problems) > 0 {
		b.snapshot.brokenLists[f.hash] = append(b.snapshot.brokenLists[f.hash], f.problems...)
		return
	}
	use, kept := f.content, f.kept
	signers := b.snapshot.bySubject[use.list.issuer.Canonical()]
	why := signedByAny(use.list, signers)
	switch {
	case why == nil && len(signers) > 0:
		f.verified = f.content
	case len(signers) > 0:
		p := Problem{File: use.path, Message: "not used: " + why.Error()}
		before := f.verified
		if before != nil && before != use && signedByAny(before.list, b.snapshot.bySubject[before.list.issuer.Canonical()]) == nil {
			use, kept, why = before, true, nil
			p.Message += keptMessage
		}
		b.problem(p)
	}
	b.snapshot.addList(f.path, use.list, kept, why)
}

// signedByAny asks whether one of the CAs has signed a list; nil too if there
// is none to ask.
func signedByAny(list *crl, signers []*element) error {
	var first error
	for _, signer := range signers {
		err := list.signedBy(signer.cert)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// describe completes what is shown of a CA.
func (b *builder) describe(e *element, ca *CA, problems map[string][]Problem) {
	s := b.snapshot
	hashes := slices.Compact(e.hashes[:])
	for _, kind := range []fileKind{kindSigningPolicy, kindNamespaces} {
		for _, policy := range s.policiesOf(kind, e) {
			ca.Policies = append(ca.Policies, policy.show(kind))
		}
	}
	for _, list := range s.lists[e.subjectKey] {
		shown := list.show()
		if list.unverified == nil && list.list.signedBy(e.cert) != nil {
			for _, other := range s.bySubject[e.subjectKey] {
				if list.list.signedBy(other.cert) == nil {
					shown.others = append(shown.others, other.cert)
				}
			}
		}
		ca.CRLs = append(ca.CRLs, shown)
	}
	for _, hash := range hashes {
		ca.brokenLists = append(ca.brokenLists, s.brokenLists[hash]...)
	}
	if !e.fromCAfile || s.config.CApath != "" {
		for _, hash := range hashes {
			ca.Problems = append(ca.Problems, problems[hash]...)
		}
	}
}
