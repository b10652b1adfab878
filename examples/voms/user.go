package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// proxy is a proxy certificate with the attributes of the VO, as voms-proxy-info shows it.
type proxy struct {
	server string   // that has issued the attributes
	fqans  []string // without their empty ends
	tried  []string // servers that did not answer before
	took   time.Duration
	line   string // the command that made it
}

// initProxy makes Alice a proxy. With a server it is asked alone, by a vomses of its own;
// without one, the vomses of the machine decides.
func (s *site) initProxy(ctx context.Context, server *host) (*proxy, error) {
	line := "voms-proxy-init --voms " + vo
	if server != nil {
		text, err := os.ReadFile(s.ui.path("etc/vomses"))
		if err != nil {
			return nil, err
		}
		file := "home/alice/" + server.name + ".vomses"
		if err := s.writeVomses(s.ui, file, string(text), server); err != nil {
			return nil, err
		}
		line += " --vomses /" + file
	}
	started := time.Now()
	out, err := s.ui.command(ctx, s.alice, line).CombinedOutput()
	p := &proxy{took: time.Since(started), line: line}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", line, err, dots.ReplaceAll(out, nil))
	}
	for _, failed := range contacted.FindAllStringSubmatch(string(out), -1) {
		if strings.Contains(failed[2], "Failed") {
			p.tried = append(p.tried, failed[1])
		}
	}
	info, err := s.ui.command(ctx, s.alice, "voms-proxy-info --all").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("voms-proxy-info: %w\n%s", err, info)
	}
	return p, p.read(string(info))
}

var (
	dots      = regexp.MustCompile(`\.{4,}`)
	contacted = regexp.MustCompile(`(?m)^Contacting +([^:]+):15001(.*)`)
)

// read takes what voms-proxy-info says, and checks that it is of Alice, the VO and one of its
// servers.
func (p *proxy) read(info string) error {
	values := map[string][]string{}
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, " : "); ok {
			key = strings.TrimSpace(key)
			values[key] = append(values[key], strings.TrimSpace(value))
		}
	}
	uri := values["uri"]
	if len(uri) != 1 || !slices.Equal(values["VO"], []string{vo}) {
		return fmt.Errorf("the proxy has no attributes of %s:\n%s", vo, info)
	}
	var ok bool
	if p.server, ok = strings.CutSuffix(uri[0], ":15001"); !ok {
		return fmt.Errorf("the proxy is of the server %s:\n%s", uri[0], info)
	}
	if issuers := values["issuer"]; !strings.HasSuffix(issuers[len(issuers)-1], "/"+p.server) {
		return fmt.Errorf("the attributes are not of %s's certificate:\n%s", p.server, info)
	}
	for _, attribute := range values["attribute"] {
		fqan, _, _ := strings.Cut(attribute, "/Role=NULL")
		p.fqans = append(p.fqans, fqan)
	}
	return nil
}

// String is what Alice sees of it.
func (p *proxy) String() string {
	text := fmt.Sprintf("a proxy by %s after %.1f s: %s", p.server, p.took.Seconds(), strings.Join(p.fqans, " "))
	if len(p.tried) > 0 {
		text += " (" + strings.Join(p.tried, ", ") + " did not answer)"
	}
	return text
}

// mustHave checks a proxy's server and its whole list of attributes.
func (p *proxy) mustHave(server *host, fqans ...string) error {
	if p.server != server.name {
		return fmt.Errorf("the proxy is by %s and not by %s", p.server, server.name)
	}
	if !slices.Equal(slices.Sorted(slices.Values(p.fqans)), slices.Sorted(slices.Values(fqans))) {
		return fmt.Errorf("the proxy by %s has %s and not %s", p.server, p.fqans, fqans)
	}
	return nil
}

// proxyBy lets Alice have a proxy by a server, which must have just these attributes, sooner or
// later.
func (s *site) proxyBy(ctx context.Context, server *host, fqans ...string) error {
	var p *proxy
	err := until(ctx, "a proxy by "+server.name, func(ctx context.Context) (err error) {
		if p, err = s.initProxy(ctx, server); err != nil {
			return err
		}
		return p.mustHave(server, fqans...)
	})
	if err != nil {
		return err
	}
	s.sees(p)
	return nil
}

// sees reports what Alice ran and saw.
func (s *site) sees(p *proxy) {
	s.report.ran("alice$", p.line)
	s.report.saw("%s", p)
}

// addMembership makes Alice a member of a group, as VOMS Admin does it at the server of its host.
func (s *site) addMembership(ctx context.Context, h *host, group string) error {
	line := fmt.Sprintf("mariadb --defaults-extra-file=/etc/voms-admin/database.cnf voms -e "+
		"'INSERT INTO m (userid, gid) SELECT 1, gid FROM `groups` WHERE dn = \"/%s/%s\"'", vo, group)
	_, err := h.must(ctx, line)
	return err
}

// mustRefuse checks that the server of a host refuses a write of VOMS Admin because it is
// read-only.
func (s *site) mustRefuse(ctx context.Context, h *host) error {
	err := s.addMembership(ctx, h, "production")
	if err == nil {
		return fmt.Errorf("%s takes a write", h.name)
	}
	if !strings.Contains(err.Error(), "ERROR 1290") {
		return errors.Join(errors.New("the write is not refused as to a read-only server"), err)
	}
	s.report.checked("%s refuses a write of VOMS Admin: it is read-only (error 1290)", h.name)
	return nil
}
