package certs

import (
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// StoreConfig says what a host trusts.
type StoreConfig struct {
	CApath string // directory of CAs as grid sites install it; may be empty
	CAfile string // PEM file of CAs that need no signing policy; may be empty
}

// Store holds the current Snapshot of what the host trusts.
type Store struct {
	config  StoreConfig
	reload  sync.Mutex // one Reload at a time
	current atomic.Pointer[Snapshot]

	// Guarded by reload.
	loaded   *loaded
	nextLook time.Time

	now func() time.Time // time.Now, but in tests
}

// Problem is something wrong in a file of the CApath that does not keep other
// files from being used.
type Problem = files.Problem

// CA is one CA certificate that a Snapshot holds.
type CA struct {
	Certificate *x509.Certificate
	Subject     *dn.Name
	Files       []string // where it was found, in the order of their names
	Anchor      bool     // self-signed, so that a path may end here; others are intermediates
	FromCAfile  bool     // it comes from the CA file and needs no signing policy

	Policies []PolicyFile // the signing_policy and namespaces files of its name
	CRLs     []CRL        // the lists of its name, those that other CAs of the same name signed too
	Problems []Problem    // of the files above

	brokenLists []Problem // of files of its name that are no usable list
}

// Snapshot is an immutable view of what the host trusts.
type Snapshot struct {
	config    StoreConfig
	cas       []*CA
	bySubject map[string][]*element // by canonical subject
	byDER     map[string]*element
	problems  []Problem

	unusableCAs map[string][]Problem // of certificates that are not used, by canonical subject

	policies    map[policyKey]*policyFile
	policyFiles []*policyFile              // each once
	lists       map[string][]*installedCRL // by canonical issuer
	brokenLists map[string][]Problem       // files that are no usable list, by the hash of their name
}

// OpenStore loads the CApath and the CA file. It fails if neither yields a CA
// that a path may end at; the error has a Hint.
func OpenStore(config StoreConfig) (*Store, error) {
	s := &Store{config: config, now: time.Now}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload looks for what has changed in the CApath and the CA file, reads
// that, and swaps a new Snapshot in if anything has. It is cheap while
// names, inodes, sizes and times of all files are the same.
//
// A file that has become bad keeps what it held before, and is a Problem. A
// file that is gone keeps it too, for SecondLook, and is removed if it is
// still gone then: see NextLook. If nothing is left that a path may end at,
// or the directory is gone, Reload fails, the error has a Hint, and the Store
// keeps what it had.
func (s *Store) Reload() (*Change, error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	at := s.now()
	after, err := load(s.config, s.loaded, at)
	if err != nil {
		s.nextLook = at.Add(SecondLook)
		return nil, err
	}
	change := changeOf(s.loaded, after)
	s.loaded, s.nextLook = after, after.nextLook()
	s.current.Store(after.snapshot)
	return change, nil
}

// NextLook is when Reload is to be called again, however seldom it is called
// otherwise: when files that are missing count as removed, and a while after
// a Reload that failed. It is zero if there is no need.
func (s *Store) NextLook() time.Time {
	s.reload.Lock()
	defer s.reload.Unlock()
	return s.nextLook
}

// Snapshot gives the current trust.
func (s *Store) Snapshot() *Snapshot { return s.current.Load() }

// Problems lists what was wrong in the files, in the order of their names.
// The caller must not change it.
func (s *Snapshot) Problems() []Problem { return s.problems }

// CAs lists every CA once, those of the CApath in the order of their file
// names first. The caller must not change it.
func (s *Snapshot) CAs() []*CA { return s.cas }

// issuers gives the installed CAs that may have issued a certificate, the
// likeliest first.
func (s *Snapshot) issuers(child *element) []*element {
	return likeliest(child, s.bySubject[child.issuerKey])
}

// likeliest puts the candidates whose key identifier is the one that the
// child names before the others. Identifiers only help to find the right key
// (RFC 5280, section 4.2.1.1): they exclude none.
func likeliest(child *element, candidates []*element) []*element {
	if len(candidates) < 2 {
		return candidates
	}
	candidates = slices.Clone(candidates)
	slices.SortStableFunc(candidates, func(a, b *element) int {
		return keyIdentifierRank(child, a) - keyIdentifierRank(child, b)
	})
	return candidates
}

func keyIdentifierRank(child, issuer *element) int {
	wanted, has := child.cert.AuthorityKeyId, issuer.cert.SubjectKeyId
	switch {
	case len(wanted) == 0 || len(has) == 0:
		return 1
	case string(wanted) == string(has):
		return 0
	default:
		return 2
	}
}

// policyKey is the name of a policy file in the CApath.
type policyKey struct {
	kind fileKind
	hash string
}

// policyFile is an installed policy file.
type policyFile struct {
	files   []string     // its names
	content *fileContent // nil if it cannot be read
	problem *Problem     // why it refuses everything; nil if it is sound
}

// judge asks the file whether the issuer may sign the subject. own says that
// the file belongs to the issuer.
func (p *policyFile) judge(issuer, subject dn.Forms, own bool) policy.Decision {
	if p.problem != nil {
		return policy.Unreadable(*p.problem)
	}
	return p.content.policy.Judge(issuer, subject, own)
}

func (p *policyFile) show(kind fileKind) PolicyFile {
	return PolicyFile{Files: p.files, Kind: string(policyKinds[kind]), Problem: p.problem}
}

// policiesOf gives the files of a kind that have a CA's name, usually one
// under both hashes.
func (s *Snapshot) policiesOf(kind fileKind, ca *element) []*policyFile {
	var found []*policyFile
	for _, hash := range ca.hashNames() {
		if p := s.policies[policyKey{kind: kind, hash: hash}]; p != nil && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}

// installedCRL is a list in the CApath.
type installedCRL struct {
	list       *crl.List
	files      []string
	kept       bool  // the file is bad now, and this is what it held before
	unverified error // why no installed CA has signed it; nil if one has
	orphan     bool  // no CA of its issuer's name is installed
}

// addList takes a list, once for all its copies.
func (s *Snapshot) addList(file string, list *crl.List, kept bool) {
	key := list.Issuer.Canonical()
	for _, known := range s.lists[key] {
		if known.list.Same(list) {
			if !slices.Contains(known.files, file) {
				known.files = append(known.files, file)
			}
			known.kept = known.kept && kept
			return
		}
	}
	s.lists[key] = append(s.lists[key], &installedCRL{
		list: list, files: []string{file}, kept: kept, unverified: s.unsigned(list),
		orphan: len(s.bySubject[key]) == 0,
	})
}

func (c *installedCRL) show() CRL {
	list := c.list
	shown := CRL{
		Files: c.files, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate,
		Number: list.Number, Entries: list.Entries, Defect: list.Defect(), LastGood: c.kept,
		where: files.Position(list.File, list.Line),
	}
	if c.unverified != nil {
		shown.Unverified = c.unverified.Error()
	}
	return shown
}

// verified reports whether an installed CA of the issuer's name has signed the
// list.
func (c *installedCRL) verified() bool { return !c.orphan && c.unverified == nil }

// verifiedBy reports whether an installed CA of the issuer's name or one of a
// path has signed the list.
func (c *installedCRL) verifiedBy(path []*element) bool {
	return c.verified() || slices.ContainsFunc(path, func(e *element) bool {
		return e.subjectKey == c.list.Issuer.Canonical() && c.list.SignedBy(e.cert) == nil
	})
}

// whyUnverified says why the list is not used for what issuer has issued.
func (c *installedCRL) whyUnverified(issuer *element) error {
	if c.unverified != nil {
		return c.unverified
	}
	return c.list.SignedBy(issuer.cert)
}
