package certstest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteCApath writes the CAs into dir (made if missing) as Debian's IGTF
// packages do: NAME.pem, HASH.0 links under both hash names, and a
// signing_policy that lets each sign below /DC=test/DC=gtunnel.
//
// NAME is the CA's CN with everything but letters and digits as '-'. CAs that
// are in dir already stay; another CA of the same DN gets the next number.
func WriteCApath(dir string, cas ...*CA) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, ca := range cas {
		if err := writeCA(dir, ca.Certificate); err != nil {
			return fmt.Errorf("write the CA %s: %w", ca.Certificate.Subject, err)
		}
	}
	return nil
}

func writeCA(dir string, certificate *x509.Certificate) error {
	oldHash, newHash, err := subjectHashes(certificate.RawSubject)
	if err != nil {
		return err
	}
	policy, err := signingPolicy(certificate.RawSubject)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := writePEM(&text, certificate); err != nil {
		return err
	}
	alias, err := freeAlias(dir, fileName(certificate.Subject.CommonName), text.Bytes())
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, alias+".pem"), text.Bytes(), 0o644); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, alias+".signing_policy"), []byte(policy), 0o644); err != nil {
		return err
	}
	for _, hash := range []string{newHash, oldHash} {
		// The policy comes first: a certificate without one is refused.
		if err := linkPolicy(dir, alias, hash); err != nil {
			return err
		}
		if err := linkCertificate(dir, alias, hash); err != nil {
			return err
		}
	}
	return nil
}

// freeAlias gives the first of name, name-2, name-3 ... whose .pem is missing
// or holds text already.
func freeAlias(dir, name string, text []byte) (string, error) {
	alias := name
	for n := 2; ; n++ {
		present, err := os.ReadFile(filepath.Join(dir, alias+".pem"))
		if errors.Is(err, fs.ErrNotExist) {
			return alias, nil
		}
		if err != nil {
			return "", err
		}
		if bytes.Equal(present, text) {
			return alias, nil
		}
		alias = fmt.Sprintf("%s-%d", name, n)
	}
}

// linkPolicy makes HASH.signing_policy point to the alias's policy. CAs of
// one DN have one policy.
func linkPolicy(dir, alias, hash string) error {
	err := os.Symlink(alias+".signing_policy", filepath.Join(dir, hash+".signing_policy"))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// linkCertificate makes the first free HASH.N point to the alias's
// certificate, unless one does.
func linkCertificate(dir, alias, hash string) error {
	target := alias + ".pem"
	for n := 0; ; n++ {
		link := filepath.Join(dir, fmt.Sprintf("%s.%d", hash, n))
		err := os.Symlink(target, link)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if present, err := os.Readlink(link); err == nil && present == target {
			return nil
		}
	}
}

// fileName keeps letters and digits of a CN, so that no CN leaves the
// directory.
func fileName(commonName string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, commonName)
	if name == "" {
		return "CA"
	}
	return name
}

// rdnSET is one relative distinguished name with its values as encoded; the
// suffix of its name makes encoding/asn1 treat it as a SET.
type rdnSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// subjectHashes computes the two names that OpenSSL gives to a CA in a CApath:
// MD5 of the subject as encoded (before OpenSSL 1.0), and SHA-1 of its
// canonical form. The canonical form follows OpenSSL for the string types that
// crypto/x509 writes: UTF8String, one space for each run of white space and
// none at the ends, ASCII letters in lower case, no outer SEQUENCE.
func subjectHashes(rawSubject []byte) (oldHash, newHash string, err error) {
	var name []rdnSET
	if _, err := asn1.Unmarshal(rawSubject, &name); err != nil {
		return "", "", fmt.Errorf("read the subject: %w", err)
	}
	var canonical []byte
	for _, set := range name {
		for i := range set {
			value := set[i].Value
			switch value.Tag {
			case asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagIA5String:
			default:
				return "", "", fmt.Errorf("the subject has a value of ASN.1 type %d; give it UTF8, Printable or IA5 strings",
					value.Tag)
			}
			folded := strings.Join(strings.FieldsFunc(string(value.Bytes), isASCIISpace), " ")
			set[i].Value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(strings.Map(lowerASCII, folded))}
		}
		der, err := asn1.Marshal(set)
		if err != nil {
			return "", "", fmt.Errorf("encode the subject: %w", err)
		}
		canonical = append(canonical, der...)
	}
	md := md5.Sum(rawSubject)
	sha := sha1.Sum(canonical)
	return hashName(md[:]), hashName(sha[:]), nil
}

func hashName(digest []byte) string {
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest))
}

// isASCIISpace reports whether a byte is white space.
func isASCIISpace(r rune) bool {
	return r == ' ' || r >= '\t' && r <= '\r'
}

func lowerASCII(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// signingPolicy is the Globus policy file of the CA with this subject.
func signingPolicy(rawSubject []byte) (string, error) {
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(rawSubject, &name); err != nil {
		return "", fmt.Errorf("read the subject: %w", err)
	}
	var dn strings.Builder
	for _, set := range name {
		for _, a := range set {
			fmt.Fprintf(&dn, "/%s=%v", shortName(a.Type), a.Value)
		}
	}
	return fmt.Sprintf(`# A throw-away CA for tests.
access_id_CA   X509    '%s'
pos_rights     globus  CA:sign
cond_subjects  globus  '"/DC=test/DC=gtunnel/*"'
`, quoteSingle(dn.String())), nil
}

// quoteSingle escapes what ends or escapes a single-quoted EACL value.
func quoteSingle(s string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s)
}

// shortName is OpenSSL's short name of an attribute type, or its dotted form.
func shortName(oid asn1.ObjectIdentifier) string {
	switch {
	case oid.Equal(oidDomainComponent):
		return "DC"
	case oid.Equal(oidOrganization):
		return "O"
	case oid.Equal(oidCommonName):
		return "CN"
	case oid.Equal(asn1.ObjectIdentifier{2, 5, 4, 6}):
		return "C"
	case oid.Equal(asn1.ObjectIdentifier{2, 5, 4, 11}):
		return "OU"
	default:
		return oid.String()
	}
}
