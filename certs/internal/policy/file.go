package policy

import (
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// MaxBytes is the size of the largest file that is read: the largest in use
// have a few kB.
const MaxBytes = 256 << 10

// Kind is the kind of a policy file, as its name in the CApath ends.
type Kind string

// The kinds.
const (
	SigningPolicy Kind = "signing_policy" // of Globus: an extended access control list (EACL)
	Namespaces    Kind = "namespaces"     // of the EUGridPMA
)

// File is a policy file that has been read. It is immutable.
type File struct {
	judge  func(issuer, subject string, own bool) Decision // of names in slash form
	latin1 bool                                            // of the octets of a subject, those of Latin-1 alone permit
}

// Parse reads the content of a policy file; file names it in messages. If
// anything in it is malformed the File is nil, and the problems say where. A
// malformed file must never count as a missing one: see Unreadable.
func Parse(kind Kind, file string, content []byte) (*File, []files.Problem) {
	if kind == Namespaces {
		rules, problems := parseNamespaces(file, content)
		if rules == nil {
			return nil, problems
		}
		// Expressions could match the octets of any character.
		return &File{judge: rules.judge, latin1: true}, nil
	}
	rules, problems := parseSigningPolicy(file, content)
	if rules == nil {
		return nil, problems
	}
	judge := func(issuer, subject string, _ bool) Decision { return rules.judge(issuer, subject) }
	return &File{judge: judge}, nil
}

// Judge asks the file whether the issuer may sign the subject, in every reading
// of their names: see dn.Forms. own says that the file belongs to the issuer,
// which is what SELF in a namespaces file speaks of.
func (f *File) Judge(issuer, subject dn.Forms, own bool) Decision {
	var decision Decision
	for _, by := range issuer.Readings(false) {
		for _, of := range subject.Readings(f.latin1) {
			got := f.judge(by.Slash, of.Slash, own)
			switch {
			case got.Denied:
				return got
			case !by.Permits || !of.Permits:
				continue
			case decision.Verdict == Silent || got.Verdict == Permits:
				decision = got
			}
		}
	}
	return decision
}

// textOf is the content of a policy file without the byte order mark (BOM) that
// some editors put before UTF-8.
func textOf(content []byte) string { return strings.TrimPrefix(string(content), "\ufeff") }
