package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/voms"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// addressOf is where a voms.conf has its database.
func addressOf(conf voms.Server) string {
	return net.JoinHostPort(conf.Host, cmp.Or(conf.DatabasePort, config.MySQLPort))
}

// firstLine is that of a file, such as one with a password.
func firstLine(file string) (string, error) {
	content, err := os.ReadFile(file)
	line, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSuffix(line, "\r"), err
}

// makeAccount is the command that makes the account of a VOMS server on this host alone: the
// password goes from its file to the server, past nobody.
func makeAccount(conf voms.Server, login server.Login) string {
	if conf.PasswordFile == "" {
		return ""
	}
	client, host := "mariadb", "localhost"
	if login.Network == "tcp" {
		host = server.Loopback
	} else if conf.Socket != "" {
		client += " --socket=" + finding.ShellWord(conf.Socket)
	}
	account := server.QuoteAccount(conf.User, host)
	before := "SET SESSION sql_log_bin=0; CREATE USER IF NOT EXISTS " + account +
		"; ALTER USER " + account + " IDENTIFIED BY "
	after := fmt.Sprintf("; GRANT SELECT ON %s.* TO %s;", server.QuoteName(server.EscapePattern(conf.Database)), account)
	return "{ printf %s " + finding.ShellWord(before) + `; head -n 1 ` + finding.ShellWord(conf.PasswordFile) +
		` | sed "s/['\\\\]/\\\\&/g; s/.*/'&'/"; printf %s ` + finding.ShellWord(after) + "; } | " + client
}

// passwordFaults are what VOMS refuses of a password file. That it cannot be read, the login
// says.
func passwordFaults(conf voms.Server) (faults []error) {
	const mode = 0o640
	file := conf.PasswordFile
	info, err := os.Stat(file)
	if err != nil {
		return nil
	}
	if is := info.Mode().Perm(); is != mode {
		faults = append(faults, &usage.Error{
			Where: file, Message: fmt.Sprintf("has the mode %04o: VOMS takes a file of mode %04o only", is, mode),
			Cure: "chmod 640 " + finding.ShellWord(file),
		})
	}
	content, err := os.ReadFile(file)
	if err == nil && !strings.Contains(string(content), "\n") {
		faults = append(faults, &usage.Error{
			Where: file, Message: "does not end in a newline, without which VOMS does not take the password",
			Cure: "echo >> " + finding.ShellWord(file),
		})
	}
	return faults
}

// tunnelConfig is how certificates are judged: as gtunnel does, by the CAs of its file or of
// the voms.conf.
func (s *vomsSite) tunnelConfig(conf voms.Server) config.Tunnel {
	if s.way != nil {
		return *s.way
	}
	t := config.NewTunnel("", tunnel.Client)
	t.CApath = cmp.Or(conf.CApath, t.CApath)
	return t
}

// judge makes a VOMSCertificate of what a VOMS server shows.
func (s *vomsSite) judge(
	conf voms.Server, host, from string, chain []*x509.Certificate, err error,
) rules.VOMSCertificate {
	is := rules.VOMSCertificate{From: from, Err: err}
	if err != nil {
		return is
	}
	t := s.tunnelConfig(conf)
	description, err := certs.Describe(chain, 0, t.HostMode)
	if err != nil {
		is.Err = err
		return is
	}
	is.DN, is.Issuer, is.NotAfter = description.DN, description.Issuer, chain[0].NotAfter
	is.Soon = is.NotAfter.Sub(s.now) < expirySoon
	if s.store == nil {
		if s.store, is.Err = certs.OpenStore(t.Trust()); is.Err != nil {
			return is
		}
	}
	_, is.Err = certs.Verify(s.store.Snapshot(), chain, certs.VerifyOptions{
		Role: certs.PeerServer, Host: host, Time: s.now, Policy: t.Policy(),
	})
	return is
}

// ownCertificate is that of the VOMS server of this host, which may not run just now.
func (s *vomsSite) ownCertificate(conf voms.Server) rules.VOMSCertificate {
	chain, err := certs.ReadCertificates(conf.Cert)
	return s.judge(conf, s.own, conf.Cert, chain, err)
}

// vomsPatience is how long a VOMS server is waited for.
const vomsPatience = 5 * time.Second

// peerCertificate is what the VOMS server of the other host shows; where it does not answer,
// and VOMS has the host's certificate, what gtunnel there does.
func (s *vomsSite) peerCertificate(ctx context.Context, conf voms.Server) (is rules.VOMSCertificate, silent error) {
	port := conf.Port
	for _, e := range s.entries {
		if e.VO == conf.VO && strings.EqualFold(e.Host, s.peer) {
			port = e.Port
		}
	}
	address := tunnel.Address{Network: "tcp", Host: s.peer, Port: port}
	limited, cancel := context.WithTimeout(ctx, vomsPatience)
	defer cancel()
	conn, silent := dialAddress(limited, address)
	if silent == nil {
		defer func() { _ = conn.Close() }() // it was only asked
		var chain []*x509.Certificate
		if chain, silent = certs.FetchChain(limited, conn, s.peer); silent == nil {
			return s.judge(conf, s.peer, "at "+address.String(), chain, nil), nil
		}
	}
	if s.way == nil || s.way.Cert != conf.Cert {
		return is, silent
	}
	if chain := s.askGtunnel(ctx); chain != nil {
		is = s.judge(conf, s.peer, "of its gtunnel", chain, nil)
	}
	return is, silent
}

// askGtunnel is the chain of the other host's gtunnel; nil if it does not answer, which other
// checks say.
func (s *vomsSite) askGtunnel(ctx context.Context) []*x509.Certificate {
	endpoint, err := pairEndpoint(s.file, s.way)
	if err != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, vomsPatience)
	defer cancel()
	conn, err := dialAddress(limited, s.way.Connect[0])
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }() // it was only asked
	probing, err := endpoint.Probe(limited, conn, s.peer, true)
	if err != nil {
		return nil
	}
	return probing.Chain
}

// readVomses reads the vomses of this host.
func (s *vomsSite) readVomses() {
	var faults []error
	s.entries, faults = voms.ReadVomses(s.vomsesPaths())
	s.faults = append(s.faults, faults...)
}

// vomsesPaths are the places of vomses.
func (s *vomsSite) vomsesPaths() []string {
	if len(s.flags.vomses) > 0 {
		return s.flags.vomses
	}
	return voms.DefaultVomses()
}

// vomses finds the lines of a host, and the commands that mend them.
func (s *vomsSite) vomses(conf voms.Server, h *rules.VOMSHost) {
	want := voms.Entry{
		Alias: conf.VO, Host: h.Name, Port: conf.Port, VO: conf.VO, DN: h.Certificate.DN,
	}
	for _, e := range s.entries {
		if e.VO != conf.VO || !strings.EqualFold(e.Host, h.Name) {
			continue
		}
		mended := e
		mended.DN = want.DN
		h.Vomses = append(h.Vomses, rules.VOMSLine{
			File: e.File, Line: e.Line, DN: e.DN, Mend: replaceLine(e.File, e.Line, mended.String()),
		})
	}
	h.AddVomses = addToVomses(s.vomsesPaths(), conf.VO+"-"+h.Name, want.String())
}

// addToVomses is the command that adds a line: to the first of the places that is there.
func addToVomses(paths []string, name, line string) string {
	line = finding.ShellWord(line)
	for _, path := range paths {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return "echo " + line + " >> " + finding.ShellWord(filepath.Join(path, name))
		}
		if err == nil {
			return "echo " + line + " >> " + finding.ShellWord(path)
		}
	}
	return "mkdir -p " + finding.ShellWord(paths[0]) + " && echo " + line + " >> " +
		finding.ShellWord(filepath.Join(paths[0], name))
}

// lsc holds the LSC file of a host against its certificate.
func (s *vomsSite) lsc(conf voms.Server, h *rules.VOMSHost) []error {
	h.LSC.File = filepath.Join(s.flags.vomsdir, conf.VO, h.Name+".lsc")
	want := []string{voms.EscapeLSC(h.Certificate.DN), voms.EscapeLSC(h.Certificate.Issuer)}
	lines := finding.ShellWord(want[0]) + " " + finding.ShellWord(want[1])
	file := finding.ShellWord(h.LSC.File)
	write := "mkdir -p " + finding.ShellWord(filepath.Dir(h.LSC.File)) + ` && printf '%s\n' ` + lines + " > " + file
	if _, err := os.Stat(h.LSC.File); os.IsNotExist(err) {
		h.LSC.Mend = write
		return nil
	}
	chains, faults := voms.ReadLSC(h.LSC.File)
	h.LSC.There = true
	for _, chain := range chains {
		if len(chain) < 2 {
			continue
		}
		plain := []string{strings.ReplaceAll(chain[0], `\/`, "/"), strings.ReplaceAll(chain[1], `\/`, "/")}
		h.LSC.Names = h.LSC.Names || slices.Equal(chain[:2], want)
		h.LSC.Plain = h.LSC.Plain || slices.Equal(plain, []string{h.Certificate.DN, h.Certificate.Issuer})
	}
	h.LSC.Mend = `printf '%s\n' ` + finding.ShellWord(voms.NextChain) + " " + lines + " >> " + file
	if h.LSC.Plain || len(chains) == 0 {
		h.LSC.Mend = write
	}
	return faults
}

// replaceLine is the command that writes another line in the place of one.
func replaceLine(file string, number int, line string) string {
	return fmt.Sprintf("sed -i %s %s", finding.ShellWord(fmt.Sprintf(`%dc\%s`, number, line)), finding.ShellWord(file))
}

// setProperty is the command that sets a property of VOMS Admin.
func setProperty(file string, number int, name string, value bool) string {
	line := fmt.Sprintf("%s = %t", name, value)
	set := replaceLine(file, number, line)
	if number == 0 {
		set = `printf '\n%s\n' ` + finding.ShellWord(line) + " >> " + finding.ShellWord(file)
	}
	return set + "; systemctl restart voms-admin"
}
