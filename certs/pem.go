package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// pemBlock is one block of a PEM file.
type pemBlock struct {
	label     string
	line      int  // of the BEGIN line, counted from 1; 0 in a DER file
	encrypted bool // by its headers (RFC 1421); der is then cipher text
	der       []byte
	err       error // what is wrong with the block; der is then nil
}

// readPEM finds the blocks of a PEM file. It is lenient where grid files
// need it: text before, between and after blocks, CR LF, white space at line
// ends and in the base64. Unlike encoding/pem it says which block is broken
// and on which line, and goes on after it. A file that is DER is one block
// without a label.
func readPEM(data []byte) []pemBlock {
	if isDER(data) {
		return []pemBlock{{der: data}}
	}
	var blocks []pemBlock
	var current *pemBlock
	var text strings.Builder
	finish := func(err error) {
		if err == nil {
			current.der, err = base64.StdEncoding.DecodeString(text.String())
			if err != nil {
				err = errors.New("the base64 of this block is damaged")
			} else if len(current.der) == 0 {
				err = errors.New("this block is empty")
			}
		}
		current.err = err
		blocks = append(blocks, *current)
		current = nil
	}
	for line, row := range pemRows(data) {
		label, isBegin := boundary(row, "-----BEGIN ")
		endLabel, isEnd := boundary(row, "-----END ")
		switch {
		case isBegin:
			if current != nil {
				finish(errors.New("this block has no END line"))
			}
			current = &pemBlock{label: label, line: line}
			text.Reset()
		case current == nil:
		case isEnd:
			var err error
			if endLabel != current.label {
				err = fmt.Errorf("this %s block ends as %s", current.label, endLabel)
			}
			finish(err)
		case bytes.IndexByte(row, ':') > 0:
			if bytes.HasPrefix(row, []byte("Proc-Type:")) && bytes.Contains(row, []byte("ENCRYPTED")) {
				current.encrypted = true
			}
		default:
			for field := range bytes.FieldsSeq(row) {
				text.Write(field)
			}
		}
	}
	if current != nil {
		finish(errors.New("this block has no END line"))
	}
	return blocks
}

// pemRows numbers the lines of a file from 1, without white space at their
// ends. An END line and a BEGIN line that files without a last line end became
// when they were joined are two rows of one line.
func pemRows(data []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		line := 0
		for row := range bytes.Lines(data) {
			line++
			row = bytes.TrimSpace(row)
			if i := bytes.Index(row, []byte("----------BEGIN ")); i >= 0 {
				i += len("-----")
				if !yield(line, row[:i]) {
					return
				}
				row = row[i:]
			}
			if !yield(line, row) {
				return
			}
		}
	}
}

// boundary reads the label of a BEGIN or END line.
func boundary(row []byte, start string) (label string, ok bool) {
	rest, ok := bytes.CutPrefix(row, []byte(start))
	if !ok {
		return "", false
	}
	rest, ok = bytes.CutSuffix(rest, []byte("-----"))
	return string(rest), ok
}

// isDER reports whether data is one DER SEQUENCE rather than text.
func isDER(data []byte) bool {
	input := cryptobyte.String(data)
	var element cryptobyte.String
	return input.ReadASN1Element(&element, cryptobyte_asn1.SEQUENCE) && input.Empty()
}

// fileCertificate is a certificate of a file, or what is wrong with it.
type fileCertificate struct {
	element *element // nil if err is not
	line    int
	err     error
	whole   bool // the DER is: what is wrong is in the certificate, not in the file
}

// parseCertificates reads every certificate of a PEM or DER file. Blocks that
// hold something else are passed over.
func parseCertificates(data []byte) []fileCertificate {
	var found []fileCertificate
	for _, block := range readPEM(data) {
		switch block.label {
		case "CERTIFICATE", "X509 CERTIFICATE", "":
		case "TRUSTED CERTIFICATE":
			block.err = errors.New("a TRUSTED CERTIFICATE block carries trust settings of OpenSSL, which are not read; " +
				"write it anew with: openssl x509 -in FILE -out NEWFILE")
		default:
			continue
		}
		f := fileCertificate{line: block.line, err: block.err, whole: isDER(block.der)}
		if f.err == nil {
			f.element, f.err = parseElement(block.der)
		}
		found = append(found, f)
	}
	return found
}

func parseElement(der []byte) (*element, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil && hasRelativePoint(der) {
		return nil, errRelativePoint
	}
	if err != nil {
		return nil, err
	}
	return newElement(cert)
}

// ReadCertificates reads the certificates of a PEM or DER file in their
// order, for Verify or to show them. It fails if there is none or if one is
// damaged, naming the line; the error has a Hint. A damaged certificate is
// what Verify would refuse from a peer: the error wraps that *Refusal.
func ReadCertificates(file string) ([]*x509.Certificate, error) {
	chain, err := loadChain(file)
	if err != nil {
		return nil, err
	}
	certificates := make([]*x509.Certificate, 0, len(chain))
	for _, e := range chain {
		certificates = append(certificates, e.cert)
	}
	return certificates, nil
}
