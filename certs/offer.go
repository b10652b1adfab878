package certs

import (
	"crypto/tls"
	"errors"
	"net"
)

// Offer is what the handshakes of this program accept and offer, most preferred first. It
// depends on the Go release, on GODEBUG and on the FIPS 140-3 mode of the process.
type Offer struct {
	Versions     []string `json:"versions"`      // such as "TLS 1.3"
	Groups       []string `json:"groups"`        // of the key exchange, such as "X25519MLKEM768"
	CipherSuites []string `json:"cipher_suites"` // by the names of IANA
}

// errHeard ends the handshake of NewOffer, which is not wanted any further.
var errHeard = errors.New("the hello was heard")

// NewOffer listens to the first message of a handshake of an Endpoint without a
// MinVersion: crypto/tls tells by nothing else what it puts there.
func NewOffer() Offer {
	ours, theirs := net.Pipe()
	var offer Offer
	hearing, config := (&Endpoint{}).commonConfig(&judge{}), (&Endpoint{}).commonConfig(&judge{})
	hearing.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offer = offerOf(hello)
		return nil, errHeard
	}
	config.ServerName = "localhost"
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = tls.Client(ours, config).Handshake() //nolint:noctx // the other end closes it
	}()
	_ = tls.Server(theirs, hearing).Handshake() //nolint:noctx // fails at once, with errHeard
	_ = theirs.Close()
	<-ended
	_ = ours.Close()
	return offer
}

func offerOf(hello *tls.ClientHelloInfo) Offer {
	var offer Offer
	for _, version := range hello.SupportedVersions {
		offer.Versions = append(offer.Versions, tls.VersionName(version))
	}
	for _, group := range hello.SupportedCurves {
		offer.Groups = append(offer.Groups, group.String())
	}
	for _, suite := range hello.CipherSuites {
		offer.CipherSuites = append(offer.CipherSuites, tls.CipherSuiteName(suite))
	}
	return offer
}
