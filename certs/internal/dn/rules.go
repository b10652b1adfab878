package dn

import (
	"errors"
	"slices"
	"strings"
)

// Rules are access rules that name DNs. The zero value names nobody.
//
// A rule is a DN in slash form, or with a '*' at the end the beginning of DNs;
// it may stand in double quotes, as in a grid-mapfile. Rules are compared
// without regard to case and to the spelling of attribute types (E, Email and
// emailAddress; UID and USERID, but not uid, which is how OpenSSL writes
// uniqueIdentifier). A '/' in the last attribute before a '*' begins the next
// attribute, except in a CN: the rule /O=hosts/* names nobody of
// O=hosts/other, and /CN=host/* names host/db.
type Rules struct {
	whole      []string // as Normalize has them
	beginnings []string // likewise, without the '*'
}

// ErrEveryDN is why a rule that is a '*' alone is none.
var ErrEveryDN = errors.New("it names no DN")

// Add takes a rule. It fails on one that can match nobody; the error says why,
// in a clause.
func (r *Rules) Add(rule string) error {
	text := strings.TrimSpace(rule)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	text, beginning := strings.CutSuffix(text, "*")
	switch {
	case (text == "" || text == "/") && beginning:
		return ErrEveryDN
	case text == "" || text == "/":
		return errors.New("it is empty")
	case strings.Contains(text, "*"):
		return errors.New("a '*' stands only at the end")
	case strings.Contains(text, `"`) && strings.HasPrefix(text, `"`):
		return errors.New("its quotes do not pair")
	}
	// The beginning of a DN may end inside its first attribute's type.
	at := dnStart.FindStringIndex(text)
	whole := at != nil && at[0] == 0
	if !strings.HasPrefix(text, "/") || !whole && (!beginning || strings.Contains(text, "=")) {
		return errors.New("it is not a DN in slash form")
	}
	normal := normalizePattern(text, beginning)
	switch {
	case beginning:
		r.beginnings = append(r.beginnings, normal)
	case strings.HasSuffix(normal, "="):
		return errors.New("its last attribute has no value")
	default:
		r.whole = append(r.whole, normal)
	}
	return nil
}

// Match reports whether a rule names the DN, by what its values say; a rule
// that was written from the octets of older tools counts where it can mean
// nothing else, see Forms.
func (r *Rules) Match(name *Name) bool {
	forms := name.Forms()
	if forms.ambiguous != "" || forms.control {
		return false
	}
	readings := []slashForm{forms.text}
	if forms.unlike {
		readings = append(readings, forms.octets)
	}
	for _, reading := range readings {
		attributes := reading.normal()
		if slices.Contains(r.whole, strings.Join(attributes, "")) ||
			slices.ContainsFunc(r.beginnings, func(beginning string) bool { return beginWith(attributes, beginning) }) {
			return true
		}
	}
	return false
}

// beginWith reports whether a name's attributes begin with a prefix. Where the
// prefix ends inside an attribute, a '/' of its own is no part of the value,
// unless that is a common name, such as host/fqdn.
func beginWith(attributes []string, prefix string) bool {
	for _, a := range attributes {
		if len(prefix) <= len(a) {
			return strings.HasPrefix(a, prefix) && (strings.LastIndexByte(prefix, '/') <= 0 || strings.HasPrefix(a, "/cn="))
		}
		var ok bool
		if prefix, ok = strings.CutPrefix(prefix, a); !ok {
			return false
		}
	}
	return false
}

// NoRule says why no rule can be made of a DN, in a clause; empty if one can.
func NoRule(name *Name) string {
	forms := name.Forms()
	switch {
	case name.Empty():
		return "its DN is empty"
	case forms.ambiguous != "":
		return "its DN in slash form stands for other names too: " + forms.ambiguous
	case forms.control:
		return "its DN holds control characters"
	case strings.Contains(name.Slash(), "*"):
		return "its DN holds a '*'"
	}
	return ""
}
