package voms_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/voms"
)

// write writes a file below a folder and gives its path.
func write(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantFaults holds errors against the places and words of those that are wanted. Each says what
// to do.
func wantFaults(t *testing.T, faults []error, want ...string) {
	t.Helper()
	if len(faults) != len(want) {
		t.Errorf("%d faults, want %d: %v", len(faults), len(want), errors.Join(faults...))
		return
	}
	for i, fault := range faults {
		for word := range strings.SplitSeq(want[i], "|") {
			if !strings.Contains(fault.Error(), word) || !usage.Is(fault) || usage.HintOf(fault) == "" {
				t.Errorf("no %q, or no hint, in %v (%s)", word, fault, usage.HintOf(fault))
			}
		}
	}
}

func TestReadServers(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "et[c]")
	file := write(t, folder, "a/voms.conf", "# a comment\n--vo=a\n-dbname voms_a\n--username=reader\n--passfile=/p\r\n"+
		"--mysql-socket=/s\n--contactstring=h\n--mysql-port=3\n--port=15001\n--x509_user_cert=/c\n--x509_cert_dir=/d\n"+
		"--newformat\n\n--timeout=86400\n")
	write(t, folder, "b/voms.conf", "vo=b\n--vo=b\n--port=\n--logfile=/a b\n")
	write(t, folder, "c/voms.conf", "--dbname=x\n")
	servers, faults := voms.ReadServers(folder)
	want := []voms.Server{
		{
			File: file, VO: "a", Database: "voms_a", User: "reader", PasswordFile: "/p", Port: "15001", Host: "h",
			DatabasePort: "3", Socket: "/s", Cert: "/c", CApath: "/d",
		},
		{
			File: filepath.Join(folder, "b/voms.conf"), VO: "b", Database: "voms", User: "voms", Port: "754",
			Cert: "/etc/grid-security/hostcert.pem",
		},
	}
	if !slices.Equal(servers, want) {
		t.Errorf("got %+v, want %+v", servers, want)
	}
	wantFaults(t, faults, "b/voms.conf:1|is no option", "b/voms.conf:3|has no value", "b/voms.conf:4|has a space",
		"c/voms.conf|of which VO")

	_, faults = voms.ReadServers(t.TempDir())
	wantFaults(t, faults, "has no VO")
}

func TestReadVomses(t *testing.T) {
	folder := t.TempDir()
	one := write(t, folder, "vomses", `# of the VO
"a" "Server1.domain.one" "15001" "/O=Grid/CN=host/server1.domain.one" "a" "24"

  "alias"	"server2.domain.two" "15001" "/O=Grid/CN=server 2" "a"
"a" "server3" "15001" "/CN=x"
"a" "server3" "15001" "/CN=x" "a
a server3 15001 /CN=x a
"a" "" "15001" "/CN=x" "a"
`)
	many := filepath.Join(folder, "many")
	write(t, many, "a-server4", `"a" "server4" "15001" "/CN=4" "a"`)
	write(t, many, "a-server4~", "what an editor leaves")
	write(t, many, "deeper/file", "nothing of vomses")
	entries, faults := voms.ReadVomses([]string{one, filepath.Join(folder, "missing"), many})
	want := []voms.Entry{
		{
			File: one, Line: 2, Alias: "a", Host: "server1.domain.one", Port: "15001", VO: "a",
			DN: "/O=Grid/CN=host/server1.domain.one",
		},
		{File: one, Line: 4, Alias: "alias", Host: "server2.domain.two", Port: "15001", DN: "/O=Grid/CN=server 2", VO: "a"},
		{File: filepath.Join(many, "a-server4"), Line: 1, Alias: "a", Host: "server4", Port: "15001", DN: "/CN=4", VO: "a"},
	}
	if !slices.Equal(entries, want) {
		t.Errorf("got %+v, want %+v", entries, want)
	}
	wantFaults(t, faults, "vomses:5|is no line", "vomses:6|", "vomses:7|", "vomses:8|")
	if got := want[2].String(); got != `"a" "server4" "15001" "/CN=4" "a"` {
		t.Error(got)
	}
}

func TestReadLSC(t *testing.T) {
	folder := t.TempDir()
	file := write(t, folder, "x.lsc", "/O=Grid/CN=host\\/x\n/O=Grid/CN=CA\n"+voms.NextChain+"\n/CN=y\n/CN=CA\n/CN=Root\n")
	chains, faults := voms.ReadLSC(file)
	if fmt.Sprint(chains) != `[[/O=Grid/CN=host\/x /O=Grid/CN=CA] [/CN=y /CN=CA /CN=Root]]` {
		t.Errorf("got %q", chains)
	}
	wantFaults(t, faults)
	_, faults = voms.ReadLSC(write(t, folder, "bad.lsc", "\nCN=x\n/CN=CA\n"))
	wantFaults(t, faults, "bad.lsc:2|is no DN")
	_, faults = voms.ReadLSC(write(t, folder, "empty.lsc", "\n"))
	wantFaults(t, faults, "empty.lsc|is empty")
	for dn, want := range map[string]string{
		"/O=Grid/CN=host/x.y": `/O=Grid/CN=host\/x.y`, "/DC=a/CN=b c": "/DC=a/CN=b c",
		"/1.2.3=x/CN=a/b/c": `/1.2.3=x/CN=a\/b\/c`,
	} {
		if got := voms.EscapeLSC(dn); got != want {
			t.Errorf("%s: got %s, want %s", dn, got, want)
		}
	}
}

func TestReadAdmin(t *testing.T) {
	folder, deployed := t.TempDir(), filepath.Join(t.TempDir(), "vo.d")
	read := func(vo string) *voms.Admin {
		t.Helper()
		a, faults := voms.ReadAdmin(folder, deployed, vo)
		wantFaults(t, faults)
		return a
	}
	if a := read("none"); a != nil {
		t.Errorf("got %+v where there is none", a)
	}
	three := write(t, folder, "a/service.properties", "! of VOMS Admin 3\nx = \\\nvoms.readonly = no\n"+
		"voms.registration.enabled: False\nvoms.readonly=true\nvoms.readonly=false\n")
	want := voms.Admin{
		File: three, Registration: "voms.registration.enabled", RegisterLine: 4, ReadOnly: true, ReadOnlyLine: 5,
	}
	if a := read("a"); a == nil || *a != want {
		t.Errorf("got %+v, want %+v", a, want)
	}
	two := write(t, folder, "b/voms.service.properties", "voms.request.webui.enabled yes\n")
	want = voms.Admin{File: two, Registers: true, Registration: "voms.request.webui.enabled", RegisterLine: 1}
	if a := read("b"); a == nil || *a != want {
		t.Errorf("got %+v, want %+v", a, want)
	}
	write(t, deployed, "b", "")
	if a, b := read("a"), read("b"); a != nil || b == nil {
		t.Errorf("of the VOs only b is deployed: %+v, %+v", a, b)
	}
	write(t, folder, "b/voms.service.properties", "voms.request.webui.enabled perhaps\n")
	_, faults := voms.ReadAdmin(folder, deployed, "b")
	wantFaults(t, faults, "voms.service.properties:1|neither true nor false")
}

// FuzzRead reads what may be in files: whatever it is, no line is lost without a word.
func FuzzRead(f *testing.F) {
	f.Add(`"a" "b" "1" "/CN=x" "a"`)
	f.Add("--vo=a\n-port 1")
	f.Add("/CN=a\n/CN=b\n--- x\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := write(t, t.TempDir(), "file", text)
		entries, faults := voms.ReadVomses([]string{file})
		lines := 0
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				lines++
			}
		}
		if len(entries)+len(faults) != lines {
			t.Errorf("%d entries and %d faults of %d lines", len(entries), len(faults), lines)
		}
		for _, e := range entries {
			again, faults := voms.ReadVomses([]string{write(t, t.TempDir(), "again", e.String())})
			if len(faults) > 0 || len(again) != 1 || again[0].DN != e.DN || again[0].Host != e.Host {
				t.Errorf("%q is read as %+v, %v", e, again, faults)
			}
		}
		_, _ = voms.ReadServer(file)
		_, _ = voms.ReadLSC(file)
	})
}
