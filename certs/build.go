package certs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/files"
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

func (b *builder) uselessCAfile(f *trustFile) error {
	if f.content == nil {
		_, err := files.Read(f.path, maxFileBytes)
		if err == nil {
			err = fmt.Errorf("%s: %s", f.path, f.problems[0].Message)
		}
		return &setupError{
			message: "cannot read the CA file: " + err.Error(),
			hint:    "check the path given to ‹cafile› and that this user may read it: ls -lL " + shellQuote(f.path),
			cause:   err,
		}
	}
	return &setupError{
		message: fmt.Sprintf("no usable CA in the CA file %s: %s", f.path, f.problems[0]),
		hint:    "give ‹cafile› a PEM file with the certificate of the CA that issues the peers' certificates",
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
	lists := f.lists()
	for _, list := range lists {
		if why := s.unsigned(list); why != nil {
			problems = append(problems, Problem{File: f.path, Line: list.Line, Message: "not used: " + why.Error()})
		}
	}
	var kept []*crl.List
	if len(problems) > 0 {
		kept = slices.DeleteFunc(slices.Clone(f.held), func(old *crl.List) bool {
			return slices.ContainsFunc(lists, func(list *crl.List) bool { return list.Same(old) || s.replaces(list, old) })
		})
	}
	f.held = slices.Concat(lists, kept)
	good := slices.ContainsFunc(kept, func(list *crl.List) bool { return s.unsigned(list) == nil })
	for _, p := range problems {
		if good {
			p.Message += keptMessage
		}
		b.problem(p)
	}
	for _, list := range lists {
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
	return slices.DeleteFunc(slices.Clone(f.content.lists), func(list *crl.List) bool { return !list.Issuer.HasHash(f.hash) })
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

// showLists shows the lists of a CA's name as they count for the CA.
func (s *Snapshot) showLists(e *element) []CRL {
	var all []CRL
	var signers []crlSigner
	for _, list := range s.lists[e.subjectKey] {
		shown := list.show()
		if list.verified() && list.list.SignedBy(e.cert) != nil {
			if signers == nil {
				signers = crlSigners(s.chain(e), s.bySubject[e.subjectKey], func(child, issuer *element) bool {
					return issuer.signed(child) && !s.revokedSigner(child, nil)
				})
			}
			shown.foreign = true
			shown.vouching = slices.DeleteFunc(slices.Clone(signers), func(by crlSigner) bool { return list.list.SignedBy(by.cert) != nil })
		}
		all = append(all, shown)
	}
	return all
}

// chain is a CA with the installed ones above it, as far as there are any.
func (s *Snapshot) chain(e *element) []*element {
	chain := []*element{e}
	for len(chain) <= defaultMaxDepth && !e.anchor {
		above := s.issuers(e)
		i := slices.IndexFunc(above, func(issuer *element) bool {
			return !slices.ContainsFunc(chain, issuer.sameKey) && issuer.signed(e)
		})
		if i < 0 {
			break
		}
		e = above[i]
		chain = append(chain, e)
	}
	return chain
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
	ca.CRLs = s.showLists(e)
	for _, hash := range hashes {
		ca.brokenLists = append(ca.brokenLists, s.brokenLists[hash]...)
	}
	if !e.fromCAfile || s.config.CApath != "" {
		for _, hash := range hashes {
			ca.Problems = append(ca.Problems, problems[hash]...)
		}
	}
}
