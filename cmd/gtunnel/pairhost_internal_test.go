package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestPairLogin: what is wrong with a file with a login at the peer is said with the flag that
// names it, and with what mends just that.
func TestPairLogin(t *testing.T) {
	t.Parallel()
	const (
		account  = "[client]\nuser=watcher\npassword=secret\n"
		neverSet = "copy it from the other host: scp -p root@b.test:FILE FILE; " +
			"only if this pair was never set up: gtunnel replication setup-master, then setup-slave"
	)
	end := tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "3307"}
	for name, test := range map[string]struct {
		content      string
		mode         os.FileMode
		says, advice string // FILE is its path
	}{
		"sound":    {account, 0o600, "", ""},
		"missing":  {"", 0, "--replication-file: open FILE: no such file", neverSet},
		"no user":  {"[client]\n", 0o600, "--replication-file: FILE does not name the account at b.test", neverSet},
		"shared":   {account, 0o644, "holds a password and can be used by others", "chmod 0600 FILE"},
		"writable": {account, 0o602, "anybody can write this option file", "chmod o-w FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "replication.cnf")
			if test.mode != 0 {
				if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file, test.mode); err != nil {
					t.Fatal(err)
				}
			}
			login, err := pairLogin("--replication-file", file, "b.test", end)
			if test.says == "" {
				if err != nil || login.User != "watcher" || login.Password.IsEmpty() || login.Address != "127.0.0.1:3307" {
					t.Errorf("%v, %v", login, err)
				}
				return
			}
			says, advice := strings.ReplaceAll(test.says, "FILE", file), strings.ReplaceAll(test.advice, "FILE", file)
			if err == nil || !usage.Is(err) || !strings.Contains(err.Error(), says) {
				t.Fatalf("%v, want %s", err, says)
			}
			if hint := usage.HintOf(err); hint != advice {
				t.Errorf("hint: %s; want %s", hint, advice)
			}
		})
	}
}
