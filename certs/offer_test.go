package certs_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// TestNewOffer: what is told is what an Endpoint offers: both versions, key exchanges,
// and no suite of CBC, which crypto/tls would offer by itself.
func TestNewOffer(t *testing.T) {
	offer := certs.NewOffer()
	if want := []string{"TLS 1.3", "TLS 1.2"}; !slices.Equal(offer.Versions, want) {
		t.Errorf("versions %q, want %q", offer.Versions, want)
	}
	if !slices.Contains(offer.Groups, "CurveP256") {
		t.Errorf("groups %q lack P-256", offer.Groups)
	}
	for _, suite := range []string{"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"} {
		if !slices.Contains(offer.CipherSuites, suite) {
			t.Errorf("suites %q lack %s", offer.CipherSuites, suite)
		}
	}
	if slices.Contains(offer.CipherSuites, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA") {
		t.Errorf("suites %q have CBC", offer.CipherSuites)
	}
}
