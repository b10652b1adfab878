package certs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// fileKind is what a file of the CApath holds, by its name.
type fileKind int

const (
	kindCA fileKind = iota
	kindCRL
	kindSigningPolicy
	kindNamespaces
	kindCAfile // the CA file, whose name says nothing
)

// maxFileBytes is the size of the largest file of certificates or keys that is
// read: the largest bundles of CAs have less than 1 MB.
const maxFileBytes = 16 << 20

// policyKinds are the kinds of policy files.
var policyKinds = map[fileKind]policy.Kind{kindSigningPolicy: policy.SigningPolicy, kindNamespaces: policy.Namespaces}

// limit is the size in bytes above which such a file is not read.
func (k fileKind) limit() int64 {
	switch k {
	case kindCRL:
		return crl.MaxBytes
	case kindSigningPolicy, kindNamespaces:
		return policy.MaxBytes
	default:
		return maxFileBytes
	}
}

// trustNames matches the names of the files of a CApath that count: the hash
// of a CA's subject with what the file holds. Several CAs and CRLs of a hash
// have numbers.
var trustNames = regexp.MustCompile(`^([0-9a-f]{8})\.(?:(r?)([0-9]{1,9})|(signing_policy)|(namespaces))$`)

// trustName is the name of a file that counts, taken apart.
type trustName struct {
	path   string
	kind   fileKind
	hash   string
	number int
}

// parseTrustName takes the name of a file in the CApath apart.
func parseTrustName(path, base string) (trustName, bool) {
	match := trustNames.FindStringSubmatch(base)
	if match == nil {
		return trustName{}, false
	}
	name := trustName{path: path, hash: match[1]}
	switch {
	case match[4] != "":
		name.kind = kindSigningPolicy
	case match[5] != "":
		name.kind = kindNamespaces
	case match[2] != "":
		name.kind = kindCRL
	}
	name.number, _ = strconv.Atoi(match[3]) // nine digits always fit
	return name, true
}

// fileContent is what a file holds, parsed. It is shared by all links to the
// file, and by all loads until the file changes.
type fileContent struct {
	digest [sha256.Size]byte
	path   string // under which it was read, for messages and to read it again

	certificates []fileCertificate // kindCA, kindCAfile
	lists        []*crl.List       // kindCRL
	policy       *policy.File      // kindSigningPolicy, kindNamespaces
	problems     []Problem         // what is wrong whatever its name
}

// parseContent parses what was read from a file.
func parseContent(kind fileKind, path string, digest [sha256.Size]byte, data []byte) *fileContent {
	c := &fileContent{digest: digest, path: path}
	fail := func(line int, message string) {
		c.problems = append(c.problems, Problem{File: path, Line: line, Message: dn.Shorten(message, maxReason)})
	}
	switch kind {
	case kindCA, kindCAfile:
		c.certificates = parseCertificates(data)
		if len(c.certificates) == 0 {
			fail(0, "no certificate in this file")
		}
		for _, f := range c.certificates {
			switch {
			case f.err != nil:
				fail(f.line, "not a usable certificate: "+f.err.Error())
			case !f.element.mayBeCA():
				fail(f.line,
					fmt.Sprintf("not used: the certificate %s is not a CA's (its basicConstraints do not say so)",
						f.element.subject.Brief()))
			}
		}
	case kindCRL:
		c.lists, c.problems = crl.Parse(path, data)
		for i := range c.problems {
			c.problems[i].Message = dn.Shorten(c.problems[i].Message, maxReason)
		}
	case kindSigningPolicy, kindNamespaces:
		c.policy, c.problems = policy.Parse(policyKinds[kind], path, data)
	}
	return c
}

// at is the same content, of CRLs, in another file.
func (c *fileContent) at(path string) *fileContent {
	other := &fileContent{digest: c.digest, path: path, problems: slices.Clone(c.problems)}
	for i := range other.problems {
		other.problems[i].File = path
	}
	for _, list := range c.lists {
		other.lists = append(other.lists, list.At(path))
	}
	return other
}

// misnamed says which parts of the content do not belong under a hash.
func (c *fileContent) misnamed(name trustName) []Problem {
	var problems []Problem
	complain := func(line int, what string, subject *dn.Name) {
		problems = append(problems, Problem{File: name.path, Line: line, Message: fmt.Sprintf(
			"not used: this name is not the hash of %s %s, which is %s (%s before OpenSSL 1.0)",
			what, subject.Brief(), subject.Hash(), subject.HashOld())})
	}
	if name.kind == kindCA {
		for _, f := range c.certificates {
			if f.err == nil && !f.element.subject.HasHash(name.hash) {
				complain(f.line, "the certificate", f.element.subject)
			}
		}
	}
	for _, list := range c.lists {
		if !list.Issuer.HasHash(name.hash) {
			complain(list.Line, "the issuer of this CRL", list.Issuer)
		}
	}
	return problems
}

// fileKey tells files apart. The CA file may lie in the CApath.
type fileKey struct {
	kind fileKind
	path string
}

func (n trustName) key() fileKey { return fileKey{kind: n.kind, path: n.path} }

// trustFile is what is known of a file, from one load to the next. content
// is what counts; nil if the file cannot be read and never could.
type trustFile struct {
	trustName
	stamp    stamp
	settled  bool // it was read, and its stamp shows any change since
	content  *fileContent
	problems []Problem // what is wrong with the file now
	kept     bool      // content is what the file held before it became bad
	missing  time.Time // since when content is in no file; zero if it is in this one

	held []*crl.List // of a file of CRLs: those in use, to go on with while it is bad
}

// fileReader reads the files of one load.
type fileReader struct {
	before map[fileKey]*trustFile // of the load before
	stamps map[string]stamp       // by path
	now    time.Time
	linked map[link]*fileContent
	lists  map[[sha256.Size]byte]*fileContent // CRLs by their digest: fetch-crl writes copies
}

// link tells the links to one file.
type link struct {
	kind fileKind
	at   stamp
}

func newFileReader(before map[fileKey]*trustFile, stamps map[string]stamp, now time.Time) *fileReader {
	r := &fileReader{
		before: before, stamps: stamps, now: now,
		linked: make(map[link]*fileContent), lists: make(map[[sha256.Size]byte]*fileContent),
	}
	for _, f := range before {
		if f.kind == kindCRL && f.content != nil && len(f.content.lists) > 0 {
			r.lists[f.content.digest] = f.content
		}
	}
	return r
}

// unchanged reports whether a file is what it was, without reading it.
func (r *fileReader) unchanged(f *trustFile) bool {
	at := r.stamps[f.path]
	return f.settled && f.missing.IsZero() && f.stamp == at &&
		// The link by which it was read must still lead to it.
		(f.kept || f.content == nil || r.stamps[f.content.path] == at)
}

// read gives what a file is now: what it was if it has not changed, and what
// it was if it has become bad; nil if it is gone since it was listed.
func (r *fileReader) read(name trustName) *trustFile {
	before := r.before[name.key()]
	if before != nil && r.unchanged(before) {
		f := *before
		return &f
	}
	at := r.stamps[name.path]
	f := &trustFile{trustName: name, stamp: at, settled: at.settled(r.now)}
	if before != nil {
		f.held = before.held
	}
	parsed, err := r.content(name, at, before)
	if errors.Is(err, fs.ErrNotExist) && !at.failed && name.kind != kindCAfile {
		if _, gone := statFile(name.path); gone {
			return nil
		}
	}
	if err != nil {
		f.settled = false // the next load may succeed, though the stamp is the same
		f.problems = []Problem{{File: name.path, Message: readProblem(name.path, err)}}
	} else {
		f.content = parsed
		f.problems = parsed.problemsAs(name)
	}
	f.keepBefore(before, err != nil)
	return f
}

// keepBefore has a file that has become bad go on with what it held before.
func (f *trustFile) keepBefore(before *trustFile, unread bool) {
	removed := f.stamp.missing && (f.kind == kindCA || f.kind == kindCRL)
	if f.kind == kindCRL {
		if removed {
			f.held = nil
		}
		return // the builder keeps what was held
	}
	if len(f.problems) == 0 || removed || before == nil || before.content == nil {
		return
	}
	sound := before.kept || len(before.problems) == 0
	if !sound && !unread {
		return
	}
	f.content, f.kept = before.content, sound
	for i := range f.problems {
		f.problems[i].Message += keptMessage
	}
	if !sound {
		// What was wrong with it still is.
		f.problems = append(f.content.problemsAs(f.trustName), f.problems...)
	}
}

// problemsAs is all that is wrong with the content of a file of this name.
func (c *fileContent) problemsAs(name trustName) []Problem {
	return slices.Concat(c.problems, c.misnamed(name))
}

// keptMessage ends the problem of a file that has become bad.
const keptMessage = " (what the file held before stays in use)"

// content parses a file, once for all links to it.
func (r *fileReader) content(name trustName, at stamp, before *trustFile) (*fileContent, error) {
	if c := r.linked[link{kind: name.kind, at: at}]; c != nil {
		return c, nil
	}
	data, err := files.Read(name.path, name.kind.limit())
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	var c *fileContent
	if before != nil && before.content != nil && before.content.digest == digest && before.content.path == name.path {
		c = before.content
	} else if same := r.lists[digest]; same != nil && name.kind == kindCRL {
		c = same.at(name.path)
	} else {
		c = parseContent(name.kind, name.path, digest, data)
	}
	if len(c.lists) > 0 {
		r.lists[digest] = c
	}
	if !at.failed {
		r.linked[link{kind: name.kind, at: at}] = c
	}
	return c, nil
}

func readProblem(file string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		if target, linkErr := os.Readlink(file); linkErr == nil {
			return fmt.Sprintf("this link points to %s, which does not exist", target)
		}
	}
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return "cannot be read: " + err.Error()
}
