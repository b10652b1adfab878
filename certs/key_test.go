package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// keyInfo is a SubjectPublicKeyInfo.
func keyInfo(algorithm string, parameters asn1.RawValue, key []byte) []byte {
	type identifier struct {
		Algorithm  asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	return must(asn1.Marshal(struct {
		Algorithm identifier
		Key       asn1.BitString
	}{identifier{Algorithm: oid(algorithm), Parameters: parameters}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}}))
}

// rsaInfo is the SubjectPublicKeyInfo of an RSA key.
func rsaInfo(algorithm string, parameters asn1.RawValue, n *big.Int, e int) []byte {
	return keyInfo(algorithm, parameters, must(asn1.Marshal(struct {
		N *big.Int
		E int
	}{n, e})))
}

// withKey is a certificate with another SubjectPublicKeyInfo, signed anew.
func withKey(cert *x509.Certificate, issuer *certstest.CA, info []byte) *x509.Certificate {
	return must(x509.ParseCertificate(dertest.Resign(cert.Raw, issuer.Key.(*ecdsa.PrivateKey),
		func(fields []asn1.RawValue) []asn1.RawValue {
			for i, field := range fields {
				if string(field.FullBytes) == string(cert.RawSubjectPublicKeyInfo) {
					fields[i] = asn1.RawValue{FullBytes: info}
				}
			}
			return fields
		})))
}

// strangeKeys are SubjectPublicKeyInfos of kinds with which no handshake is
// possible, with the words for each.
func strangeKeys() map[string][]byte {
	modulus := must(rsa.GenerateKey(rand.Reader, 2048)).N
	even := new(big.Int).SetBit(modulus, 0, 0)
	dsa := asn1.RawValue{FullBytes: must(asn1.Marshal(struct{ P, Q, G *big.Int }{modulus, big.NewInt(7), big.NewInt(2)}))}
	return map[string][]byte{
		"P-224": must(
			x509.MarshalPKIXPublicKey(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)).Public()),
		),
		"Ed448":                    keyInfo("1.3.101.113", asn1.RawValue{}, make([]byte, 57)),
		"X25519":                   keyInfo("1.3.101.110", asn1.RawValue{}, append([]byte{9}, make([]byte, 31)...)),
		"X448":                     keyInfo("1.3.101.111", asn1.RawValue{}, make([]byte, 56)),
		"RSA-PSS":                  rsaInfo("1.2.840.113549.1.1.10", asn1.RawValue{}, modulus, 65537),
		"DSA":                      keyInfo("1.2.840.10040.4.1", dsa, []byte{2, 1, 5}),
		"1.2.3.4":                  keyInfo("1.2.3.4", asn1.RawValue{}, []byte{1}),
		"exponent is even":         rsaInfo("1.2.840.113549.1.1.1", asn1.NullRawValue, modulus, 4),
		"modulus or the exponent":  rsaInfo("1.2.840.113549.1.1.1", asn1.NullRawValue, even, 65537),
		"not within 31 bits":       rsaInfo("1.2.840.113549.1.1.1", asn1.NullRawValue, modulus, 1<<31+1),
		"RSA key is malformed: th": rsaInfo("1.2.840.113549.1.1.1", asn1.NullRawValue, modulus, 1),
	}
}

// TestUnusableKeys: a host whose key no handshake takes is refused offline as
// in a handshake of either version, whichever end it is.
func TestUnusableKeys(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	store := openStore(t, root)
	endpoint := &certs.Endpoint{
		Store: store, Credential: credential(t, must(root.NewHost("us.test", sound))),
		Policy: certs.Policy{Access: must(certs.NewAccess(nil, nil, true))},
	}
	host := must(root.NewHost("host.test", sound))
	for words, info := range strangeKeys() {
		t.Run(words, func(t *testing.T) {
			cert := withKey(host.Certificate, root, info)
			_, err := certs.Verify(store.Snapshot(), []*x509.Certificate{cert}, anyone(certs.PeerAny, now, certs.Policy{}))
			refusal := wantRefusal(t, err, certs.CodeUnsupported)
			if refusal.Depth != 0 || !strings.Contains(refusal.Reason, words) ||
				!strings.Contains(refusal.Reason, "no TLS handshake is possible") {
				t.Errorf("depth %d, reason %q", refusal.Depth, refusal.Reason)
			}
			if !strings.Contains(refusal.Cure, "P-256") {
				t.Errorf("the cure %q names no kind that is supported", refusal.Cure)
			}
			if d := must(certs.Describe([]*x509.Certificate{cert}, 0, certs.HostModeGrid)); d.UnusableKey == "" {
				t.Errorf("nothing is said of the key %s", d.Key)
			}
			for name, version := range versions {
				for _, role := range []certs.PeerRole{certs.PeerClient, certs.PeerServer} {
					err := shakeWith(t, endpoint, role,
						showing(version, tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: host.Key}))
					t.Logf("%s, %s: %v", name, role, err)
					wantRefusal(t, err, certs.CodeUnsupported)
				}
			}
		})
	}
}

// showing is the configuration of an end that shows a certificate and trusts
// everybody.
func showing(version uint16, shown tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: version, MaxVersion: version, InsecureSkipVerify: true,
		Certificates: []tls.Certificate{shown}, ClientAuth: tls.RequireAnyClientCert,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil },
	}
}

// shakeWith shakes hands with an end of this configuration, and gives the
// endpoint's error.
func shakeWith(t *testing.T, endpoint *certs.Endpoint, peer certs.PeerRole, config *tls.Config) error {
	t.Helper()
	near, far := tcpPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := tls.Client(far, config)
		if peer == certs.PeerServer {
			conn = tls.Server(far, config)
		}
		_ = conn.HandshakeContext(ctx)
		_, _ = far.Read(make([]byte, 1)) // the alert
	}()
	var err error
	if peer == certs.PeerServer {
		_, _, err = endpoint.Client(ctx, near, "host.test")
	} else {
		_, _, err = endpoint.Server(ctx, near)
	}
	_ = near.Close()
	<-done
	return err
}

// TestUnusableKeysOfCAs: a CA's key that cannot check a signature is told from
// a signature that is bad, and a signature that is not supported from one that
// can be forged.
func TestUnusableKeysOfCAs(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	snapshot := openStore(t, root).Snapshot()
	sub := must(root.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound)).Certificate
	verify := func(snapshot *certs.Snapshot, chain ...*x509.Certificate) error {
		_, err := certs.Verify(snapshot, chain, anyone(certs.PeerAny, now, unbound))
		return err
	}
	for _, words := range []string{"Ed448", "X25519", "RSA-PSS", "DSA", "exponent is even"} {
		strange := withKey(sub.Certificate, root, strangeKeys()[words])
		refusal := wantRefusal(t, verify(snapshot, host, strange), certs.CodeUnsupported)
		if refusal.Depth != 1 || !strings.Contains(refusal.Reason, words) || strings.Contains(refusal.Reason, "handshake") ||
			!strings.Contains(refusal.Cure, "another CA") && !strings.Contains(refusal.Cure, "a certificate of a CA") {
			t.Errorf("depth %d, reason %q, cure %q", refusal.Depth, refusal.Reason, refusal.Cure)
		}
	}
	// P-224 is no key for TLS, but good for a CA.
	key := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	small := &certstest.CA{
		Certificate: recertify(root, sub.Certificate, key.Public(), now.Add(time.Hour)), Key: key, Parent: root,
	}
	if err := verify(snapshot, must(small.NewHost("host.test", sound)).Certificate, small.Certificate); err != nil {
		t.Error(err)
	}

	for algorithm, want := range map[string]struct {
		code  certs.Code
		words string
	}{
		"2.16.840.1.101.3.4.3.2": {certs.CodeUnsupported, "DSA-SHA256, which is not supported"},
		"1.2.840.10040.4.3":      {certs.CodeUnsupported, "DSA-SHA1, which is not supported"},
		"1.3.101.113":            {certs.CodeUnsupported, "an algorithm that is not supported"}, // Ed448
		"1.2.840.113549.1.1.4":   {certs.CodeWeakSignature, "MD5-RSA, which can be forged"},
		"1.2.840.113549.1.1.5":   {certs.CodeWeakSignature, "SHA1-RSA, which can be forged"},
	} {
		refusal := wantRefusal(t, verify(snapshot, withAlgorithm(host, algorithm), sub.Certificate), want.code)
		if !strings.Contains(refusal.Reason, want.words) ||
			(want.code == certs.CodeUnsupported) != strings.Contains(refusal.Cure, "Ed25519") {
			t.Errorf("%s: reason %q, cure %q", algorithm, refusal.Reason, refusal.Cure)
		}
	}

	// An installed key that is so small that crypto/rsa does not use it.
	tiny := &certstest.CA{
		Certificate: withKey(root.Certificate, root,
			rsaInfo("1.2.840.113549.1.1.1", asn1.NullRawValue, new(big.Int).SetBit(big.NewInt(1), 511, 1), 65537)),
	}
	refusal := wantRefusal(t,
		verify(openStore(t, tiny).Snapshot(),
			withAlgorithm(must(root.NewHost("host.test", sound)).Certificate, "1.2.840.113549.1.1.11")), certs.CodeWeakSignature)
	if refusal.Depth != 1 || !strings.Contains(refusal.Reason, "512 bits, fewer than 1024") || refusal.File == "" {
		t.Errorf("depth %d: %v", refusal.Depth, refusal)
	}
}

// withAlgorithm is a certificate that says to be signed with an algorithm.
func withAlgorithm(cert *x509.Certificate, algorithm string) *x509.Certificate {
	var parts struct{ TBS, Algorithm, Signature asn1.RawValue }
	must(asn1.Unmarshal(cert.Raw, &parts))
	was := parts.Algorithm.FullBytes
	parts.Algorithm = asn1.RawValue{FullBytes: must(asn1.Marshal(struct{ ID asn1.ObjectIdentifier }{oid(algorithm)}))}
	if strings.HasPrefix(algorithm, "1.2.840.113549") {
		parts.Algorithm = asn1.RawValue{FullBytes: must(asn1.Marshal(struct {
			ID   asn1.ObjectIdentifier
			Null asn1.RawValue
		}{oid(algorithm), asn1.NullRawValue}))}
	}
	tbs := strings.Replace(string(parts.TBS.Bytes), string(was), string(parts.Algorithm.FullBytes), 1)
	parts.TBS = asn1.RawValue{
		FullBytes: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte(tbs)})),
	}
	return must(x509.ParseCertificate(must(asn1.Marshal(parts))))
}

// TestLargeKeyInHandshake: what crypto/tls refuses for its size has the code
// and the words of Verify.
func TestLargeKeyInHandshake(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	store := openStore(t, root)
	endpoint := &certs.Endpoint{
		Store: store, Credential: credential(t, must(root.NewHost("us.test", sound))),
		Policy: certs.Policy{Access: must(certs.NewAccess(nil, nil, true))},
	}
	host := must(root.NewHost("host.test", sound))
	large := recertify(root, root.Certificate, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537},
		now.Add(time.Hour))
	err := shakeWith(t, endpoint, certs.PeerClient,
		showing(tls.VersionTLS13,
			tls.Certificate{Certificate: [][]byte{host.Certificate.Raw, large.Raw}, PrivateKey: host.Key}))
	if refusal := wantRefusal(t, err, certs.CodeTooMuchWork); !strings.Contains(refusal.Reason, "8192 bits") ||
		!strings.Contains(refusal.Cure, "must not send") {
		t.Errorf("%v; cure %q", refusal, refusal.Cure)
	}
	_, err = certs.Verify(store.Snapshot(), []*x509.Certificate{host.Certificate, large},
		anyone(certs.PeerAny, now, certs.Policy{}))
	wantRefusal(t, err, certs.CodeTooMuchWork)
}

// TestOwnUnusableKeys: a key with which no handshake is possible is told from
// a damaged one, and the hint says what to make instead.
func TestOwnUnusableKeys(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	soundHost := must(root.NewHost("host.test", sound))
	dir := t.TempDir()
	cert := writeFile(t, filepath.Join(dir, "hostcert.pem"), pemOf("CERTIFICATE", soundHost.Certificate.Raw), 0o644)
	for words, arguments := range map[string]string{
		"is Ed448, with which":   "-algorithm ED448",
		"is X25519, with which":  "-algorithm X25519",
		"is RSA-PSS, with which": "-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048",
		"is of an elliptic":      "-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1",
	} {
		key := writeFile(t, filepath.Join(dir, "hostkey.pem"),
			[]byte(openssl(t, nil, append([]string{"genpkey"}, strings.Fields(arguments)...)...)), 0o600)
		_, err := certs.LoadCredential(cert, key)
		wantHint(t, err, words, "RSA of 2048")
		wantHint(t, err, "no TLS handshake is possible", "ec_paramgen_curve:P-256")
	}
	key := writeFile(t, filepath.Join(dir, "key.pem"), pkcs8(soundHost.Key), 0o600)
	for words, info := range strangeKeys() {
		file := writeFile(t, filepath.Join(dir, "strange.pem"),
			pemOf("CERTIFICATE", withKey(soundHost.Certificate, root, info).Raw), 0o644)
		_, err := certs.LoadCredential(file, key)
		wantHint(t, err, words, "RSA of 2048")
		wantRefusal(t, err, certs.CodeUnsupported)
	}
	// Curves that crypto/x509 does not even read.
	for words, arguments := range map[string]string{
		"unsupported elliptic curve": "-pkeyopt ec_paramgen_curve:secp256k1",
		"invalid ECDSA parameters":   "-pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
	} {
		secret := openssl(t, nil, append([]string{"genpkey", "-algorithm", "EC"}, strings.Fields(arguments)...)...)
		key := writeFile(t, filepath.Join(dir, "curve.key"), []byte(secret), 0o600)
		certificate := []byte(openssl(t, nil, "req", "-x509", "-new", "-key", key, "-subj", "/CN=host.test"))
		file := writeFile(t, filepath.Join(dir, "curve.pem"), certificate, 0o644)
		_, err := certs.ReadCertificates(file)
		wantHint(t, err, words, "P-256")
		wantRefusal(t, err, certs.CodeUnsupported)
		_, err = certs.LoadCredential(cert, key)
		wantHint(t, err, "of an elliptic curve", "P-256")
		// A CA's key is not the host's to make anew.
		file = writeFile(t, filepath.Join(dir, "chain.pem"),
			slices.Concat(pemOf("CERTIFICATE", soundHost.Certificate.Raw), certificate), 0o644)
		_, err = certs.ReadCertificates(file)
		wantHint(t, err, words, "certificate of a CA whose keys")
		if refusal := wantRefusal(t, err, certs.CodeUnsupported); refusal.Depth != 1 ||
			strings.Contains(refusal.Cure, "for the host") {
			t.Errorf("depth %d, cure %q", refusal.Depth, refusal.Cure)
		}
	}
}
