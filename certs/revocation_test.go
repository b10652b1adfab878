package certs_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// writeList writes a CRL of the CA as HASH.rN.
func writeList(t testing.TB, dir string, ca *certstest.CA, n int, o certstest.CRLOptions) (file string) {
	t.Helper()
	hash, _ := hashes(ca)
	return writeFile(t, filepath.Join(dir, fmt.Sprintf("%s.r%d", hash, n)), must(ca.NewCRL(o)), 0o644)
}

func listExtension(id string, critical bool, value []byte) certstest.CRLOptions {
	return certstest.CRLOptions{Mutate: func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid(id), Critical: critical, Value: value})
	}}
}

// naming adds a certificate to a list.
func naming(o certstest.CRLOptions, revoked *certstest.Host) certstest.CRLOptions {
	o.Revoked = append(o.Revoked, revoked.Certificate)
	return o
}

var (
	stale      = certstest.CRLOptions{ThisUpdate: now.Add(-72 * time.Hour), NextUpdate: now.Add(-24 * time.Hour)}
	notYet     = certstest.CRLOptions{ThisUpdate: now.Add(24 * time.Hour), NextUpdate: now.Add(72 * time.Hour)}
	deltaList  = listExtension("2.5.29.27", true, []byte{2, 1, 1})
	onlyUsers  = listExtension("2.5.29.28", true, []byte{0x30, 3, 0x81, 1, 0xff})
	onlyCAs    = listExtension("2.5.29.28", true, []byte{0x30, 3, 0x82, 1, 0xff})
	indirect   = listExtension("2.5.29.28", true, []byte{0x30, 3, 0x84, 1, 0xff})
	someReason = listExtension("2.5.29.28", true, []byte{0x30, 4, 0x83, 2, 0, 0x80})
	critical   = listExtension("1.2.3.4", true, []byte{5, 0})
	remark     = listExtension("1.2.3.4", false, []byte{5, 0})
	current    certstest.CRLOptions
)

// TestRevocation judges a host of a root by the root's lists.
func TestRevocation(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	noCRLSign := must(certstest.NewCA("Root", options(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })))
	host, other := must(root.NewHost("host.test", sound)), must(root.NewHost("other.test", sound))
	tests := slices.Concat(timelyListCases(host, other), foreignListCases(host), limitedListCases(host, other))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkRevocation(t, root, host, test)
		})
	}
	for name, installed := range map[string]bool{"installed": true, "sent": false} {
		t.Run("CA that may not sign lists, "+name, func(t *testing.T) {
			ca, trusted := noCRLSign, noCRLSign
			if !installed {
				ca = must(root.NewSubordinate("Sub", options(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })))
				trusted = root
			}
			dir := bare(t, trusted)
			writeList(t, dir, &certstest.CA{Certificate: withCRLSign(ca), Key: ca.Key}, 0, current)
			writeList(t, dir, root, 1, current)
			_, err := judged(dir, certs.CRLRequire, now, must(ca.NewHost("host.test", sound)).Chain...)
			if refusal := wantRefusal(t, err, certs.CodeCRLInvalid); !strings.Contains(refusal.Reason, "cRLSign") ||
				strings.Contains(refusal.Cure, "anew") || !strings.Contains(refusal.Cure, "sk the CA") {
				t.Errorf("got %v; cure %q", err, refusal.Cure)
			}
		})
	}
}

// checkRevocation judges a host by the lists of a case in every mode.
func checkRevocation(t *testing.T, root *certstest.CA, host *certstest.Host, test revocationCase) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	signer := root
	if test.signer != nil {
		signer = test.signer
	}
	file := ""
	for i, o := range test.lists {
		if f := writeList(t, dir, signer, i, o); i == test.file {
			file = f
		}
	}
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	present := test.require
	if present == certs.CodeCRLMissing {
		present = ""
	}
	for mode, code := range map[certs.CRLMode]certs.Code{
		certs.CRLRequire: test.require, certs.CRLIfPresent: present, certs.CRLIfValid: test.valid, certs.CRLIgnore: "",
	} {
		result, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, certs.Policy{CRL: mode}))
		if code != "" {
			if refusal := wantRefusal(t, err, code); refusal.File != file {
				t.Errorf("%s: decided by %q, want %q", mode, refusal.File, file)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", mode, err)
			continue
		}
		if mode != certs.CRLIfValid && mode != certs.CRLIfPresent || test.warning == "" {
			if len(result.Warnings) > 0 {
				t.Errorf("%s: the warnings %v", mode, result.Warnings)
			}
			continue
		}
		if len(result.Warnings) != 1 {
			t.Fatalf("the warnings %v, want one", result.Warnings)
		}
		w := result.Warnings[0]
		if w.Code != test.warning || w.File != file || w.CA != "/DC=test/DC=gtunnel/CN=Root" ||
			!strings.Contains(w.Text, w.CA) || !strings.Contains(w.Text, file) {
			t.Errorf("warning %+v, want %s about %q", w, test.warning, file)
		}
	}
}

// withCRLSign pretends that a CA may sign lists, to make one.
func withCRLSign(ca *certstest.CA) *x509.Certificate {
	c := *ca.Certificate
	c.KeyUsage |= x509.KeyUsageCRLSign
	return &c
}

// TestRevokedInPlainWords: the message says since when, by which file and why.
func TestRevokedInPlainWords(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	dir := bare(t, root)
	host := must(root.NewHost("host.test", sound))
	below := must(sub.NewHost("below.test", sound))
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	file := writeList(t, dir, root, 0,
		certstest.CRLOptions{Revoked: []*x509.Certificate{host.Certificate, sub.Certificate}, RevokedAt: at, Reason: 1})
	store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	verify := func(chain []*x509.Certificate) *certs.Refusal {
		_, err := certs.Verify(store.Snapshot(), chain, anyone(certs.PeerClient, now, unbound))
		return wantRefusal(t, err, certs.CodeRevoked)
	}
	refusal := verify(host.Chain)
	if want := "it is revoked since 2026-03-04 05:06:07 UTC by " + file + " (keyCompromise)"; refusal.Reason != want {
		t.Errorf("reason %q, want %q", refusal.Reason, want)
	}
	if !strings.Contains(refusal.Hint(), "new certificate") || !strings.Contains(refusal.Error(), "/CN=host.test") ||
		strings.Count(refusal.Error(), file) != 1 {
		t.Errorf("%v; hint: %s", refusal, refusal.Hint())
	}
	if refusal := verify(below.Chain); refusal.Depth != 1 || !strings.Contains(refusal.Hint(), "another CA") {
		t.Errorf("%v at depth %d; hint: %s", refusal, refusal.Depth, refusal.Hint())
	}
	writeList(t, dir, root, 0, certstest.CRLOptions{Revoked: []*x509.Certificate{host.Certificate}, Reason: 6})
	if _, err := store.Reload(); err != nil {
		t.Fatal(err)
	}
	if refusal := verify(host.Chain); !strings.Contains(refusal.Hint(), "suspended") ||
		!strings.Contains(refusal.Reason, "certificateHold") {
		t.Errorf("%v; hint: %s", refusal, refusal.Hint())
	}
	// The file vanishes behind the store's back.
	fresh := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, err := certs.Verify(fresh.Snapshot(), host.Chain, anyone(certs.PeerClient, now, unbound))
	if refusal := wantRefusal(t, err, certs.CodeRevoked); !strings.Contains(refusal.Reason, "has changed since") {
		t.Errorf("%v", refusal)
	}
}

// TestRevocationOfEveryElement: lists are asked about subordinates too, about
// those that a peer sends by the lists that lie in the CApath for them.
func TestRevocationOfEveryElement(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	sub := must(root.NewSubordinate("Sub", sound))
	twin := must(root.NewSubordinate("Sub", sound)) // the same name, another key
	policy := certs.Policy{CRL: certs.CRLRequire, Namespaces: certs.NamespacesIgnore}
	host := must(sub.NewHost("host.test", sound))
	for _, installed := range [][]*certstest.CA{{root}, {root, sub}, {root, twin}} {
		t.Run(fmt.Sprint(len(installed), slices.Contains(installed, twin)), func(t *testing.T) {
			dir := bare(t, installed...)
			store := must(certs.OpenStore(certs.StoreConfig{CApath: dir}))
			verify := func(chain []*x509.Certificate) error {
				if _, err := store.Reload(); err != nil {
					t.Fatal(err)
				}
				_, err := certs.Verify(store.Snapshot(), chain, anyone(certs.PeerClient, now, policy))
				return err
			}
			if refusal := wantRefusal(t, verify(host.Chain), certs.CodeCRLMissing); refusal.Depth != 1 {
				t.Errorf("got %v at depth %d, want the lists of the root to be missed first", refusal, refusal.Depth)
			}
			writeList(t, dir, root, 0, current)
			if refusal := wantRefusal(t, verify(host.Chain), certs.CodeCRLMissing); refusal.Depth != 0 ||
				!strings.Contains(refusal.Reason, "/CN=Sub") {
				t.Errorf("got %v at depth %d", refusal, refusal.Depth)
			}
			writeList(t, dir, sub, 0, current)
			for range 2 {
				if err := verify(host.Chain); err != nil {
					t.Error(err)
				}
			}
			writeList(t, dir, sub, 0, naming(current, host))
			wantRefusal(t, verify(host.Chain), certs.CodeRevoked)
			writeList(t, dir, sub, 0, current)
			writeList(t, dir, root, 0, certstest.CRLOptions{Revoked: []*x509.Certificate{sub.Certificate}})
			if refusal := wantRefusal(t, verify(host.Chain), certs.CodeRevoked); refusal.Depth != 1 {
				t.Errorf("got %v at depth %d", refusal, refusal.Depth)
			}
		})
	}
}

// TestListsOfAnotherIssuer: where somebody else publishes a CA's lists, fetching
// them does not help.
func TestListsOfAnotherIssuer(t *testing.T) {
	root, publisher := must(certstest.NewCA("Root", sound)), must(certstest.NewCA("Publisher", sound))
	issuer := must(asn1.Marshal(asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: publisher.Certificate.RawSubject,
	}))
	point := must(asn1.Marshal([]struct {
		Issuer asn1.RawValue
	}{{asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, IsCompound: true, Bytes: issuer}}}))
	host := must(root.NewHost("host.test", options(func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid("2.5.29.31"), Value: point})
	})))
	dir := bare(t, root, publisher)
	writeList(t, dir, publisher, 0, indirect)
	_, err := judged(dir, certs.CRLRequire, now, host.Chain...)
	if refusal := wantRefusal(
		t, err, certs.CodeCRLMissing,
	); !strings.Contains(refusal.Reason, "CN=Publisher publishes it") || strings.Contains(refusal.Cure, "fetch") {
		t.Errorf("%v; cure %q", refusal, refusal.Cure)
	}
	writeList(t, dir, root, 0, current)
	if _, err := judged(dir, certs.CRLRequire, now, host.Chain...); err != nil {
		t.Errorf("with a list of its own: %v", err)
	}
}

// TestSelfIssuedHostIsRevocable: a host that bears its CA's name is not
// exempt, as a CA of that name would be.
func TestSelfIssuedHostIsRevocable(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	host := must(root.NewHost("host.test",
		options(func(c *x509.Certificate) { c.RawSubject = root.Certificate.RawSubject })))
	dir := bare(t, root)
	policy := certs.Policy{CRL: certs.CRLRequire, Namespaces: certs.NamespacesIgnore}
	verify := func() error {
		snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
		_, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, now, policy))
		return err
	}
	wantRefusal(t, verify(), certs.CodeCRLMissing)
	writeList(t, dir, root, 0, current)
	if err := verify(); err != nil {
		t.Error(err)
	}
	writeList(t, dir, root, 0, naming(current, host))
	wantRefusal(t, verify(), certs.CodeRevoked)
}

// TestVersionOneList: lists of version 1 have no extensions and are good.
func TestVersionOneList(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{KeyType: certstest.RSA}))
	host, revoked := must(root.NewHost("host.test", sound)), must(root.NewHost("revoked.test", sound))
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, root); err != nil {
		t.Fatal(err)
	}
	hash, _ := hashes(root)
	der := versionOneList(t, root, revoked.Certificate.SerialNumber)
	writeFile(t, filepath.Join(dir, hash+".r0"), pemOf("X509 CRL", der), 0o644)
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	if problems := snapshot.Problems(); len(problems) > 0 {
		t.Fatal(problems)
	}
	policy := certs.Policy{CRL: certs.CRLRequire}
	if _, err := certs.Verify(snapshot, host.Chain, anyone(certs.PeerClient, time.Now(), policy)); err != nil {
		t.Error(err)
	}
	_, err := certs.Verify(snapshot, revoked.Chain, anyone(certs.PeerClient, time.Now(), policy))
	wantRefusal(t, err, certs.CodeRevoked)
}

// versionOneList has openssl make a list without a version.
func versionOneList(t *testing.T, ca *certstest.CA, revoked *big.Int) []byte {
	t.Helper()
	dir := t.TempDir()
	cert := writeFile(t, filepath.Join(dir, "ca.pem"), pemOf("CERTIFICATE", ca.Certificate.Raw), 0o600)
	key := writeFile(t, filepath.Join(dir, "ca.key"), pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ca.Key))),
		0o600)
	serial := revoked.Text(16)
	if len(serial)%2 == 1 {
		serial = "0" + serial
	}
	index := fmt.Sprintf("R\t350101000000Z\t260101000000Z\t%s\tunknown\t/CN=x\n", strings.ToUpper(serial))
	writeFile(t, filepath.Join(dir, "index.txt"), []byte(index), 0o600)
	config := writeFile(t, filepath.Join(dir, "ca.cnf"),
		[]byte("[ca]\ndefault_ca=x\n[x]\ndatabase="+filepath.Join(dir, "index.txt")+"\ndefault_md=sha256\n"), 0o600)
	out := filepath.Join(dir, "out.der")
	openssl(t, nil, "ca", "-config", config, "-gencrl", "-cert", cert, "-keyfile", key, "-crldays", "30", "-out",
		out+".pem")
	openssl(t, nil, "crl", "-in", out+".pem", "-outform", "DER", "-out", out)
	if text := openssl(t, nil, "crl", "-in", out+".pem", "-noout", "-text"); !strings.Contains(text, "Version 1") {
		t.Fatalf("not a list of version 1:\n%s", text)
	}
	return must(os.ReadFile(out))
}

// TestBestReasonIsRevocation: of a path that ends in an unknown CA, one that
// a policy denies, and one that is revoked, the last gives the reason.
func TestBestReasonIsRevocation(t *testing.T) {
	good := must(certstest.NewCA("Good", sound))
	strict := must(certstest.NewCA("Strict", sound))
	unknown := must(certstest.NewCA("Unknown", sound))
	sub := must(good.NewSubordinate("Sub", sound))
	host := must(sub.NewHost("host.test", sound))
	byStrict := recertify(strict, sub.Certificate, sub.Key.Public(), now.Add(time.Hour))
	byUnknown := recertify(unknown, sub.Certificate, sub.Key.Public(), now.Add(time.Hour))
	dir := bare(t, good, strict)
	for ca, text := range map[*certstest.CA]string{
		good: signing("Good", `"*"`), strict: signing("Strict", `"/DC=org/*"`), sub: signing("Sub", `"*"`),
	} {
		hash, _ := hashes(ca)
		writeFile(t, filepath.Join(dir, hash+".signing_policy"), []byte(text), 0o644)
	}
	writeList(t, dir, good, 0, certstest.CRLOptions{Revoked: []*x509.Certificate{sub.Certificate}})
	snapshot := must(certs.OpenStore(certs.StoreConfig{CApath: dir})).Snapshot()
	for _, others := range [][]*x509.Certificate{
		{sub.Certificate, byStrict, byUnknown}, {byUnknown, byStrict, sub.Certificate}, {byStrict, sub.Certificate},
	} {
		_, err := certs.Verify(snapshot, append([]*x509.Certificate{host.Certificate}, others...),
			anyone(certs.PeerClient, now, certs.Policy{}))
		wantRefusal(t, err, certs.CodeRevoked)
	}
	_, err := certs.Verify(snapshot, []*x509.Certificate{host.Certificate, byUnknown, byStrict},
		anyone(certs.PeerClient, now, certs.Policy{}))
	wantRefusal(t, err, certs.CodePolicyDenied)
}

func TestCRLModeWords(t *testing.T) {
	for mode, word := range map[certs.CRLMode]string{
		certs.CRLIfPresent: "if-present", certs.CRLRequire: "require", certs.CRLIfValid: "if-valid",
		certs.CRLIgnore: "ignore",
	} {
		var read certs.CRLMode
		if err := read.UnmarshalText([]byte(word)); err != nil || read != mode || mode.String() != word {
			t.Errorf("%s reads as %v: %v", word, read, err)
		}
	}
	var preset certs.CRLMode
	if preset != certs.CRLIfPresent {
		t.Errorf("the preset is %v", preset)
	}
	mode := certs.CRLRequire
	if err := mode.UnmarshalText([]byte("off")); err == nil ||
		!strings.Contains(err.Error(), "if-present, require, if-valid, ignore") || mode != certs.CRLRequire {
		t.Errorf("error %v, mode %v", err, mode)
	}
}
