package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// said is what is wrong with a file: with reading it, or in it.
func said(file string) error {
	c, err := config.Read(file)
	if err != nil {
		return err
	}
	return usage.Join(c.Faults())
}

// words are the errors, each on a line, with its hint on the next.
func words(err error) string {
	var b strings.Builder
	for _, err := range usage.Split(err) {
		fmt.Fprintf(&b, "%v\nhint: %s\n", err, usage.HintOf(err))
	}
	return b.String()
}

func TestReadUnreadable(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.toml")
	if err := os.WriteFile(large, bytes.Repeat([]byte("# nothing\n"), 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(folder, "fifo.toml")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(folder, "none.toml"): "no such file or directory\nhint: write one, or name another with --config",
		folder: "is a directory\nhint: name the file in it: --config " +
			filepath.Join(folder, "gtunnel.toml"),
		large:       "is larger than 64 KiB\nhint: is it a configuration file of gtunnel?",
		fifo:        "is no regular file\nhint: write the configuration into a file",
		"/dev/null": "is no regular file\nhint: write the configuration into a file",
	} {
		err := said(file)
		if text := words(err); !usage.Is(err) || !strings.Contains(text, file) || !strings.Contains(text, want) {
			t.Errorf("%s: %s", file, text)
		}
	}
}

// TestReadLarge: whatever fills a file up to its limit, it is read
// without delay, and the line of the wrong key after it is right.
func TestReadLarge(t *testing.T) {
	for name, shape := range map[string]struct{ begin, line, end string }{
		"comments":         {"", "# nothing\n", ""},
		"keys":             {"", "#\nx%d = 1\n", ""},
		"sections":         {"", "[tunnel.t%d]\nrole = 'server'\n", ""},
		"a list":           {"x = [\n", "%d,\n", "]\n"},
		"a string":         {"x = '''\n", "[%d]\n", "'''\n"},
		"strings in lists": {"x = [\n", "\"\"\"\n] # %d\n\"\"\",\n", "]\n"},
		"tables in a list": {"x = [\n", "{ a = [\n%d] },\n", "]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString(shape.begin)
			for n := 0; text.Len() < 60<<10; n++ {
				text.WriteString(strings.ReplaceAll(shape.line, "%d", strconv.Itoa(n)))
			}
			text.WriteString(shape.end + "[log]\nunheard = 'of'\n")
			file := filepath.Join(t.TempDir(), "gtunnel.toml")
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			results := make(chan error, 1)
			go func() { results <- said(file) }()
			select {
			case err := <-results:
				want := fmt.Sprintf("%s:%d: log.unheard: unknown key\n", file, strings.Count(text.String(), "\n"))
				if !usage.Is(err) || !strings.Contains(words(err), want) {
					t.Errorf("want the line %q in %.2000s", want, words(err))
				}
			case <-time.After(30 * time.Second):
				t.Fatal("it takes too long")
			}
		})
	}
}

// BenchmarkRead reads a file of the largest size.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for n := 0; text.Len() < 63<<10; n++ {
		fmt.Fprintf(&text, "#\nx%d = 1\n", n)
	}
	file := filepath.Join(b.TempDir(), "gtunnel.toml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if said(file) == nil {
			b.Fatal("nothing is wrong with it")
		}
	}
}
