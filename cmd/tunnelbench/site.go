package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// The names that the certificates of the two ends prove.
const (
	serverName = "server.test"
	clientName = "client.test"
)

// site is a CA with the certificates of the two ends, the same for every pair.
type site struct {
	capath string // the CA as grid sites keep it
	cafile string // the same CA in one file
	server identity
	client identity
	ca     *x509.Certificate
	roots  *x509.CertPool
}

// identity is a host's certificate and key.
type identity struct {
	cert, key string // files
	bundle    string // both in one file, as haproxy wants them
	loaded    tls.Certificate
}

// newSite writes a CA and two hosts with keys of one kind below folder.
func newSite(folder string, kind certstest.KeyType) (*site, error) {
	ca, err := certstest.NewCA("Bench CA", certstest.Options{KeyType: kind})
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	s := &site{
		capath: filepath.Join(folder, "certificates"),
		cafile: filepath.Join(folder, "ca.pem"),
		ca:     ca.Certificate,
		roots:  x509.NewCertPool(),
	}
	if err := certstest.WriteCApath(s.capath, ca); err != nil {
		return nil, fmt.Errorf("write the CApath: %w", err)
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate.Raw})
	if err := os.WriteFile(s.cafile, root, 0o644); err != nil {
		return nil, fmt.Errorf("write the CA: %w", err)
	}
	s.roots.AddCert(ca.Certificate)
	if s.server, err = newIdentity(ca, serverName, kind, filepath.Join(folder, "server")); err != nil {
		return nil, err
	}
	s.client, err = newIdentity(ca, clientName, kind, filepath.Join(folder, "client"))
	return s, err
}

func newIdentity(ca *certstest.CA, name string, kind certstest.KeyType, folder string) (identity, error) {
	fail := func(err error) (identity, error) {
		return identity{}, fmt.Errorf("make the certificate of %s: %w", name, err)
	}
	host, err := ca.NewHost(name, certstest.Options{KeyType: kind})
	if err != nil {
		return fail(err)
	}
	i := identity{bundle: filepath.Join(folder, "bundle.pem")}
	if i.cert, i.key, err = host.Write(folder); err != nil {
		return fail(err)
	}
	cert, err := os.ReadFile(i.cert)
	if err != nil {
		return fail(err)
	}
	key, err := os.ReadFile(i.key)
	if err != nil {
		return fail(err)
	}
	if err := os.WriteFile(i.bundle, append(cert, key...), 0o400); err != nil {
		return fail(err)
	}
	if i.loaded, err = tls.X509KeyPair(cert, key); err != nil {
		return fail(err)
	}
	return i, nil
}
