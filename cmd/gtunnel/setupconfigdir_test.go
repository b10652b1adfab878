package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// slaveIdentity asks for the server_id, which setup-slave makes another than the master's, and
// for read_only.
const slaveIdentity = "SELECT CONCAT(@@GLOBAL.server_id, ' ', @@read_only + 0)"

// TestConfigDir: servers that read another directory, too, which gtunnel would
// not choose itself. It finds its file there without being told again.
func TestConfigDir(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		keep := "expire_logs_days"
		if kind.IsMySQL() {
			keep = "binlog_expire_logs_seconds"
		}
		p.sql(p.master, "SET GLOBAL "+keep+"=1") // what setup-master will not leave so
		args := map[*servertest.Server][]string{
			p.master: p.setupMasterArgs("--databases", "voms"), p.slave: p.setupSlaveArgs(),
		}
		// Where the same path is another directory for the server, nothing is written.
		elsewhere := p.command(p.master, append(args[p.master], "--dry-run")...)
		elsewhere.Args = append([]string{
			"unshare", "--mount", "sh", "-c", `mount -t tmpfs none "$0" && exec "$@"`, p.master.ConfigDir, elsewhere.Path,
		}, elsewhere.Args[1:]...)
		elsewhere.Path, elsewhere.Err = exec.LookPath("unshare")
		elsewhere.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.folder}
		if out, err := elsewhere.CombinedOutput(); err != nil && os.Getuid() != 0 {
			t.Logf("not root: %s", out)
		} else if err != nil || !strings.Contains(string(out), "no directory is known") ||
			strings.Contains(string(out), "zz-gtunnel.cnf") {
			t.Errorf("in another mount namespace: %v:\n%s", err, out)
		}
		both, before := []*servertest.Server{p.master, p.slave}, ""
		for _, s := range both {
			folder := filepath.Join(s.Dir, "other.d")
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(s.OptionFile())
			if err != nil {
				t.Fatal(err)
			}
			include := "!includedir " + s.ConfigDir // the last is chosen otherwise
			text = bytes.Replace(text, []byte(include), []byte("!includedir "+folder+"\n"+include), 1)
			if err := os.WriteFile(s.OptionFile(), text, 0o644); err != nil {
				t.Fatal(err)
			}
			p.must(s, append(args[s], "--config-dir", folder)...)
			if _, err := os.Stat(filepath.Join(folder, "zz-gtunnel.cnf")); err != nil {
				t.Error(err)
			}
			p.noChange(s, args[s]...)
			before = p.value(s, slaveIdentity) // in the end the slave's
		}
		for _, s := range both {
			p.restart(s)
		}
		for _, s := range both {
			p.noChange(s, append(args[s], "--config-dir", filepath.Join(s.Dir, "other.d"))...)
			p.noChange(s, args[s]...)
			if files, err := os.ReadDir(s.ConfigDir); err != nil || len(files) > 0 {
				t.Errorf("%s: in the directory that was not named: %v, %v", s.Name, files, err)
			}
		}
		if v := p.value(p.master, "SELECT @@GLOBAL."+keep); v == "1" {
			t.Errorf("%s=%s after the restart", keep, v)
		}
		if v := p.value(p.slave, slaveIdentity); v != before || !strings.HasSuffix(v, " 1") || strings.HasPrefix(v, "1 ") {
			t.Errorf("server_id and read_only of the slave were %s, and are %s after the restart", before, v)
		}
		p.sql(p.master, "INSERT INTO iam.t VALUES (1)")
		p.replicates()
	})
}
