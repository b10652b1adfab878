package monitoring_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestRules runs the page's check of the configuration and the rules, of which each has a test.
func TestRules(t *testing.T) {
	t.Parallel()
	require(t, "promtool")
	var commands []string
	for block := range blocks(t) {
		if strings.HasPrefix(block, "promtool ") {
			commands = append(commands, block)
		}
	}
	if len(commands) != 1 {
		t.Fatalf("README.md has %d blocks of promtool", len(commands))
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-ec", commands[0]).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	tests := read(t, "rules_test.yml")
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "rules.yml"), -1) {
		if !regexp.MustCompile(`alertname: ` + alert[1] + `\n +exp_alerts:`).MatchString(tests) {
			t.Errorf("no test raises %s", alert[1])
		}
	}
}

// TestWatched watches a real replication through a real tunnel by all that is here: each query
// of the dashboard gives data, each rule can be evaluated, and the plugin's lines run as they are
// written.
func TestWatched(t *testing.T) {
	t.Parallel()
	require(t, "prometheus", "mariadbd")
	l := newLab(t)
	p := startPrometheus(l)
	t.Run("plugin", func(t *testing.T) { tryPlugin(t, l) })
	t.Run("README", func(t *testing.T) { tryPage(t, l) })
	t.Run("dashboard", func(t *testing.T) {
		queries := dashboard(t)
		l.until("data for each query of the dashboard", func() (string, bool) {
			l.stir()
			queries = slices.DeleteFunc(queries, p.hasData)
			return strings.Join(queries, "\n"), len(queries) == 0
		})
	})
	t.Run("rules", func(t *testing.T) {
		l.until("rules that were evaluated", func() (string, bool) {
			text := p.rules(t)
			return text, strings.Contains(text, `"health":"ok"`) && !strings.Contains(text, `"health":"unknown"`) &&
				!strings.Contains(text, `"health":"err"`)
		})
	})
}

// stir makes what a dashboard shows: connections that end, and one that is refused.
func (l *lab) stir() {
	l.t.Helper()
	l.sql(l.master, "INSERT IGNORE INTO voms.t SELECT MAX(a) + 1 FROM voms.t")
	for _, port := range []string{l.door, l.entrance} {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			l.t.Fatal(err)
		}
		if port == l.door {
			fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n") // no TLS
		}
		conn.Read(make([]byte, 1)) // MariaDB's greeting, or the end
		conn.Close()
	}
}

// prometheus is one that scrapes by prometheus.yml.
type prometheus struct{ address string }

func startPrometheus(l *lab) *prometheus {
	l.t.Helper()
	port := freePort(l.t)
	// What differs in a test: the ports, and how long it takes.
	scraping := strings.NewReplacer("127.0.0.1:9307", "127.0.0.1:"+l.tunnelPort, "127.0.0.1:9308", "127.0.0.1:"+l.watcher,
		"scrape_interval: 30s", "scrape_interval: 1s").Replace(read(l.t, "prometheus.yml"))
	l.write("prometheus.yml", "global: {evaluation_interval: 1s}\n"+scraping, 0o600)
	l.write("rules.yml", read(l.t, "rules.yml"), 0o600)
	l.start("prometheus", "--config.file="+filepath.Join(l.folder, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(l.folder, "tsdb"), "--web.listen-address=127.0.0.1:"+port, "--log.level=warn")
	l.waitPort(port)
	return &prometheus{address: "http://127.0.0.1:" + port}
}

// rules gives what Prometheus says of its rules.
func (p *prometheus) rules(t *testing.T) string {
	t.Helper()
	response, err := http.Get(p.address + "/api/v1/rules")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hasData reports whether a query gives something. What is not a number is nothing.
func (p *prometheus) hasData(query string) bool {
	response, err := http.PostForm(p.address+"/api/v1/query", url.Values{"query": {query}})
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return false
	}
	for _, series := range answer.Data.Result {
		if series.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// dashboard gives the queries as Grafana sends them.
func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("the panel %s asks nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, strings.NewReplacer("$instance", ".*", "$__rate_interval", "1m").Replace(target.Expr))
		}
	}
	if len(queries) < 15 {
		t.Fatalf("%d queries", len(queries))
	}
	return queries
}

// performance is a line as the Nagios Plugins Development Guidelines have it.
var performance = regexp.MustCompile(
	`^REPLICATION (OK|WARNING) - [^|\n]+ \| ([a-z]+=-?[0-9.]+(s|B)?(;[0-9.]*){3} ?)+\n$`)

// tryPlugin runs the command lines of nagios.cfg, icinga2.conf and the page, which are those
// that the file sudoers lets through.
func tryPlugin(t *testing.T, l *lab) {
	t.Helper()
	allowed := found(t, "sudoers", `NOPASSWD: (.+)`)
	icinga := strings.Join(strings.Fields(strings.NewReplacer(`"`, "", ",", "").Replace(
		found(t, "icinga2.conf", `command = \[([^\]]+)\]`))), " ")
	for file, line := range map[string]string{
		"nagios.cfg": found(t, "nagios.cfg", `command_line +(.+/gtunnel .+)`), "icinga2.conf": icinga,
		"nrpe.cfg": found(t, "nagios.cfg", `command\[\w+\]=(.+)`), "README.md": "/usr/bin/sudo -n /usr/bin/" +
			found(t, "README.md", `(?m)^(gtunnel replication status --nagios.*)$`),
	} {
		line, sudo := strings.CutPrefix(line, "/usr/bin/sudo -n ")
		if !sudo || line != allowed {
			t.Errorf("%s runs\n%s, and sudo lets through\n%s", file, line, allowed)
		}
	}
	args := append(strings.Fields(allowed)[1:], l.logins()...)
	out, err := exec.CommandContext(t.Context(), l.gtunnel, args...).Output()
	if !performance.Match(out) || !strings.Contains(string(out), " lag=0s;60;600;0 ") {
		t.Errorf("%v: %q", err, out)
	}
}

// tryPage runs the page's commands that ask the ports.
func tryPage(t *testing.T, l *lab) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for block := range blocks(t) {
		if !strings.Contains(block, "curl ") {
			continue
		}
		tried++
		block = strings.NewReplacer("9307", l.tunnelPort, "9308", l.watcher, "/var/lib/prometheus/node-exporter", l.folder).
			Replace(block)
		out, err := exec.CommandContext(t.Context(), "sh", "-ec", block).CombinedOutput()
		asked := !strings.HasPrefix(block, "curl") || strings.Contains(string(out), "gtunnel_replication_lag_seconds 0")
		if err != nil || !asked {
			t.Errorf("%v:\n%s\n%s", err, block, out)
		}
	}
	text := read(t, filepath.Join(l.folder, "gtunnel.prom"))
	if tried != 2 || !strings.Contains(text, "gtunnel_accepting") || !strings.Contains(text, "mysql_up 1") {
		t.Errorf("%d blocks of the page, and\n%s", tried, text)
	}
}

// blocks are the commands of the page.
func blocks(t *testing.T) func(yield func(string) bool) {
	t.Helper()
	parts := strings.Split(read(t, "README.md"), "```\n")
	return func(yield func(string) bool) {
		for i := 1; i < len(parts) && yield(parts[i]); i += 2 {
		}
	}
}

// found is what a pattern's group matches in a file.
func found(t *testing.T, file, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
	if match == nil {
		t.Fatalf("nothing in %s matches %s", file, pattern)
	}
	return match[1]
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
