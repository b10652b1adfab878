package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// globusScript makes a CA and two hosts with Globus's own tools. They write
// to /etc/grid-security, which is another folder here than elsewhere.
const globusScript = `
set -eu
mkdir -p "$SITE/etc" "$SITE/master" "$SITE/slave"
mount --bind "$SITE/etc" /etc/grid-security
grid-ca-create -noint -nobuild -dir "$SITE/ca" -subject 'cn=Simple CA,ou=gtunnel,o=Grid' \
	-bits 2048 -days 30 -pass globus
hash=$(openssl x509 -noout -hash -in "$SITE/ca/cacert.pem")
for host in master slave; do
	grid-cert-request -ca "$hash" -host "$host.grid.test" -dir "$SITE/$host" -force
	grid-ca-sign -dir "$SITE/ca" -in "$SITE/$host/hostcert_request.pem" -out "$SITE/$host/hostcert.pem" -passin pass:globus
done
`

// needGlobus skips a test where Globus's tools cannot run.
func needGlobus(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: needs Globus's tools and a namespace")
	}
	for _, tool := range []string{"grid-ca-create", "grid-cert-request", "grid-ca-sign", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing: .ci/install igtf", tool)
			}
			t.Skipf("%s is not installed (.ci/install igtf)", tool)
		}
	}
	if err := exec.Command("unshare", "--mount", "true").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("unshare --mount: %v", err)
		}
		t.Skipf("unshare --mount is not allowed here, and Globus's tools write to /etc: %v", err)
	}
}

// TestGlobusSimpleCA carries data between hosts whose certificates a Globus
// CA issued: CN=host/name, and no subjectAltName, keyUsage or extKeyUsage.
func TestGlobusSimpleCA(t *testing.T) {
	t.Attr("needs", "globus")
	needGlobus(t)
	folder := t.TempDir()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", globusScript)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "SITE="+folder, "HOME="+folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("Globus's tools: %v\n%s", err, out)
	}

	at := func(host string) identity {
		return identity{cert: filepath.Join(folder, host, "hostcert.pem"), key: filepath.Join(folder, host, "hostkey.pem")}
	}
	s := &site{
		t: t, folder: folder, capath: filepath.Join(folder, "etc", "certificates"), server: at("master"), client: at("slave"),
	}
	b := startBackend(t)
	server, address := s.startServer(b.address(), "--allow-host", "slave.grid.test")
	_, local := s.startClient(address, "--server-name", "master.grid.test")
	echo(t, dial(t, local), "through a tunnel of Globus certificates")
	if line := server.waitMessage("peer verified"); !strings.Contains(line.text,
		"/O=Grid/OU=gtunnel/CN=host/slave.grid.test") {
		t.Errorf("the slave is not named by its DN: %s", line.text)
	}
	if accepted := b.accepted.Load(); accepted != 1 {
		t.Errorf("the target was reached %d times, want once", accepted)
	}

	// The CA may sign what its signing policy says and nothing else.
	policies, err := filepath.Glob(filepath.Join(s.capath, "*.signing_policy"))
	if err != nil || len(policies) != 1 {
		t.Fatalf("signing policies: %v, %v", policies, err)
	}
	text, err := os.ReadFile(policies[0])
	if err != nil {
		t.Fatal(err)
	}
	narrow := strings.ReplaceAll(string(text), "/O=Grid/OU=gtunnel/", "/O=Grid/OU=elsewhere/")
	narrow = strings.ReplaceAll(narrow, "/O=Grid/OU=elsewhere/CN=Simple CA", "/O=Grid/OU=gtunnel/CN=Simple CA")
	if narrow == string(text) {
		t.Fatalf("the signing policy names no namespace:\n%s", text)
	}
	if err := os.WriteFile(policies[0], []byte(narrow), 0o644); err != nil {
		t.Fatal(err)
	}
	refusing, address := s.startServer(b.address(), "--allow-host", "slave.grid.test")
	_, local = s.startClient(address, "--server-name", "master.grid.test", "--namespaces", "ignore")
	dialToEnd(t, local, "")
	if line := refusing.waitMessage("peer refused"); line.field("code") != "policy-denied" {
		t.Errorf("refused with %q, want policy-denied: %s", line.field("code"), line.text)
	}
}
