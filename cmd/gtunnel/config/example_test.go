package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// readExample reads the example after change.
func readExample(t *testing.T, change func(string) string) (config.Config, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	if err := os.WriteFile(file, []byte(change(config.Example())), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var found string
	for _, fault := range c.Faults() {
		found += words(fault)
	}
	return c, found
}

// TestExample: as it is, the example says what is to be filled in, and nothing else.
func TestExample(t *testing.T) {
	_, found := readExample(t, func(text string) string { return text })
	want := "gtunnel.toml: no tunnel is configured\nhint: add [pair] with hosts, or a section such as [tunnel.mysql]"
	if !strings.Contains(found, want) || strings.Count(found, "\n") != 2 {
		t.Errorf("want %q, got %q", want, found)
	}
	for line := range strings.Lines(config.Example()) {
		if len(line) > 81 {
			t.Errorf("%d characters: %s", len(line)-1, line)
		}
	}
}

// sample is the example with the # taken away from keys, by their lines.
type sample struct{ lines []string }

func newSample() sample { return sample{strings.Split(config.Example(), "\n")} }

var exampleKey = regexp.MustCompile(`^#(\[[a-z.]+\]|[a-z_]+ = .*)$`)

// use takes the # away from the lines of a section that wanted picks.
func (s sample) use(section string, wanted func(line string) bool) {
	within := ""
	for i, line := range s.lines {
		if header := strings.TrimPrefix(line, "#"); strings.HasPrefix(header, "[") {
			within = header
		}
		if within == section && exampleKey.MatchString(line) && wanted(line) {
			s.lines[i] = line[1:]
		}
	}
}

func (s sample) text(string) string { return strings.Join(s.lines, "\n") }

// needed are the lines without which a section is not read at all.
func needed(line string) bool {
	return strings.HasPrefix(line, "#[") || strings.HasPrefix(line, "#role") || strings.HasPrefix(line, "#hosts") ||
		strings.HasPrefix(line, "#allow_host") || strings.HasPrefix(line, `#connect = ["server1`)
}

// problems are those that the file itself is to blame for, and not what this host lacks.
func problems(found string) string {
	if strings.Contains(found, "gtunnel.toml:") && !strings.Contains(found, "no tunnel is configured") {
		return found
	}
	return ""
}

// TestExampleLines: each key of the example is read where it stands, with what its section cannot
// do without.
func TestExampleLines(t *testing.T) {
	section, tried := "", 0
	for n, line := range newSample().lines {
		if header := strings.TrimPrefix(line, "#"); strings.HasPrefix(header, "[") {
			section = header
		}
		if !exampleKey.MatchString(line) {
			continue
		}
		s := newSample()
		s.use(section, needed)
		s.lines[n] = line[1:]
		if _, found := readExample(t, s.text); problems(found) != "" {
			t.Errorf("%s %s: %s", section, line, found)
		}
		tried++
	}
	if tried < 60 {
		t.Errorf("%d keys", tried)
	}
}

// withoutDefault are the keys whose values are examples.
var withoutDefault = regexp.MustCompile(`; without it:(?s).*`)

// TestExampleDefaults: where the example does not say what is so without a key, its value is the
// default: with the # taken away from all these keys, nothing changes.
func TestExampleDefaults(t *testing.T) {
	got, found := readExample(t, func(string) string {
		s := newSample()
		meaning := ""
		for i, line := range s.lines {
			switch {
			case strings.HasPrefix(line, "# "):
				meaning += line
			case exampleKey.MatchString(line) && (needed(line) || !withoutDefault.MatchString(meaning)):
				s.lines[i] = line[1:]
				fallthrough
			default:
				meaning = ""
			}
		}
		text := regexp.MustCompile(`(?ms)^\[pair\]$.*?\n\n`).ReplaceAllString(s.text(""), "\n")
		return strings.Replace(text, `"127.0.0.1:3307"`, `"127.0.0.1:3308"`, 1) // both at once: not at one port
	})
	if found != "" {
		t.Fatalf("the example with all its keys: %s", found)
	}
	want := config.New("run")
	want.Tunnels = []config.Tunnel{config.NewTunnel("mysql", tunnel.Server), config.NewTunnel("master", tunnel.Client)}
	for i := range want.Tunnels {
		want.Tunnels[i].Complete()
	}
	want.Tunnels[0].AllowHost = []string{"server2.domain.two"}
	want.Tunnels[1].Accept.Port = "3308"
	want.Tunnels[1].Connect = got.Tunnels[1].Connect // there is none by default
	if !reflect.DeepEqual(got.Tunnels, want.Tunnels) {
		t.Errorf("tunnels %+v, want %+v", got.Tunnels, want.Tunnels)
	}
	if got.LogLevel != want.LogLevel || got.LogFormat != want.LogFormat || got.ReloadInterval != want.ReloadInterval ||
		got.LogFile != "" || got.User != "" || got.Landlock != want.Landlock {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestExamplePair: all keys of [pair] are read together. What is wrong is the certificate, which
// this host lacks.
func TestExamplePair(t *testing.T) {
	got, found := readExample(t, func(string) string {
		s := newSample()
		s.use("[pair]", func(string) bool { return true })
		return s.text("")
	})
	if got.Pair == nil || len(got.Tunnels) != 2 || problems(found) != "" || len(got.Pair.Slaves) != 1 {
		t.Errorf("%+v: %s", got.Pair, found)
	}
}
