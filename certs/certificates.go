package certs

import (
	"crypto/x509"
	"errors"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

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
	for _, block := range files.Blocks(data) {
		switch block.Label {
		case "CERTIFICATE", "X509 CERTIFICATE", "":
		case "TRUSTED CERTIFICATE":
			block.Err = errors.New("a TRUSTED CERTIFICATE block carries trust settings of OpenSSL, which are not read; " +
				"write it anew with: openssl x509 -in FILE -out NEWFILE")
		default:
			continue
		}
		f := fileCertificate{line: block.Line, err: block.Err, whole: files.IsDER(block.DER)}
		if f.err == nil {
			f.element, f.err = parseElement(block.DER)
		}
		found = append(found, f)
	}
	return found
}

func parseElement(der []byte) (*element, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil && crl.HasRelativePoint(der) {
		return nil, errRelativePoint
	}
	if err != nil {
		return nil, err
	}
	return newElement(cert)
}

// errRelativePoint is why a certificate is not read that crypto/x509 takes for
// malformed, in files and in handshakes alike.
var errRelativePoint = errors.New("its CRL distribution point is relative to the name of the CRL's issuer " +
	"(nameRelativeToCRLIssuer), which is sound and not supported")

// relativePointCure is what to do about it.
const relativePointCure = "Ask the CA for a certificate whose CRL distribution point is a URL or a full name: " +
	"no TLS handshake of gtunnel can use this one."
