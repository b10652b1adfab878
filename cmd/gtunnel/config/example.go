package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/tunnel"
)

const exampleHead = `# gtunnel.toml: the tunnels of this host, for gtunnel run and gtunnel.service.
#
# Every key is here behind a #, with its default, or with an example where it
# says what is so without it. Take the # away from [pair] and its hosts, or from
# a [tunnel.NAME] and its keys, and write your names. Then:
#
#   gtunnel run --check                is all well, the certificates too?
#   systemctl enable --now gtunnel
#   gtunnel reload                     after a change: all of it, or nothing
#
# Durations are written as "10s", "5m" or "1h". A relative path begins at the
# folder of this file.

# Files with more tunnels.
#include = ["conf.d/*.toml"]
`

const examplePairHead = `
# Two hosts, either of which can be the master: the section is the same on both.
#[pair]
`

// exampleValues are those of keys that have no default.
var exampleValues = map[string]string{
	"cafile":            `"/etc/grid-security/site-cas.pem"`,
	"file":              `"/var/log/gtunnel/gtunnel.log"`,
	"user":              `"gtunnel"`,
	"group":             `"gtunnel"`,
	"pid-file":          `"/run/gtunnel/run.pid"`,
	"hosts":             `["server1.domain.one", "server2.domain.two"]`,
	"host":              `"server1.domain.one"`,
	"slaves":            `["server3.domain.three"]`,
	"fence":             `"/etc/gtunnel/fence"`,
	"pre-promote":       `"/etc/gtunnel/pre-promote"`,
	"post-promote":      `"/etc/gtunnel/post-promote"`,
	"congestion":        `"cubic"`,
	"addresses":         `["server1.domain.one:3307", "server2.domain.two:3307"]`,
	"allow-from":        `["0.0.0.0/0", "::/0"]`,
	"accept-proxy-from": `["192.0.2.7"]`,
	"allow-host":        `["server2.domain.two"]`,
	"allow-dn":          `["/DC=two/O=hosts/CN=server2.domain.two"]`,
	"connect":           `["server1.domain.one:3307"]`, // of a client
	"server-name":       `"server1.domain.one"`,
}

// Example is a configuration file in which every key stands behind a #, with its default or a
// value that is read. As it is, it is read without a word but that no tunnel is configured.
func Example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	process, defaults := New("run"), NewTunnel("", "")
	b.WriteString("\n# The certificates of all tunnels; each tunnel may have any of these of its own,\n" +
		"# but reload_interval. gtunnel.service gives cert and key: copies of the host's\n# that its user may read.\n[tls]\n")
	writeKeys(&b, inSection(defaults.Settings(), GroupCertificates, ""))
	writeKeys(&b, inSection(process.Settings(), GroupCertificates, ""))
	b.WriteString("\n[log]\n")
	writeKeys(&b, inSection(process.Settings(), "", "log-"))
	b.WriteString("\n[admin]\n")
	admin := inSection(process.Settings(), "", "admin")
	admin[0].Name = "address"
	writeKeys(&b, admin)
	b.WriteString("\n# What the kernel refuses the process, beside the rights of its user.\n[landlock]\n")
	landlock := inSection(process.Settings(), "", "landlock")
	landlock[0].Name = "mode"
	writeKeys(&b, landlock)
	b.WriteString("\n# For a host without systemd.\n[process]\n")
	writeKeys(&b, process.processSettings())
	b.WriteString(examplePairHead)
	writeKeys(&b, newPair().settings())
	server, client := NewTunnel("", tunnel.Server), NewTunnel("", tunnel.Client)
	written := map[string]string{} // the keys of a server, with their defaults
	b.WriteString("\n# A tunnel by a name of your own, on the master.\n#[tunnel.mysql]\n#role = \"server\"\n")
	for _, s := range server.Settings() {
		if s.Role != tunnel.Client && s.Group != GroupCertificates {
			writeKeys(&b, []Setting{s})
			written[s.Name] = s.exampleValue()
		}
	}
	b.WriteString("\n# One on the slave: these, and the limits above.\n#[tunnel.master]\n#role = \"client\"\n")
	for _, s := range client.Settings() {
		value, ok := written[s.Name]
		if s.Role != tunnel.Server && s.Group != GroupCertificates && (!ok || value != s.exampleValue()) {
			writeKeys(&b, []Setting{s})
		}
	}
	return b.String()
}

// writeKeys writes each setting as a comment of a file, and what it means above it.
func writeKeys(b *strings.Builder, settings []Setting) {
	for _, s := range settings {
		meaning := inFile(s.Usage)
		if !s.hasDefault() && !strings.Contains(meaning, "must be given") {
			meaning += "; without it: " + cmp.Or(s.Preset, "none")
		}
		if s.Values != nil && !strings.Contains(meaning, s.Values[len(s.Values)-1]) {
			meaning += "; one of " + strings.Join(s.Values, ", ")
		}
		writeComment(b, meaning)
		fmt.Fprintf(b, "#%s = %s\n", s.key(), s.exampleValue())
	}
}

// writeComment breaks a text into lines of at most 80 characters.
func writeComment(b *strings.Builder, text string) {
	line := "#"
	for word := range strings.FieldsSeq(strings.TrimPrefix(text, "; ")) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	if line != "#" {
		b.WriteString(line + "\n")
	}
}

// hasDefault reports whether there is a value that stands for a key that is left out, and not
// words about that.
func (s Setting) hasDefault() bool {
	if _, ok := s.Target.(*bool); ok {
		return true
	}
	words := strings.Contains(s.Preset, " ") || s.Preset == "none" || s.Preset == "anywhere"
	return !words && cmp.Or(s.Preset, s.text()) != ""
}

// exampleValue is the default as the file writes it, or else an example.
func (s Setting) exampleValue() string {
	if !s.hasDefault() {
		return exampleValues[s.Name]
	}
	value := cmp.Or(s.Preset, s.text())
	switch target := s.Target.(type) {
	case *bool:
		return strconv.FormatBool(*target)
	case *int:
		return value
	case *[]string, *[]tunnel.Address, *[]netip.Prefix:
		return "[" + strconv.Quote(value) + "]"
	}
	return strconv.Quote(value)
}

var flagName = regexp.MustCompile(`--([a-z][a-z-]*)`)

// inFile says of keys what the help says of flags.
func inFile(text string) string {
	text = strings.NewReplacer("; repeatable", "", "repeat it for failover", "several for failover").Replace(text)
	return flagName.ReplaceAllStringFunc(text, func(flag string) string { return keyOf(strings.TrimPrefix(flag, "--")) })
}
