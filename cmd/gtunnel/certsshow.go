package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) certsShowCommand() *cobra.Command {
	t, asJSON := config.NewTunnel("", ""), false
	timeout := t.Timeouts.Handshake
	cmd := &cobra.Command{
		Use:               "show FILE|HOST:PORT",
		ValidArgsFunction: cobra.FixedCompletions(extensions["cert"], cobra.ShellCompDirectiveFilterFileExt),
		Short:             "What the certificates of a file or a server say",
		Long: `Shows every certificate of a file, or those that a TLS server presents: names,
the host names that each proves and by which rule, usages, key, dates, hashes.
It verifies nothing and trusts nothing: gtunnel certs verify judges.`,
		Example: `  gtunnel certs show /etc/grid-security/hostcert.pem
  gtunnel certs show server1.domain.one:3307`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return &usage.Error{
				Message: fmt.Sprintf("needs one file or host:port, and got %s", finding.Count(len(args), "argument")),
				Cure: "gtunnel certs show /etc/grid-security/hostcert.pem," +
					" or gtunnel certs show server1.domain.one:3307",
			}
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			chain, err := readChain(ctx, args[0])
			if err != nil {
				return err
			}
			shown, err := describe(args[0], chain, t.HostMode, time.Now())
			if err != nil {
				return err
			}
			if asJSON {
				return m.printJSON(shown)
			}
			for i, c := range shown.Certificates {
				m.writeCertificate(i, len(shown.Certificates), args[0], c)
			}
			return nil
		},
	}
	settings := append(config.Pick(t.Settings(), "host-mode"),
		config.Setting{Name: "timeout", Arg: "TIME", Target: &timeout, Usage: "how long a server may take"},
		config.Setting{Name: "json", Target: &asJSON, Usage: "print JSON"})
	config.AddFlags(cmd, "", settings)
	return cmd
}

// readChain reads the certificates of a file or, if there is none of this
// name and it is one, of an address.
func readChain(ctx context.Context, name string) ([]*x509.Certificate, error) {
	_, statErr := os.Stat(name)
	address, err := tunnel.ParseAddress(name)
	if statErr == nil || err != nil || !strings.Contains(name, ":") {
		chain, err := certs.ReadCertificates(name)
		switch {
		case err == nil:
			return chain, nil
		case errors.Is(err, os.ErrNotExist):
			return nil, &usage.Error{Err: err, Cure: "give a file that exists, or a server as host:port"}
		}
		return nil, &usage.Error{Err: err}
	}
	conn, err := dialAddress(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	chain, err := certs.FetchChain(ctx, conn, address.Host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return chain, nil
}

// dialAddress connects to an address for a look at who is there.
func dialAddress(ctx context.Context, address tunnel.Address) (net.Conn, error) {
	network, target := address.ForDial()
	conn, err := new(net.Dialer).DialContext(ctx, network, target)
	if err == nil {
		return conn, nil
	}
	hint := "does a gtunnel server (or stunnel) listen there, and does the firewall let this host in?"
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		hint = "check the name, and the resolver: getent hosts " + address.Host
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err // the rest repeats the address
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return nil, usage.WithHint(fmt.Errorf("cannot connect to %s: %w", address, err), hint)
}

// shownChain is what certs show --json prints.
type shownChain struct {
	Source       string             `json:"source"`
	Certificates []shownCertificate `json:"certificates"`
}

type shownCertificate struct {
	Kind              string    `json:"kind"`
	Proxy             string    `json:"proxy"` // why it is taken for one; empty if not
	DN                string    `json:"dn"`
	RFC4514           string    `json:"rfc4514"`
	Issuer            string    `json:"issuer"`
	IssuerRFC4514     string    `json:"issuer_rfc4514"`
	Hosts             []string  `json:"hosts"`
	IPs               []string  `json:"ips"`
	Rule              string    `json:"rule"`
	SubjectAltNames   []string  `json:"subject_alt_names"`
	KeyUsages         []string  `json:"key_usages"`
	ExtendedUsages    []string  `json:"extended_key_usages"`
	PathLength        *int      `json:"path_length"` // null: no limit, or no CA
	Key               string    `json:"key"`
	Signature         string    `json:"signature"`
	Serial            string    `json:"serial"`
	NotBefore         time.Time `json:"not_before"`
	NotAfter          time.Time `json:"not_after"`
	DaysLeft          int       `json:"days_left"`
	Hash              string    `json:"hash"`
	HashOld           string    `json:"hash_old"`
	IssuerHash        string    `json:"issuer_hash"`
	SHA256            string    `json:"sha256"`
	UnknownExtensions []string  `json:"unknown_critical_extensions"`

	state       string // of its dates, in words
	unusableKey string // why no handshake is possible with the key
}

func describe(source string, chain []*x509.Certificate, mode certs.HostMode, now time.Time) (shownChain, error) {
	shown := shownChain{Source: source}
	for i, cert := range chain {
		d, err := certs.Describe(chain, i, mode)
		if err != nil {
			return shownChain{}, usage.WithHint(
				fmt.Errorf("certificate %d of %s is malformed: %w", i+1, source, err),
				"look at it with openssl x509 -text; its CA must issue it anew",
			)
		}
		c := shownCertificate{
			Kind: d.Kind, Proxy: d.Proxy, DN: d.DN, RFC4514: d.RFC4514,
			Issuer: d.Issuer, IssuerRFC4514: d.IssuerRFC4514,
			Hosts: listOf(d.Hosts), IPs: listOf(d.IPs), Rule: d.Rule, SubjectAltNames: listOf(d.AltNames),
			KeyUsages: listOf(d.KeyUsages), ExtendedUsages: listOf(d.ExtendedUsages),
			Key: d.Key, Signature: d.Signature, Serial: d.Serial,
			NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), DaysLeft: daysLeft(cert.NotAfter, now),
			Hash: d.Hash, HashOld: d.HashOld, IssuerHash: d.IssuerHash,
			SHA256:            fmt.Sprintf("%x", sha256.Sum256(cert.Raw)),
			UnknownExtensions: listOf(d.CriticalUnknown),
			state:             validity(cert.NotAfter, now), unusableKey: d.UnusableKey,
		}
		if d.PathLength >= 0 {
			c.PathLength = &d.PathLength
		}
		if now.Before(cert.NotBefore) {
			c.state = "not yet valid"
		}
		shown.Certificates = append(shown.Certificates, c)
	}
	return shown, nil
}

// writeCertificate prints a certificate for a person.
func (m *Main) writeCertificate(i, n int, source string, c shownCertificate) {
	if i > 0 {
		fmt.Fprintln(m.Stdout)
	}
	fmt.Fprintf(m.Stdout, "certificate %d of %d of %s\n", i+1, n, source)
	line := func(name, text string) { fmt.Fprintf(m.Stdout, "  %-10s %s\n", name, text) }
	line("subject", certs.ShowDN(c.DN))
	if c.DN != "" {
		line("", c.RFC4514)
	}
	line("issuer", certs.ShowDN(c.Issuer))
	if c.Issuer != "" {
		line("", c.IssuerRFC4514)
	}
	kind := c.Kind
	switch {
	case c.Proxy != "":
		kind = "no host's: " + c.Proxy
	case c.PathLength != nil:
		kind += fmt.Sprintf(", allows %s below it", finding.Count(*c.PathLength, "CA"))
	}
	line("kind", kind)
	if c.Kind == certs.KindHost || len(c.Hosts)+len(c.IPs) > 0 {
		line("proves", names(c.Hosts, c.IPs, c.Rule))
	}
	if len(c.SubjectAltNames) > 0 {
		line("SAN", strings.Join(c.SubjectAltNames, ", "))
	}
	line("usages", unlimited(c.KeyUsages)+"; extended: "+unlimited(c.ExtendedUsages))
	if len(c.UnknownExtensions) > 0 {
		line("refused", "for its unknown critical extensions "+strings.Join(c.UnknownExtensions, ", "))
	}
	if c.Kind == certs.KindHost && c.unusableKey != "" {
		line("refused", c.unusableKey)
	}
	line("key", c.Key+", signed with "+c.Signature)
	line("serial", c.Serial)
	from, to := c.NotBefore.Format(time.DateTime), c.NotAfter.Format(time.DateTime+" UTC")
	line("valid", fmt.Sprintf("from %s to %s (%s)", from, to, c.state))
	line("hashes", fmt.Sprintf("%s, %s before OpenSSL 1.0; issuer %s", c.Hash, c.HashOld, c.IssuerHash))
	line("SHA-256", c.SHA256)
}

// unlimited joins usages; none means that all are allowed.
func unlimited(usages []string) string {
	if len(usages) == 0 {
		return "any"
	}
	return strings.Join(usages, ", ")
}
