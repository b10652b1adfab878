package systemd_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestExecStart: the command lines of the units, with the flags of README.md
// and a credentials folder as systemd makes it, come up and say so.
func TestExecStart(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gtunnel")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/gtunnel/gtunnel/cmd/gtunnel").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ca, err := certstest.NewCA("Test CA", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	capath, credentials, runtime := filepath.Join(folder, "certificates"), filepath.Join(folder, "credentials"), filepath.Join(folder, "run")
	if err := certstest.WriteCApath(capath, ca); err != nil {
		t.Fatal(err)
	}
	host, err := ca.NewHost("server1.domain.one", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := host.Write(credentials)
	if err != nil {
		t.Fatal(err)
	}
	// The ACL by which systemd lets the service read it shows as the group's.
	if err := os.Chmod(key, 0o440); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(runtime, "gtunnel"), 0o700); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	for _, unit := range units {
		t.Run(unit, func(t *testing.T) {
			text, err := os.ReadFile(unit)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimSuffix(strings.TrimPrefix(unit, "gtunnel-"), ".service")
			flags := match(t, string(readme), "echo 'GTUNNEL_FLAGS=(.*)' > /etc/gtunnel/"+name+".env$")
			line := match(t, string(text), "^ExecStart=/usr/bin/gtunnel (.*)$")
			line = strings.NewReplacer("%d", credentials, "%t", runtime, "$GTUNNEL_FLAGS", flags).Replace(line)
			// What a test must not use of the real host.
			args := append(strings.Fields(line), "--capath", capath, "--accept", "127.0.0.1:0")

			socket := filepath.Join(t.TempDir(), "notify")
			systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer systemd.Close()
			cmd := exec.CommandContext(t.Context(), program, args...)
			cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "CREDENTIALS_DIRECTORY="+credentials)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				ended <- cmd.Wait()
				systemd.SetReadDeadline(time.Now()) // whoever waits for a message waits in vain
			}()
			systemd.SetReadDeadline(time.Now().Add(30 * time.Second))
			message := make([]byte, 4096)
			n, err := systemd.Read(message)
			if err != nil {
				cmd.Process.Kill()
				t.Fatalf("the service does not get ready: %v, %v\n%s", err, <-ended, stderr.String())
			}
			if got := string(message[:n]); !strings.HasPrefix(got, "READY=1\n") {
				t.Errorf("the service says %q, not that it is ready", got)
			}
			if _, err := os.Stat(filepath.Join(runtime, "gtunnel", name+".sock")); err != nil {
				t.Error(err)
			}
			cmd.Process.Signal(syscall.SIGTERM)
			if err := <-ended; err != nil {
				t.Errorf("after SIGTERM: %v\n%s", err, stderr.String())
			}
		})
	}
}

// match is what the pattern's group matches in text.
func match(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return found[1]
}
