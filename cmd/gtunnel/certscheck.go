package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) certsCheckCommand() *cobra.Command {
	t := config.NewTunnel("", tunnel.Client)
	c := &hostCheck{config: &t, now: time.Now()}
	connect, asJSON := tunnel.Address{}, false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Is this host ready: certificate, key, CAs; or against a server",
		Long: `Checks what a tunnel of this host needs: its certificate and key, who may read
them, the chain up to a CA of the CApath, days left, usages, revocation lists,
policy files. With --connect it also shakes hands with a server and says what
either end objects to. A gtunnel server does not connect to its MySQL for that;
behind any other (stunnel, an earlier gtunnel) MySQL sees one connection that
ends at once. Exit 1 if there is a problem.`,
		Example: `  gtunnel certs check
  gtunnel certs check --connect server1.domain.one:3307`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.TrustFlagsOnly(cmd.Flags())
			c.host()
			what := "this host"
			if connect != (tunnel.Address{}) {
				if c.problems() == 0 {
					what = "the tunnel to " + connect.String()
				}
				c.server(cmd.Context(), connect)
			}
			return m.tellReadiness(c.findings, asJSON, what+" is not ready")
		},
	}
	server := config.Setting{
		Name: "connect", Arg: "ADDRESS", Target: &connect, Port: config.DefaultPort, Preset: "none",
		Usage: "a server to shake hands with",
	}
	settings := append([]config.Setting{server},
		config.Pick(t.Settings(),
			"server-name", "cert", "key", "capath", "cafile", "crl", "crl-grace", "namespaces", "eku", "host-mode",
			"min-tls", "max-depth")...)
	settings[1].Usage = "what it must prove, if not the host in --connect"
	settings = append(settings,
		config.Setting{
			Name: "timeout", Arg: "TIME", Target: &t.Timeouts.Handshake, Usage: "how long the server may take",
		},
		config.Setting{Name: "json", Target: &asJSON, Usage: "print JSON"})
	config.AddFlags(cmd, tunnel.Client, settings)
	return cmd
}

// hostCheck looks at a host, step by step. Each step does what the failures
// of the ones before have left to do.
type hostCheck struct {
	findings

	config *config.Tunnel
	now    time.Time

	chain      []*x509.Certificate // nil if it cannot be read
	credential *certs.Credential   // nil if it is not usable
	store      *certs.Store        // nil if it cannot be opened
}

// host checks what needs no network.
func (c *hostCheck) host() {
	c.certificate()
	c.key()
	c.trust()
	if c.chain == nil || c.store == nil {
		return
	}
	if c.path() {
		c.usages()
	}
}

func (c *hostCheck) certificate() {
	chain, err := certs.ReadCertificates(c.config.Cert)
	if err != nil {
		c.problem("certificate", err)
		return
	}
	identity, err := certs.Identify(chain[0], c.config.HostMode)
	if err != nil {
		c.problem("certificate", fmt.Errorf("%s: %w", c.config.Cert, err))
		return
	}
	c.chain = chain
	end := chain[0].NotAfter
	switch {
	case c.now.After(end):
		ended := fmt.Errorf("%s (%s) %s", c.config.Cert, identity.DN, endedText(end))
		c.problem("certificate", usage.WithHint(ended, endedCure))
	case end.Sub(c.now) < expirySoon:
		c.warn("certificate", "ask your CA for a new one now",
			"%s (%s) is good %s", c.config.Cert, certs.ShowDN(identity.DN), validity(end, c.now))
	default:
		c.ok("certificate", "%s (%s) is good %s", c.config.Cert, certs.ShowDN(identity.DN), validity(end, c.now))
	}
	c.names(identity)
}

// names compares what the certificate proves with what the machine is called.
func (c *hostCheck) names(identity certs.Identity) {
	proves := names(identity.Hosts, identity.IPs, identity.Rule)
	machine, err := os.Hostname()
	if err != nil {
		c.warn("host name", "", "the certificate proves %s; the name of this machine is unknown: %v", proves, err)
		return
	}
	machine = strings.ToLower(strings.TrimSuffix(machine, "."))
	short, _, _ := strings.Cut(machine, ".")
	inFull := func(host string) bool { return strings.HasPrefix(host, short+".") }
	switch {
	case len(identity.Hosts) == 0:
		c.warn("host name", "a server needs a certificate with the name that clients dial as subjectAltName",
			"the certificate proves %s", proves)
	case slices.Contains(identity.Hosts, machine):
		c.ok("host name", "the certificate proves %s, and this machine is %s", proves, machine)
	case short == machine && slices.ContainsFunc(identity.Hosts, inFull):
		c.ok("host name", "the certificate proves %s, and this machine is %s for short", proves, machine)
	default:
		c.warn("host name", "as a server it is good only if clients dial a name that it proves, or have --server-name",
			"the certificate proves %s, and this machine is %s", proves, machine)
	}
}

func (c *hostCheck) key() {
	credential, err := certs.LoadCredential(c.config.Cert, c.config.Key)
	refusal, _ := errors.AsType[*certs.Refusal](err)
	switch {
	case err == nil || refusal != nil && refusal.Code == certs.CodeExpired: // which was said of the certificate
		c.credential = credential
		c.ok("key", "%s belongs to the certificate, and nobody but its owner can read it", c.config.Key)
	case c.chain != nil:
		c.problem("key", err)
	default: // the certificate's problem comes first; the key has its own, or none
		if _, err := os.Stat(c.config.Key); err != nil {
			c.problem("key", usage.WithHint(fmt.Errorf("cannot read the key: %w", err),
				"install the host's key there, or give its path with --key"))
		}
	}
}

func (c *hostCheck) trust() {
	store, err := certs.OpenStore(c.config.Trust())
	if err != nil {
		c.problem("CAs", err)
		return
	}
	c.store = store
	given := slices.DeleteFunc([]string{c.config.CApath, c.config.CAfile}, func(s string) bool { return s == "" })
	place := strings.Join(given, " and ")
	list := newCAList(*c.config, store.Snapshot(), c.now)
	if n := list.Summary.Broken; n > 0 {
		c.warn("CAs", "gtunnel certs list shows each",
			"%s in %s; %s broken in their files", finding.Count(list.Summary.CAs, "CA"), place, thingsAre(n))
		return
	}
	c.ok("CAs", "%s in %s", finding.Count(list.Summary.CAs, "CA"), place)
}

// path judges the host's own chain as a peer with the same CAs would, and reports
// whether it found nothing against it.
func (c *hostCheck) path() bool {
	result, err := c.judge(certs.PeerAny)
	if err != nil {
		c.problem("chain", err)
		return false
	}
	root := result.Path[len(result.Path)-1]
	c.ok("chain", "it ends at %s (%s)", certs.ShowDN(root.DN), root.File)
	c.endedCAs()
	for _, w := range result.Warnings {
		c.warn("chain", "run fetch-crl, or see gtunnel help crl", "%s", w)
	}
	c.weakCAs(result.Path)
	switch {
	case c.config.CRL == certs.CRLIgnore:
		c.warn("CRLs", "use --crl if-present or require", "they are not looked at: a revoked certificate is accepted")
	case len(result.Warnings) == 0:
		c.ok("CRLs", "every CA of the chain has a current list, and it does not name the certificate")
	}
	switch {
	case c.config.CApath == "":
		c.ok("policies", "CAs of --cafile need none")
	case c.config.Namespaces == certs.NamespacesIgnore:
		c.warn("policies", "use the default of --namespaces",
			"they are not looked at: every CA may sign for every host")
	default:
		c.ok("policies", "they allow each CA of the chain what it signed (%s)", c.config.Namespaces)
	}
	return true
}

// endedCAs looks at the subordinate CAs in the certificate's file.
func (c *hostCheck) endedCAs() {
	if c.credential == nil {
		return
	}
	for _, ca := range c.credential.EndedCAs(c.store.Snapshot(), c.now) {
		ended := fmt.Sprintf("%s in %s has ended on %s", ca.DN, c.config.Cert, ca.NotAfter.UTC().Format(time.DateOnly))
		if ca.Renewed != "" {
			c.ok("chain", "%s; the renewed one is sent in its place (%s)", ended, ca.Renewed)
		} else {
			c.warn("chain", endedCACure, "%s: peers that have no newer certificate of it refuse this host", ended)
		}
	}
}

// weakCAs warns of the keys of installed CAs that could be broken.
func (c *hostCheck) weakCAs(path []certs.Link) {
	for _, ca := range c.store.Snapshot().CAs() {
		used := slices.ContainsFunc(path, func(link certs.Link) bool { return link.Certificate.Equal(ca.Certificate) })
		if text, _ := ca.Weakness(); used && text != "" {
			c.warn("chain", "ask the CA for a certificate of a larger key, or this host's certificate of another CA",
				"%s (%s): %s", certs.ShowDN(ca.Subject.Slash()), ca.Files[0], text)
		}
	}
}

func (c *hostCheck) judge(role certs.PeerRole) (*certs.Result, error) {
	options := certs.VerifyOptions{Role: role, Anyone: true, Time: c.now, Policy: c.config.Policy()}
	return certs.Verify(c.store.Snapshot(), c.chain, options)
}

// usages says for which end of a tunnel the certificate is good. One end is
// enough.
func (c *hostCheck) usages() {
	_, serverErr := c.judge(certs.PeerServer)
	_, clientErr := c.judge(certs.PeerClient)
	for _, end := range []struct {
		about      string
		err, other error
	}{{about: "as a server", err: serverErr, other: clientErr}, {about: "as a client", err: clientErr, other: serverErr}} {
		switch {
		case end.err != nil && end.other != nil:
			c.problem(end.about, end.err)
		case end.err != nil:
			c.warn(end.about, usage.HintOf(end.err), "%v", end.err)
		case end.about == "as a client" && serverOnly(c.chain[0]):
			c.ok(end.about, "its usages allow serverAuth only, and that is enough:"+
				" public CAs give hosts nothing else, so a gtunnel server takes it;"+
				" a peer with --eku strict wants clientAuth")
		default:
			c.ok(end.about, "its usages allow it")
		}
	}
}

// serverOnly reports whether a certificate's usages leave out clients.
func serverOnly(cert *x509.Certificate) bool {
	_, strictly := certs.ServesAs(cert, certs.PeerClient, certs.EKUStrict)
	return !strictly
}

// server shakes hands with a server.
func (c *hostCheck) server(ctx context.Context, address tunnel.Address) {
	about := "server " + address.String()
	if c.store == nil {
		c.warn(about, "", "not tried: there are no CAs to judge it by")
		return
	}
	host := c.config.ServerName
	if host == "" {
		host = address.Host
	}
	if host == "" {
		nameless := errors.New("there is no name that the server could be held to")
		c.problem(about, usage.WithHint(nameless, "give it with --server-name"))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeouts.Handshake)
	defer cancel()
	conn, err := dialAddress(ctx, address)
	if err != nil {
		c.problem(about, err)
		return
	}
	defer func() { _ = conn.Close() }() // it was only looked at
	endpoint := &certs.Endpoint{
		Store: c.store, Credential: c.credential, Policy: c.config.Policy(), MinVersion: uint16(c.config.MinTLS),
	}
	probing, err := endpoint.Probe(ctx, conn, host, false)
	if err != nil {
		c.problem(about, err)
		return
	}
	c.verdicts(about, host, probing)
}

// verdicts tells what the two ends of a handshake say of each other.
func (c *hostCheck) verdicts(about, host string, probing *certs.Probing) {
	if probing.Result != nil {
		c.ok(about, "this host accepts it as %s, %s", host, certs.ShowDN(probing.Result.Peer.DN))
		for _, w := range probing.Result.Warnings {
			c.warn(about, "run fetch-crl, or see gtunnel help crl", "%s", w)
		}
	}
	if c.credential == nil {
		probing.Objection = nil // of course it has one
	}
	for _, problem := range probing.Problems() {
		c.problem(about, problem)
	}
	silence := "is its target a MySQL server? MySQL speaks first"
	if probing.Checked {
		silence = "look in its log"
	}
	accepted := "it accepts this host"
	if probing.Refusal == nil {
		accepted = "both ends accept each other"
	}
	switch {
	case c.credential == nil:
		c.warn(about, "", "what it thinks of this host is unknown: there is no certificate to show it")
	case probing.Objection != nil:
	case !probing.Answered:
		c.warn(about, silence, "it accepted the handshake and then sent nothing for %s",
			finding.FormatDuration(c.config.Timeouts.Handshake))
	case probing.Target == certs.TargetDown:
		c.problem(about, usage.WithHint(fmt.Errorf("%s, but MySQL does not listen behind it", accepted),
			"start MySQL on that host; the log of gtunnel server there says what it has met"))
	case probing.Checked && probing.Target == certs.TargetUnknown:
		c.ok(about, "%s; it does not say whether MySQL listens behind it", accepted)
	case probing.Checked:
		c.ok(about, "%s, and MySQL listens behind it", accepted)
	default:
		c.ok(about, "%s, and its target answers", accepted)
	}
}
