package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// caScript makes a CA by Globus's own tools, and its certificates: of the hosts, as old grid
// certificates are, with CN=host/NAME and no subjectAltName, and of a user.
const caScript = `
set -eu
grid-ca-create -noint -nobuild -dir /var/lib/ca -subject 'cn=Simple CA,ou=gtunnel,o=Grid' \
	-bits 2048 -days 30 -pass globus
hash=$(openssl x509 -noout -hash -in /var/lib/ca/cacert.pem)
sign() { grid-ca-sign -dir /var/lib/ca -in "$1_request.pem" -out "$1.pem" -passin pass:globus; }
for host in server1.domain.one server2.domain.two; do
	grid-cert-request -ca "$hash" -host "$host" -dir "/var/lib/ca/$host" -force
	sign "/var/lib/ca/$host/hostcert"
done
echo 'alice:x:31001:31001::/home/alice:/bin/sh' >> /etc/passwd
echo 'alice:x:31001:' >> /etc/group
install -d -o alice -g alice /home/alice
grid-cert-request -ca "$hash" -cn 'Alice Example' -dir /home/alice/.globus -nopw -force
sign /home/alice/.globus/usercert
chown -R alice: /home/alice
`

// makeCA makes the CA and hands out what it has issued.
func (s *site) makeCA(ctx context.Context) error {
	if out, err := s.ui.try(ctx, caScript); err != nil {
		return fmt.Errorf("the tools of Globus's CA: %w\n%s", err, out)
	}
	for _, h := range s.servers() {
		issued := s.ui.path("var/lib/ca/" + h.name)
		for _, pair := range [][2]string{
			{issued + "/hostcert.pem", h.path("etc/grid-security/hostcert.pem")},
			{issued + "/hostkey.pem", h.path("etc/grid-security/hostkey.pem")},
			{s.ui.path("etc/grid-security/certificates"), h.path("etc/grid-security")},
		} {
			if out, err := exec.CommandContext(ctx, "cp", "-a", pair[0], pair[1]).CombinedOutput(); err != nil {
				return fmt.Errorf("hand out certificates: %w: %s", err, out)
			}
		}
	}
	for _, file := range []string{
		s.server1.path("etc/grid-security/hostcert.pem"), s.server2.path("etc/grid-security/hostcert.pem"),
		s.ui.path("home/alice/.globus/usercert.pem"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		show := exec.CommandContext(ctx, "openssl", "x509", "-noout", "-subject", "-nameopt", "compat")
		show.Stdin = strings.NewReader(string(text))
		out, err := show.Output()
		if err != nil {
			return fmt.Errorf("openssl x509: %w", err)
		}
		s.report.printed(strings.TrimSpace(string(out)))
	}
	return nil
}
