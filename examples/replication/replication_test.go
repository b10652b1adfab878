package replication_test

import (
	"encoding/json"
	"fmt"
	"maps"
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
		before := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image,
			"/c/hostcert.pem")
		ids, err := s.list("ps", "-q")
		if err != nil || len(ids) != 4 {
			t.Fatalf("%d containers run, error %v; want 4", len(ids), err)
		}
		s.mustRun(t, append([]string{"stop"}, ids...)...)
		s.up(t)
		s.rowsArrive(t, "after a second up")
		if after := s.mustRun(t, "run", "--rm", "-v", s.project+"_slave-credentials:/c:ro", "--entrypoint", "cat", image,
			"/c/hostcert.pem"); after != before {
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
	var total, fresh int
	if _, err := fmt.Sscan(want, &total, &fresh); err != nil || fresh < 100 {
		t.Fatalf("the master has %q (%v), want 100 rows or more with the text %q", want, err, text)
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

// address gives the IP address of a service's container in a network.
func (s *stack) address(t *testing.T, service, network string) string {
	t.Helper()
	return s.mustRun(t, "inspect", "-f",
		fmt.Sprintf(`{{(index .NetworkSettings.Networks "%s_%s").IPAddress}}`, s.project, network),
		s.container(t, service))
}

// apart proves that a site reaches the other through the tunnel only.
func (s *stack) apart(t *testing.T) {
	members := map[string][]string{}
	for _, service := range []string{"master-db", "master-gtunnel", "slave-db", "slave-gtunnel"} {
		networks := s.mustRun(t, "inspect", "-f", `{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}`,
			s.container(t, service))
		for name := range strings.FieldsSeq(networks) {
			name = strings.TrimPrefix(name, s.project+"_")
			members[name] = append(members[name], service)
		}
	}
	want := map[string][]string{
		"site-master": {"master-db"},
		"site-slave":  {"slave-db", "slave-gtunnel"},
		"internet":    {"master-gtunnel", "slave-gtunnel"},
	}
	if !maps.EqualFunc(members, want, slices.Equal[[]string]) {
		t.Errorf("on the networks there are %v, want %v", members, want)
	}

	// Each tries to log in as somebody whom no database knows.
	const (
		answered = "Access denied|is not allowed to connect" // by a database
		nobody   = "Can't connect"
	)
	from := func(network string) []string {
		return []string{"run", "--rm", "--network", s.project + "_" + network, "--entrypoint", "mariadb", image}
	}
	database := s.address(t, "master-db", "site-master")
	for name, test := range map[string]struct {
		client     []string
		host, port string
		want       string
	}{
		"a neighbour of the master":                    {from("site-master"), database, "3306", answered},
		"a neighbour of the slave, through the tunnel": {from("site-slave"), "tunnel", "3307", answered},
		"a neighbour of the slave, directly":           {from("site-slave"), database, "3306", nobody},
		"a neighbour of the slave, around its tunnel": {
			from("site-slave"), s.address(t, "master-gtunnel", "internet"),
			"3307", nobody,
		},
		"the slave, directly": {
			[]string{"exec", s.container(t, "slave-db"), "mariadb"},
			database,
			"3306", nobody,
		},
		"the internet, directly":                 {from("internet"), database, "3306", nobody},
		"the internet, by the slave's plain end": {from("internet"), "slave.example.org", "3307", nobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := s.run(append(test.client, "--host", test.host, "--port", test.port, "--user", "nobody",
				"--connect-timeout", "10", "-e", "SELECT 1")...)
			if err == nil {
				t.Fatal("the login succeeded")
			}
			if !slices.ContainsFunc(strings.Split(test.want, "|"),
				func(words string) bool { return strings.Contains(err.Error(), words) }) {
				t.Errorf("%v; want %s", err, test.want)
			}
		})
	}
}

// secrets looks for the keys and the password where they should not be.
func (s *stack) secrets(t *testing.T) {
	for volume, want := range map[string][]string{
		"master-credentials": {"certificates", "master-gtunnel"},
		"slave-credentials":  {"certificates", "slave-gtunnel"},
		"handover":           {"master-setup", "slave-setup"},
	} {
		got, err := s.list("ps", "-a", "--filter", "volume="+s.project+"_"+volume, "--format",
			`{{.Label "com.docker.compose.service"}}`)
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

// tunnelCarries asks the gtunnel processes what they carry: the replication's
// session, and nothing else.
func (s *stack) tunnelCarries(t *testing.T) {
	for service, peer := range map[string]string{
		"master-gtunnel": "/DC=test/DC=gtunnel/O=hosts/CN=slave.example.org",
		"slave-gtunnel":  "/DC=test/DC=gtunnel/O=hosts/CN=master.example.org",
	} {
		s.eventually(t, "gtunnel status of "+service, func() error {
			out, err := s.run("exec", s.container(t, service), "gtunnel", "status", "--json")
			if err != nil {
				return err
			}
			var status tunnel.AdminStatus
			if err := json.Unmarshal([]byte(out), &status); err != nil {
				return err
			}
			if len(status.Tunnels) != 1 || len(status.Tunnels[0].Sessions) != 1 {
				return fmt.Errorf("want one tunnel with one session, have %s", out)
			}
			session := status.Tunnels[0].Sessions[0]
			if session.PeerDN != peer || session.BytesFromPeer == 0 || session.BytesToPeer == 0 {
				return fmt.Errorf("session is %+v, want bytes both ways with %s", session, peer)
			}
			return nil
		})
	}
}
