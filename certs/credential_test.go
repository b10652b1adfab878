package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// pkcs8 is a key in PEM.
func pkcs8(key crypto.Signer) []byte {
	return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

// certify makes a host's certificate for a key.
func certify(ca *certstest.CA, key crypto.Signer) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		RawSubject: encodeName(one(cn, utf8String, "db.site.test")), DNSNames: []string{"db.site.test"},
	}
	return pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.Key)))
}

func TestCredentialFormats(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecSEC1 := pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey)))
	tests := []struct {
		name string
		cert []byte
		key  []byte
	}{
		{"RSA, PKCS #1", certify(root, rsaKey), pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		{"RSA, PKCS #8", certify(root, rsaKey), pkcs8(rsaKey)},
		{"EC, SEC 1", certify(root, ecKey), ecSEC1},
		{"EC after its parameters", certify(root, ecKey), slices.Concat(pemOf("EC PARAMETERS", []byte{6, 0}), ecSEC1)},
		{"EC, PKCS #8", certify(root, ecKey), pkcs8(ecKey)},
		{"Ed25519", certify(root, edKey), pkcs8(edKey)},
		{
			"text and CR LF", slices.Concat([]byte("Bag Attributes\r\n"),
				bytes.ReplaceAll(certify(root, edKey), []byte("\n"), []byte("\r\n"))),
			slices.Concat([]byte("Key Attributes\r\n"), bytes.ReplaceAll(pkcs8(edKey), []byte("\n"), []byte("\r\n"))),
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cert := writeFile(t, filepath.Join(dir, "hostcert.pem"), test.cert, 0o644)
			for _, mode := range []os.FileMode{0o400, 0o600} {
				key := writeFile(t, filepath.Join(dir, fmt.Sprintf("hostkey%o.pem", mode)), test.key, mode)
				if _, err := certs.LoadCredential(cert, key); err != nil {
					t.Error(err)
				}
			}
			for i, both := range [][]byte{slices.Concat(test.cert, test.key), slices.Concat(test.key, test.cert)} {
				file := writeFile(t, filepath.Join(dir, fmt.Sprintf("both%d.pem", i)), both, 0o400)
				if _, err := certs.LoadCredential(file, file); err != nil {
					t.Errorf("combined file %d: %v", i, err)
				}
			}
		})
	}
}

// badCredential are two files that are no pair.
type badCredential struct {
	name        string
	cert, key   []byte
	words, hint string
}

// unreadableCredentials are files that cannot be read as what they should be.
func unreadableCredentials(host *certstest.Host) []badCredential {
	hostPEM, keyPEM := pemOf("CERTIFICATE", host.Certificate.Raw), pkcs8(host.Key)
	cut := keyPEM[:len(keyPEM)-20]
	legacy := bytes.Replace(pemOf("RSA PRIVATE KEY", make([]byte, 48)), []byte("KEY-----\n"),
		[]byte("KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"), 1)
	return []badCredential{
		{name: "certificate missing", key: keyPEM, words: "hostcert.pem: no such file", hint: "‹cert›"},
		{name: "key missing", cert: hostPEM, words: "hostkey.pem: no such file", hint: "‹key›"},
		{name: "certificate empty", cert: []byte(" "), key: keyPEM, words: "no certificate in", hint: "‹cert›"},
		{name: "key empty", cert: hostPEM, key: []byte(" "), words: "no private key in", hint: "‹key›"},
		{name: "exchanged", cert: keyPEM, key: hostPEM, words: "it holds a private key", hint: "exchanged"},
		{name: "certificate as key", cert: hostPEM, key: hostPEM, words: "it holds a certificate", hint: "exchanged"},
		{
			name: "certificate damaged", cert: pemOf("CERTIFICATE", host.Certificate.Raw[:90]), key: keyPEM,
			words: "hostcert.pem:1", hint: "openssl x509",
		},
		{
			name: "second certificate damaged",
			cert: slices.Concat(hostPEM, []byte("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")), key: keyPEM,
			words: fmt.Sprintf("hostcert.pem:%d", bytes.Count(hostPEM, []byte("\n"))+1), hint: "openssl x509",
		},
		{
			name: "key cut", cert: hostPEM, key: cut, words: "hostkey.pem:1 cannot be read: this block has no END line",
			hint: "copy the key",
		},
		{
			name: "key damaged", cert: hostPEM, key: pemOf("PRIVATE KEY", []byte{0x30, 0}),
			words: "hostkey.pem:1 cannot be read", hint: "openssl pkey",
		},
		{
			name: "key of OpenSSH", cert: hostPEM, key: pemOf("OPENSSH PRIVATE KEY", []byte{1}), words: "OPENSSH PRIVATE KEY",
			hint: "openssl pkey",
		},
		{
			name: "key in DER", cert: hostPEM, key: must(x509.MarshalPKCS8PrivateKey(host.Key)), words: "not PEM",
			hint: "openssl pkey -inform DER",
		},
		{
			name: "encrypted, PKCS #8", cert: hostPEM, key: pemOf("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}),
			words: "is encrypted", hint: "openssl pkey -in",
		},
		{name: "encrypted, PKCS #1", cert: hostPEM, key: legacy, words: "is encrypted", hint: "openssl pkey -in"},
	}
}

// unfitCredentials are files of certificates that no host may use.
func unfitCredentials(root *certstest.CA, host *certstest.Host) []badCredential {
	other := must(root.NewHost("other.site.test", certstest.Options{}))
	hostPEM, keyPEM := pemOf("CERTIFICATE", host.Certificate.Raw), pkcs8(host.Key)
	expired := must(root.NewHost("db.site.test", ended()))
	early := must(root.NewHost("db.site.test", future()))
	proxy := must(root.NewHost("proxy", certstest.Options{}))
	marked := must((&certstest.CA{Certificate: host.Certificate, Key: host.Key}).NewHost("x",
		options(func(c *x509.Certificate) {
			c.DNSNames, c.RawSubject = nil, withCommonName(host.Certificate.RawSubject, "123")
		})))
	return []badCredential{
		{
			name: "mismatch", cert: hostPEM, key: pkcs8(other.Key), words: "does not belong to the certificate",
			hint: "openssl x509 -noout -pubkey",
		},
		{
			name: "own certificate not first", cert: slices.Concat(pemOf("CERTIFICATE", root.Certificate.Raw), hostPEM),
			key: keyPEM, words: "certificate 2 of", hint: "first in",
		},
		{
			name: "expired", cert: pemOf("CERTIFICATE", expired.Certificate.Raw), key: pkcs8(expired.Key),
			words: "has ended on " + expired.Certificate.NotAfter.Format("2006-01-02 15:04:05"), hint: "new one",
		},
		{
			name: "not yet valid", cert: pemOf("CERTIFICATE", early.Certificate.Raw), key: pkcs8(early.Key),
			words: "begins only on " + early.Certificate.NotBefore.Format("2006-01-02"), hint: "timedatectl",
		},
		{
			name: "proxy", cert: pemOf("CERTIFICATE", proxy.Certificate.Raw), key: pkcs8(proxy.Key), words: "proxy",
			hint: "‹cert›",
		},
		{
			name: "proxy with its user", cert: slices.Concat(pemOf("CERTIFICATE", marked.Certificate.Raw), hostPEM),
			key: pkcs8(marked.Key), words: "proxy", hint: "‹cert›",
		},
		{
			name: "a CA's", cert: pemOf("CERTIFICATE", root.Certificate.Raw), key: pkcs8(root.Key), words: "certificate of a CA",
			hint: "‹cert›",
		},
	}
}

func TestBadCredentials(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	host := must(root.NewHost("db.site.test", certstest.Options{}))
	tests := slices.Concat(unreadableCredentials(host), unfitCredentials(root, host))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "hostcert.pem"), filepath.Join(dir, "hostkey.pem")
			if test.cert != nil {
				writeFile(t, cert, test.cert, 0o644)
			}
			if test.key != nil {
				writeFile(t, key, test.key, 0o400)
			}
			c, err := certs.LoadCredential(cert, key)
			if c != nil {
				t.Error("a credential in spite of the error")
			}
			wantHint(t, err, test.words, test.hint)
		})
	}
}

// TestEncryptedKeyOfOpenSSL uses the keys that the tool really writes, and
// the cure that the hint gives.
func TestEncryptedKeyOfOpenSSL(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	for _, form := range []string{"-traditional", ""} {
		args := []string{"pkey", "-aes128", "-passout", "pass:secret"}
		if form != "" {
			args = []string{"rsa", "-aes128", "-passout", "pass:secret", form}
		}
		encrypted := openssl(t, pkcs8(key), args...)
		dir := t.TempDir()
		cert := writeFile(t, filepath.Join(dir, "hostcert.pem"), certify(root, key), 0o644)
		keyFile := writeFile(t, filepath.Join(dir, "hostkey.pem"), []byte(encrypted), 0o400)
		_, err := certs.LoadCredential(cert, keyFile)
		wantHint(t, err, "is encrypted", "(umask 077; openssl pkey -in "+keyFile+" -out "+keyFile+".plain)")
		openssl(t, nil, "pkey", "-in", keyFile, "-passin", "pass:secret", "-out", keyFile+".plain")
		if err := os.Chmod(keyFile+".plain", 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := certs.LoadCredential(cert, keyFile+".plain"); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyPermissions(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	host := must(root.NewHost("db.site.test", certstest.Options{}))
	certFile, keyFile, err := host.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for mode := range os.FileMode(0o1000) {
		if mode&0o400 == 0 {
			continue // its owner cannot read it
		}
		if err := os.Chmod(keyFile, mode); err != nil {
			t.Fatal(err)
		}
		_, err := certs.LoadCredential(certFile, keyFile)
		if mode == 0o400 || mode == 0o600 {
			if err != nil {
				t.Errorf("mode %04o: %v", mode, err)
			}
			continue
		}
		wantHint(t, err, fmt.Sprintf("has the mode %04o", mode), "chmod 0400 "+keyFile)
	}

	t.Run("systemd", func(t *testing.T) { checkKeyOfSystemd(t, certFile, keyFile) })

	t.Run("foreign owner", func(t *testing.T) {
		if err := os.Chmod(keyFile, 0o400); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() != 0 {
			t.Skip("only root can give files away")
		}
		if err := os.Chown(keyFile, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		_, err := certs.LoadCredential(certFile, keyFile)
		wantHint(t, err, "belongs to the user 65534", "chown 0 "+keyFile)
	})

	t.Run("unreadable", func(t *testing.T) {
		if os.Geteuid() == 0 {
			runAsNobody(t)
			return
		}
		if err := os.Chmod(keyFile, 0); err != nil {
			t.Fatal(err)
		}
		_, err := certs.LoadCredential(certFile, keyFile)
		wantHint(t, err, "permission denied", "gtunnel-credentials.service")
	})

	t.Run("FIFO", func(t *testing.T) {
		fifo := filepath.Join(t.TempDir(), "key")
		if err := syscall.Mkfifo(fifo, 0o400); err != nil {
			t.Fatal(err)
		}
		_, err := certs.LoadCredential(certFile, fifo)
		wantHint(t, err, "not a regular file", "‹key›")
	})
}

// checkKeyOfSystemd: a key that systemd hands over may be readable by its
// group; nothing beside that directory may.
func checkKeyOfSystemd(t *testing.T, certFile, keyFile string) {
	t.Helper()
	directory := filepath.Dir(keyFile)
	if err := os.Chmod(keyFile, 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", directory)
	if _, err := certs.LoadCredential(certFile, keyFile); err != nil {
		t.Errorf("a credential of systemd: %v", err)
	}
	if err := os.Chmod(keyFile, 0o444); err != nil {
		t.Fatal(err)
	}
	_, err := certs.LoadCredential(certFile, keyFile)
	wantHint(t, err, "has the mode 0444", "chmod 0400")
	if err := os.Chmod(keyFile, 0o440); err != nil {
		t.Fatal(err)
	}
	for _, elsewhere := range []string{
		filepath.Join(directory, "sub"), "", ".", keyFile, directory + "x", directory[:len(directory)-1],
	} {
		t.Setenv("CREDENTIALS_DIRECTORY", elsewhere)
		_, err := certs.LoadCredential(certFile, keyFile)
		wantHint(t, err, "has the mode 0440", "chmod 0400")
	}
}

func TestCredentialReload(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	dir := t.TempDir()
	first := must(root.NewHost("first.test", certstest.Options{}))
	certFile, keyFile, err := first.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := must(certs.LoadCredential(certFile, keyFile))
	second := must(root.NewHost("second.test", certstest.Options{}))
	if _, _, err := second.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	if !c.Certificate().Equal(second.Certificate) {
		t.Error("still the old certificate")
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Reload(); err == nil {
		t.Error("reloaded without a key")
	}
	if !c.Certificate().Equal(second.Certificate) {
		t.Error("a failed reload changed the credential")
	}
}

func TestReadCertificates(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub := must(root.NewSubordinate("Sub", certstest.Options{}))
	certFile, keyFile, err := must(sub.NewHost("db.site.test", certstest.Options{})).Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if chain, err := certs.ReadCertificates(certFile); err != nil || len(chain) != 2 || !chain[1].Equal(sub.Certificate) {
		t.Errorf("got %d certificates, %v", len(chain), err)
	}
	_, err = certs.ReadCertificates(keyFile)
	wantHint(t, err, "it holds a private key", "‹cert›")
}
