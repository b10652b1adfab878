// Package config makes one checked value of what a process is told: by flags,
// or by a configuration file in TOML. Both set the same [Setting]s of the same
// [Config] and [Tunnel], so that whatever holds for a flag holds for the key of
// that name.
//
// The way of a value: [AddFlags] or [Read] finds the Setting by its name, which
// reads the text, or refuses it, and writes it into the Config that it points
// to. [Config.Faults] then judges the values, alone and together. Every mistake
// is a [usage.Error] with its flag, or its file, line and key; all are told at
// once. [Config.Where], [Config.ErrorAbout] and [Config.Words] say the same of
// what turns out later, when the files that a Config names are loaded. At a
// reload [Compare] and [NeedRestart] say how the file differs from what runs.
package config

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Where the packages and the systemd units have the configuration file and the
// admin sockets, unless systemd names another folder to the service
// (RUNTIME_DIRECTORY of systemd.exec(5)), and the copy of the host's certificate
// and key for the services (gtunnel-credentials.service).
const (
	DefaultFile   = "/etc/gtunnel/gtunnel.toml"
	RuntimeFolder = "/run/gtunnel"

	CopyFolder = "/run/gtunnel-credentials"
)

// Where grid sites keep a host's certificate, its key and the CAs.
const (
	defaultCert   = "/etc/grid-security/hostcert.pem"
	defaultKey    = "/etc/grid-security/hostkey.pem"
	defaultCApath = "/etc/grid-security/certificates"
)

// The addresses of the two ends of MySQL replication.
const (
	DefaultClientAccept  = "127.0.0.1:3307"
	defaultServerAccept  = ":3307"
	defaultServerConnect = "127.0.0.1:3306"

	DefaultPort = "3307"
	MySQLPort   = "3306"
)

// Config is all that a process is told, by flags or by a file.
type Config struct {
	LogLevel       zapcore.Level
	LogFormat      string // "console" or "json"
	LogFile        string // of a process that serves; empty: the standard error
	Landlock       string // what the kernel is told to refuse this process: LandlockOn, LandlockFiles or LandlockOff
	Admin          AdminAddress
	AdminSocket    string        // the preset socket: its name in RuntimeFolder
	ReloadInterval time.Duration // 0: only SIGHUP reloads
	User, Group    string        // whom root becomes once it has its key and its sockets; empty: nobody else
	PidFile        string        // empty: none
	Tunnels        []Tunnel      // in the order of the file, those of the pair first
	Pair           *Pair         // nil: this host is not of a pair
	FlagsFile      string        // from which systemd has the flags; empty: from elsewhere

	cert, key string // see ReadFor

	origin   origin
	includes []string       // folders
	problems []*usage.Error // what was wrong in the file already
	empty    bool           // the file has neither tunnels nor a pair
}

// Tunnel is one tunnel with everything that it does not share.
type Tunnel struct {
	Name            string
	Role            tunnel.Role
	Accept          tunnel.Address
	Connect         []tunnel.Address
	ServerName      string
	UnsafePlaintext bool
	AllowHost       []string
	AllowDN         []string
	AllowAll        bool
	AllowFrom       []netip.Prefix
	Cert, Key       string
	CApath, CAfile  string
	CRL             certs.CRLMode
	CRLGrace        time.Duration
	Namespaces      certs.NamespacesMode
	EKU             certs.EKURule
	HostMode        certs.HostMode
	MinTLS          TLSVersion
	MaxDepth        int
	Timeouts        tunnel.Timeouts
	Limits          tunnel.Limits
	Congestion      string // control of TCP to the peer; empty: the system's
	SharePort       bool   // see tunnel.Config
	ProxyProtocol   bool   // likewise
	AcceptProxyFrom []netip.Prefix

	ofPair bool // made of the section [pair]
}

// New is the configuration of a process that is told nothing but its command.
func New(command string) Config {
	c := Config{
		LogLevel: zapcore.InfoLevel, LogFormat: "console", ReloadInterval: time.Minute, AdminSocket: command + ".sock",
		Landlock: LandlockOn,
	}
	if command == "run" { // its file may get tunnels at other ports, which a reload could not have then
		c.Landlock = LandlockFiles
	}
	return c
}

// What a process has the kernel refuse it, once it has started: see Config.Landlock.
const (
	LandlockOn    = "on"    // files and TCP ports that its configuration does not name
	LandlockFiles = "files" // only the files
	LandlockOff   = "off"   // nothing
)

// NewTunnel is the configuration of a tunnel that is told nothing but, perhaps,
// its role.
func NewTunnel(name string, role tunnel.Role) Tunnel {
	return Tunnel{
		Name:     name,
		Role:     role,
		Cert:     defaultCert,
		Key:      defaultKey,
		CApath:   defaultCApath,
		CRLGrace: 24 * time.Hour,
		MinTLS:   tls.VersionTLS12,
		MaxDepth: 10,
		Timeouts: tunnel.DefaultTimeouts(),
		Limits:   tunnel.DefaultLimits(),
	}
}

// PairFaults are the Faults for who wants to know of the pair alone: that the file has neither
// tunnels nor a pair, as the one that a package brings, is none then.
func (c *Config) PairFaults() []*usage.Error {
	faults := c.Faults()
	if c.empty && len(faults) == 1 {
		return nil
	}
	return faults
}

// File is the configuration file; empty if the flags are all.
func (c *Config) File() string { return c.origin.file }

// IncludedFolders are those in which the patterns of include look for files.
func (c *Config) IncludedFolders() []string { return c.includes }

// Again reads the configuration file once more, for the same process.
func (c *Config) Again() (Config, error) { return ReadFor(c.origin.file, c.cert, c.key) }

// TunnelNamed finds a tunnel; nil if there is none of the name.
func (c *Config) TunnelNamed(name string) *Tunnel {
	for i := range c.Tunnels {
		if c.Tunnels[i].Name == name {
			return &c.Tunnels[i]
		}
	}
	return nil
}

// Config is the tunnel's part for package tunnel, without what must be loaded
// for it.
func (t *Tunnel) Config() tunnel.Config {
	return tunnel.Config{
		Name:            t.Name,
		Role:            t.Role,
		Accept:          t.Accept,
		Connect:         t.Connect,
		ServerName:      t.ServerName,
		UnsafePlaintext: t.UnsafePlaintext,
		SharePort:       t.SharePort,
		AllowFrom:       t.AllowFrom,
		ProxyProtocol:   t.ProxyProtocol,
		AcceptProxyFrom: t.AcceptProxyFrom,

		CongestionControl: t.Congestion,
		Timeouts:          t.Timeouts,
		Limits:            t.Limits,
	}
}

// Summary is the tunnel in a few words: its role, where it listens, and where it
// goes.
func (t *Tunnel) Summary() string {
	var targets []string
	for _, target := range t.Connect {
		targets = append(targets, target.String())
	}
	return fmt.Sprintf("%s, accept %s, connect %s", t.Role, t.Accept, strings.Join(targets, " "))
}

// ServerNames are the names that a client wants of its servers.
func (t *Tunnel) ServerNames() []string {
	if t.ServerName != "" {
		return []string{t.ServerName}
	}
	var names []string
	for _, target := range t.Connect {
		names = append(names, cmp.Or(target.Host, "127.0.0.1"))
	}
	return names
}

// Trust is what the tunnel trusts.
func (t *Tunnel) Trust() certs.StoreConfig {
	return certs.StoreConfig{CApath: t.CApath, CAfile: t.CAfile}
}

// Policy is what the tunnel asks of its peers, access rules aside.
func (t *Tunnel) Policy() certs.Policy {
	return certs.Policy{
		CRL: t.CRL, CRLGrace: t.CRLGrace, Namespaces: t.Namespaces,
		EKU: t.EKU, HostMode: t.HostMode, MaxDepth: t.MaxDepth,
	}
}

// Access is whom a server lets in.
func (t *Tunnel) Access() (*certs.Access, error) {
	return certs.NewAccess(t.AllowHost, t.AllowDN, t.AllowAll)
}

// AccessRules are the access rules of a tunnel, each as the file writes it.
func (t *Tunnel) AccessRules() []string {
	var rules []string
	for _, host := range t.AllowHost {
		rules = append(rules, fmt.Sprintf("allow_host %q", host))
	}
	for _, dn := range t.AllowDN {
		rules = append(rules, fmt.Sprintf("allow_dn %q", dn))
	}
	if t.AllowAll {
		rules = append(rules, "allow_all")
	}
	return rules
}

// TrustFlagsOnly keeps the preset CApath from adding to the trust that the
// flags name: with --cafile alone nothing else is trusted.
func (t *Tunnel) TrustFlagsOnly(flags *pflag.FlagSet) {
	t.trustOnly(flags.Changed("capath"), flags.Changed("cafile"))
}

// trustOnly keeps one level of configuration (flags, [tls], a tunnel) from
// adding to the trust of the level below: where it names only one of capath
// and cafile, the other is empty.
func (t *Tunnel) trustOnly(capathSet, cafileSet bool) {
	switch {
	case cafileSet && !capathSet:
		t.CApath = ""
	case capathSet && !cafileSet:
		t.CAfile = ""
	}
}

// Complete fills in the defaults that depend on the role.
func (t *Tunnel) Complete() {
	if t.Accept == (tunnel.Address{}) {
		t.Accept = DefaultAccept(t.Role)
	}
	if len(t.Connect) == 0 && t.Role != tunnel.Client {
		t.Connect = []tunnel.Address{mustParse(defaultServerConnect)}
	}
}

// DefaultAccept is where a tunnel of a role listens unless it is told another
// address.
func DefaultAccept(role tunnel.Role) tunnel.Address {
	if role == tunnel.Client {
		return mustParse(DefaultClientAccept)
	}
	return mustParse(defaultServerAccept)
}

func mustParse(text string) tunnel.Address {
	a, err := tunnel.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return a
}

// AdminAddress is where a process answers gtunnel status. The zero value is
// the socket that its command presets.
type AdminAddress struct {
	tunnel.Address

	None bool // it answers nowhere
}

// NoAdmin is the word for no admin address at all.
const NoAdmin = "none"

// UnmarshalText reads an address, or none.
func (a *AdminAddress) UnmarshalText(text []byte) error {
	if string(text) == NoAdmin {
		*a = AdminAddress{None: true}
		return nil
	}
	*a = AdminAddress{}
	return a.Address.UnmarshalText(text)
}

// MarshalText writes nothing for the preset.
func (a *AdminAddress) MarshalText() ([]byte, error) {
	switch {
	case a.None:
		return []byte(NoAdmin), nil
	case a.Address == (tunnel.Address{}):
		return nil, nil
	}
	return a.Address.MarshalText()
}

// TLSVersion is a version of TLS, numbered as in crypto/tls, in text 1.2 or 1.3.
type TLSVersion uint16

// UnmarshalText reads 1.2 or 1.3.
func (v *TLSVersion) UnmarshalText(text []byte) error {
	switch string(text) {
	case "1.2":
		*v = tls.VersionTLS12
	case "1.3":
		*v = tls.VersionTLS13
	default:
		return fmt.Errorf("%q is neither 1.2 nor 1.3", text)
	}
	return nil
}

// MarshalText writes 1.2 or 1.3.
func (v TLSVersion) MarshalText() ([]byte, error) {
	if v == tls.VersionTLS13 {
		return []byte("1.3"), nil
	}
	return []byte("1.2"), nil
}
