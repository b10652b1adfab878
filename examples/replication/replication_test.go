package replication_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// The image that has MariaDB's client and a shell's tools.
const image = "gtunnel-example/database"

// TestReplication starts the example, restarts each of its containers, and
// looks at what the sites can reach of each other.
func TestReplication(t *testing.T) {
	s := start(t)
	s.rowsArrive(t, "at the start")

	t.Run("the tunnel carries it", s.tunnelCarries)
	t.Run("gtunnel is locked in", s.locked)
	t.Run("the sites are apart", s.apart)
	t.Run("secrets stay where they belong", s.secrets)

	for _, service := range []string{"master-gtunnel", "slave-gtunnel", "master-db", "slave-db"} {
		t.Run(service+" restarts", func(t *testing.T) {
			s.mustRun(t, "restart", s.container(t, service))
			s.rowsArrive(t, "after the restart of "+service)
		})
	}
	t.Run("everything stops, and up starts it again", func(t *testing.T) {
		before := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image, "/c/hostcert.pem")
		ids, err := s.list("ps", "-q")
		if err != nil || len(ids) != 4 {
			t.Fatalf("%d containers run, error %v; want 4", len(ids), err)
		}
		s.mustRun(t, append([]string{"stop"}, ids...)...)
		s.up(t)
		s.rowsArrive(t, "after a second up")
		if after := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image, "/c/hostcert.pem"); after != before {
			t.Error("the second up made new certificates; the old ones were sound")
		}
	})
}

// rowsArrive writes rows on the master and waits until the slave has all that
// the master has.
func (s *stack) rowsArrive(t *testing.T, text string) {
	t.Helper()
	const (
		insert = `INSERT INTO example.entries (text) SELECT '%s' FROM seq_1_to_100`
		all    = `SELECT COUNT(*), SUM(text = '%s'), BIT_XOR(CRC32(CONCAT_WS('#', id, made, text))) FROM example.entries`
	)
	s.eventually(t, "write on the master "+text, func() error {
		_, err := s.sql(t, "master-db", "USE example; "+fmt.Sprintf(insert, text))
		return err
	})
	want, err := s.sql(t, "master-db", fmt.Sprintf(all, text))
	if err != nil {
		t.Fatal(err)
	}
	if fields := strings.Fields(want); len(fields) != 3 || fields[1] < "1" {
		t.Fatalf("the master has %q, want rows with the text %q", want, text)
	}
	s.eventually(t, "read on the slave "+text, func() error {
		got, err := s.sql(t, "slave-db", fmt.Sprintf(all, text))
		if err == nil && got != want {
			err = fmt.Errorf("it has %q, the master has %q", got, want)
		}
		return err
	})
}

// locked looks at the gtunnel processes from inside their containers' process
// name spaces: what they may do, not what the compose file asks for.
func (s *stack) locked(t *testing.T) {
	for _, service := range []string{"master-gtunnel", "slave-gtunnel"} {
		out := s.mustRun(t, "run", "--rm", "--network", "none", "--pid", "container:"+s.container(t, service),
			"--user", "65532", "--entrypoint", "cat", image, "/proc/1/comm", "/proc/1/status", "/proc/1/mountinfo")
		lines := strings.Split(out, "\n")
		if lines[0] != "gtunnel" {
			t.Fatalf("%s: the process is %q, want gtunnel", service, lines[0])
		}
		found := map[string]string{}
		for _, line := range lines {
			if key, value, ok := strings.Cut(line, ":\t"); ok {
				found[key] = value
			} else if fields := strings.Fields(line); len(fields) > 6 && fields[4] == "/" {
				found["root"] = fields[5]
			}
		}
		const none = "0000000000000000"
		for key, want := range map[string]string{
			"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": none, "CapAmb": none,
			"NoNewPrivs": "1",
			"Uid":        "65532\t65532\t65532\t65532",
			"Gid":        "65532\t65532\t65532\t65532",
		} {
			if found[key] != want {
				t.Errorf("%s: %s is %q, want %q", service, key, found[key], want)
			}
		}
		if !slices.Contains(strings.Split(found["root"], ","), "ro") {
			t.Errorf("%s: the root file system is mounted %q, want ro", service, found["root"])
		}
	}
}

// dial tries to log in at an address from a network of the project, and gives
// what MariaDB's client says.
func (s *stack) dial(t *testing.T, network, host, port string) string {
	t.Helper()
	_, err := s.run("run", "--rm", "--network", s.project+"_"+network, "--entrypoint", "mariadb", image,
		"--host", host, "--port", port, "--user", "nobody", "--connect-timeout", "5", "-e", "SELECT 1")
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("from %s to %s:%s: %v; want a client that is turned away", network, host, port, err)
	}
	return err.Error()
}

// apart proves that a site reaches the other through the tunnel only.
func (s *stack) apart(t *testing.T) {
	address := s.mustRun(t, "inspect", "-f", `{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`, s.container(t, "master-db"))
	const (
		server = `Access denied|is not allowed to connect` // a server answered
		nobody = `Can't connect|Unknown server host|Unknown MySQL server host`
	)
	for _, test := range []struct{ network, host, port, want string }{
		{"site-master", address, "3306", server},             // a neighbour of the master
		{"site-slave", address, "3306", nobody},              // a neighbour of the slave,
		{"site-slave", "master-db", "3306", nobody},          // by name,
		{"site-slave", "tunnel", "3307", server},             // through the tunnel
		{"site-slave", "master.example.org", "3307", nobody}, // and around it
		{"internet", address, "3306", nobody},
		{"internet", "slave.example.org", "3307", nobody}, // the tunnel's plain end
	} {
		said := s.dial(t, test.network, test.host, test.port)
		if !slices.ContainsFunc(strings.Split(test.want, "|"), func(words string) bool { return strings.Contains(said, words) }) {
			t.Errorf("from %s to %s:%s: %s; want %s", test.network, test.host, test.port, said, test.want)
		}
	}

	members := map[string][]string{}
	for _, service := range []string{"master-db", "master-gtunnel", "slave-db", "slave-gtunnel"} {
		for network := range strings.FieldsSeq(s.mustRun(t, "inspect", "-f", `{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}`, s.container(t, service))) {
			network = strings.TrimPrefix(network, s.project+"_")
			members[network] = append(members[network], service)
		}
	}
	for network, want := range map[string][]string{
		"site-master": {"master-db"},
		"site-slave":  {"slave-db", "slave-gtunnel"},
		"internet":    {"master-gtunnel", "slave-gtunnel"},
	} {
		if !slices.Equal(members[network], want) {
			t.Errorf("on %s there are %v, want %v", network, members[network], want)
		}
	}
	// From the slave's own container too, not only from its network.
	_, err := s.run("exec", s.container(t, "slave-db"), "mariadb", "--host", address, "--user", "nobody", "--connect-timeout", "5", "-e", "SELECT 1")
	if err == nil || !strings.Contains(err.Error(), "Can't connect") {
		t.Errorf("from slave-db to the master's database: %v, want no connection", err)
	}
}

// secrets looks for the keys and the password where they should not be.
func (s *stack) secrets(t *testing.T) {
	for volume, want := range map[string][]string{
		"master-credentials": {"certificates", "master-gtunnel"},
		"slave-credentials":  {"certificates", "slave-gtunnel"},
		"handover":           {"master-setup", "slave-setup"},
	} {
		got, err := s.list("ps", "-a", "--filter", "volume="+s.project+"_"+volume, "--format", `{{.Label "com.docker.compose.service"}}`)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is mounted by %v (%v), want %v", volume, got, err, want)
		}
	}

	password := s.mustRun(t, "run", "--rm", "-v", s.project+"_handover:/h:ro", "--entrypoint", "cat", image, "/h/password")
	if len(password) < 32 {
		t.Fatalf("the password has %d characters, want 32 or more", len(password))
	}
	ids, err := s.list("ps", "-a", "-q")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		logs, err := exec.CommandContext(s.ctx, s.docker, "logs", id).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(logs), password) {
			t.Errorf("the password is in the log of %s", s.mustRun(t, "inspect", "-f", "{{.Name}}", id))
		}
	}
	if strings.Contains(s.mustRun(t, append([]string{"inspect"}, ids...)...), password) {
		t.Error("the password is in the description of a container")
	}
}

// tunnelCarries asks the gtunnel processes what they carry.
func (s *stack) tunnelCarries(t *testing.T) {
	for service, peer := range map[string]string{
		"master-gtunnel": "/DC=test/DC=gtunnel/O=hosts/CN=slave.example.org",
		"slave-gtunnel":  "/DC=test/DC=gtunnel/O=hosts/CN=master.example.org",
	} {
		out := s.mustRun(t, "exec", s.container(t, service), "gtunnel", "status", "--json")
		var status tunnel.AdminStatus
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			t.Fatalf("%s: gtunnel status: %v\n%s", service, err, out)
		}
		if len(status.Tunnels) != 1 || len(status.Tunnels[0].Sessions) != 1 {
			t.Fatalf("%s: want one tunnel with one session, the replication's:\n%s", service, out)
		}
		session := status.Tunnels[0].Sessions[0]
		if session.PeerDN != peer || session.BytesFromPeer == 0 || session.BytesToPeer == 0 {
			t.Errorf("%s: session is %+v, want bytes both ways with %s", service, session, peer)
		}
	}
}
