package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// roles are the words for a peer's role.
var roles = map[string]certs.PeerRole{"": certs.PeerAny, "server": certs.PeerServer, "client": certs.PeerClient}

// verification is one run of certs verify.
type verification struct {
	config config.Tunnel // the chain is its Cert
	host   string
	ip     string
	now    moment
	role   string
	json   bool
}

func (m *Main) certsVerifyCommand() *cobra.Command {
	v := &verification{config: config.NewTunnel("", "")}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Judges a peer's chain as a tunnel would",
		Long: `Judges the certificates of a file, the host's own first, by the same door as a
tunnel: exit 0 accepted, 1 refused (why, which file decided, and the cure),
2 wrong usage. Without --role usages are not judged, without --host or --ip
the name is not.

It shows what permitted each certificate of the path, with the file and line.

--json prints verdict (accepted or refused) and, always present: code, depth,
subject, file, line, reason, cure (of a refusal; depth is null and the others
are empty or 0 otherwise), path (depth, subject, file, not_after and checks:
name, text, file, line), peer (dn, rfc4514, hosts, ips, rule; null if refused),
warnings (code, ca, file, text) and next_event (when the verdict may change by
itself; null if refused).`,
		Example: `  gtunnel certs verify --cert chain.pem --host server1.domain.one --role server
  gtunnel certs verify --cert chain.pem --time 2027-01-01T00:00:00Z --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.verify(cmd, v) },
	}
	settings := config.Pick(v.config.Settings(), "cert", "capath", "cafile", "crl", "crl-grace", "namespaces",
		"eku", "host-mode", "max-depth")
	settings[0].Usage = "the chain to judge"
	settings = append(settings[:1:1], append([]config.Setting{
		{Name: "host", Arg: "NAME", Target: &v.host, Usage: "a name that it must prove"},
		{Name: "ip", Arg: "ADDRESS", Target: &v.ip, Usage: "an address that it must prove"},
		{
			Name: "role", Arg: "ROLE", Target: &v.role, Values: []string{"server", "client"},
			Usage: "what the peer is: server or client",
		},
		{Name: "time", Arg: "RFC3339", Target: &v.now, Preset: "now", Usage: "when"},
	}, settings[1:]...)...)
	settings = append(settings, config.Setting{Name: "json", Target: &v.json, Usage: "print JSON"})
	config.AddFlags(cmd, "", settings)
	return cmd
}

// wanted is the name or address that the peer must prove; empty if any.
func (v *verification) wanted() (string, error) {
	switch {
	case v.host != "" && v.ip != "":
		return "", &usage.Error{
			Where: "--ip", Message: "contradicts --host",
			Cure: "a peer is held to one name or to one address: give one of them",
		}
	case v.host != "":
		if _, err := netip.ParseAddr(v.host); err == nil {
			message := fmt.Sprintf("%q is an IP address", v.host)
			return "", &usage.Error{Where: "--host", Message: message, Cure: "write --ip " + v.host}
		}
		return v.host, nil
	case v.ip != "":
		if _, err := netip.ParseAddr(v.ip); err != nil {
			message := fmt.Sprintf("%q is no IP address", v.ip)
			return "", &usage.Error{Where: "--ip", Message: message, Cure: "give a name with --host"}
		}
	}
	return v.ip, nil
}

func (m *Main) verify(cmd *cobra.Command, v *verification) error {
	host, err := v.wanted()
	if err != nil {
		return err
	}
	store, err := openStore(cmd, &v.config)
	if err != nil {
		return err
	}
	now := time.Time(v.now)
	if now.IsZero() {
		now = time.Now()
	}
	var result *certs.Result
	chain, err := certs.ReadCertificates(v.config.Cert)
	if err == nil {
		result, err = certs.Verify(store.Snapshot(), chain, certs.VerifyOptions{
			Role: roles[v.role], Host: host, Anyone: host == "", Time: now, Policy: v.config.Policy(),
		})
	}
	if err != nil {
		refusal, refused := errors.AsType[*certs.Refusal](err)
		switch {
		case !refused:
			return &usage.Error{Err: err}
		case v.json:
			return errors.Join(m.printJSON(refusedVerdict(refusal)), err)
		}
		return err
	}
	if v.json {
		return m.printJSON(acceptedVerdict(result))
	}
	m.writeResult(result, v.role, now)
	return nil
}

// verdict is what certs verify --json prints. Its keys are stable.
type verdict struct {
	Verdict   string        `json:"verdict"` // accepted or refused
	Code      certs.Code    `json:"code"`
	Depth     *int          `json:"depth"`
	Subject   string        `json:"subject"`
	File      string        `json:"file"`
	Line      int           `json:"line"`
	Reason    string        `json:"reason"`
	Cure      string        `json:"cure"`
	Path      []jsonLink    `json:"path"`
	Peer      *jsonPeer     `json:"peer"`
	Warnings  []jsonWarning `json:"warnings"`
	NextEvent *time.Time    `json:"next_event"`
}

type jsonLink struct {
	Depth    int             `json:"depth"`
	Subject  string          `json:"subject"`
	File     string          `json:"file"` // empty: the peer sent it
	NotAfter time.Time       `json:"not_after"`
	Checks   []jsonLinkCheck `json:"checks"` // what permitted it
}

// jsonLinkCheck is a certs.LinkCheck.
type jsonLinkCheck struct {
	Name string `json:"name"`
	Text string `json:"text"`
	File string `json:"file"`
	Line int    `json:"line"`
}

type jsonPeer struct {
	DN      string   `json:"dn"`
	RFC4514 string   `json:"rfc4514"`
	Hosts   []string `json:"hosts"`
	IPs     []string `json:"ips"`
	Rule    string   `json:"rule"`
}

type jsonWarning struct {
	Code certs.Code `json:"code"`
	CA   string     `json:"ca"`
	File string     `json:"file"`
	Text string     `json:"text"`
}

func refusedVerdict(r *certs.Refusal) verdict {
	return verdict{
		Verdict: "refused", Code: r.Code, Depth: &r.Depth, Subject: r.Subject, File: r.File, Line: r.Line,
		Reason: inFlags(r.Reason), Cure: inFlags(r.Cure), Path: []jsonLink{}, Warnings: []jsonWarning{},
	}
}

func acceptedVerdict(result *certs.Result) verdict {
	next := result.NextEvent.UTC()
	v := verdict{
		Verdict: "accepted", Path: []jsonLink{}, Peer: newJSONPeer(result.Peer),
		Warnings: newJSONWarnings(result.Warnings), NextEvent: &next,
	}
	permits := result.Checks()
	for depth, link := range result.Path {
		v.Path = append(v.Path, jsonLink{
			Depth: depth, Subject: link.DN, File: link.File, NotAfter: link.Certificate.NotAfter.UTC(),
			Checks: newJSONChecks(permits[depth]),
		})
	}
	return v
}

func newJSONChecks(checks []certs.LinkCheck) []jsonLinkCheck {
	list := []jsonLinkCheck{}
	for _, c := range checks {
		list = append(list, jsonLinkCheck{Name: c.Name, Text: inFlags(c.Text), File: c.File, Line: c.Line})
	}
	return list
}

func newJSONPeer(i certs.Identity) *jsonPeer {
	return &jsonPeer{DN: i.DN, RFC4514: i.RFC4514, Hosts: listOf(i.Hosts), IPs: listOf(i.IPs), Rule: i.Rule}
}

func newJSONWarnings(warnings []certs.Warning) []jsonWarning {
	list := []jsonWarning{}
	for _, w := range warnings {
		list = append(list, jsonWarning{Code: w.Code, CA: w.CA, File: w.File, Text: inFlags(w.Text)})
	}
	return list
}

// writeResult prints a verdict in the peer's favour for a person.
func (m *Main) writeResult(result *certs.Result, role string, now time.Time) {
	as := ""
	if role != "" {
		as = " as a " + role
	}
	fmt.Fprintf(m.Stdout, "accepted%s: %s\n", as, certs.ShowDN(result.Peer.DN))
	fmt.Fprintf(m.Stdout, "proves: %s\n", names(result.Peer.Hosts, result.Peer.IPs, result.Peer.Rule))
	fmt.Fprintln(m.Stdout, "path:")
	permits := result.Checks()
	for depth, link := range result.Path {
		file := link.File
		if file == "" {
			file = "sent by the peer"
		}
		until := validity(link.Certificate.NotAfter, now)
		fmt.Fprintf(m.Stdout, "  %d  %s\n     %s; %s\n", depth, certs.ShowDN(link.DN), file, until)
		m.writeChecks(permits[depth])
	}
	for _, w := range result.Warnings {
		fmt.Fprintf(m.Stdout, "warning: %s\n", inFlags(w.String()))
	}
	if !result.NextEvent.IsZero() {
		fmt.Fprintf(m.Stdout, "next event: %s\n", result.NextEvent.UTC().Format(time.RFC3339))
	}
}

// toldChecks are the checks of a link that a person is told of: those that
// depend on what is installed here. The others are in the JSON.
var toldChecks = []string{certs.LinkSignature, certs.LinkNameConstraints, certs.LinkPolicy, certs.LinkRevocation}

// writeChecks prints what permitted a certificate of a path, with the file and
// the line.
func (m *Main) writeChecks(checks []certs.LinkCheck) {
	for _, c := range checks {
		if !slices.Contains(toldChecks, c.Name) || c.Name == certs.LinkNameConstraints && c.File == "" {
			continue
		}
		where := ""
		switch {
		case c.File == "" || c.Name == certs.LinkSignature: // the link above says it
		case c.Line > 0:
			where = fmt.Sprintf("%s:%d: ", c.File, c.Line)
		default:
			where = c.File + ": "
		}
		fmt.Fprintf(m.Stdout, "     %s: %s%s\n", c.Name, where, inFlags(c.Text))
	}
}

// moment is a time in text as RFC 3339 writes it; zero stands for now.
type moment time.Time

// UnmarshalText reads a time as RFC 3339 writes it.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return &usage.Error{
			Message: fmt.Sprintf("%q is no time of RFC 3339", text),
			Cure:    "write a date, a time and a zone, such as 2027-01-01T00:00:00Z",
		}
	}
	*m = moment(t)
	return nil
}
