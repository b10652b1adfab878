package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
)

// runMain runs the program inside the test.
func runMain(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, failures bytes.Buffer
	m := gtunnel.Main{
		Args:   args,
		Stdin:  strings.NewReader(""),
		Stdout: &out,
		Stderr: &failures,
		Getenv: func(string) string { return "" },
	}
	code = m.Run(t.Context())
	return code, out.String(), failures.String()
}

// TestConfigFiles checks the files of testdata/config, in a folder that also
// holds hostcert.pem, hostkey.pem and certificates/. NAME.good.toml must
// pass, with the lines of NAME.good.txt on the standard output; NAME.bad.toml
// must fail with those of NAME.bad.txt on the standard error. A line there
// that ends in "..." stands for every line that begins so: the words are those
// of another package.
func TestConfigFiles(t *testing.T) {
	folder := t.TempDir()
	ca := newCA(t, "Test CA")
	if err := certstest.WriteCApath(filepath.Join(folder, "certificates"), ca); err != nil {
		t.Fatal(err)
	}
	host, err := ca.NewHost("server.test", certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := host.Write(folder); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)

	source := filepath.Join(packageFolder, "testdata", "config")
	files, err := filepath.Glob(filepath.Join(source, "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", source, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("gtunnel.toml", text, 0o600); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".toml") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := runMain(t, "run", "--check", "--config", "gtunnel.toml")
			wantCode, got, none := 0, stdout, stderr
			if strings.HasSuffix(name, ".bad") {
				wantCode, got, none = 2, stderr, stdout
			}
			if code != wantCode {
				t.Errorf("exit code %d, want %d", code, wantCode)
			}
			if !linesMatch(got, string(want)) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			if none != "" {
				t.Errorf("more output: %s", none)
			}
		})
	}
}

func linesMatch(got, want string) bool {
	return slices.EqualFunc(strings.Split(got, "\n"), strings.Split(want, "\n"), func(got, want string) bool {
		begin, open := strings.CutSuffix(want, "...")
		return got == want || open && strings.HasPrefix(got, begin)
	})
}

// packageFolder is where the tests of this package start.
var packageFolder = func() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return folder
}()

// FuzzConfigFile: whatever a file holds, the program says in its own way what
// is wrong with it, every line and key in its place.
func FuzzConfigFile(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.toml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "gtunnel.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// No file of this host can make it a sound one.
		code, _, stderr := runMain(t, "run", "--check", "--config", file)
		if code != 2 || !strings.HasPrefix(stderr, "gtunnel: "+file) {
			t.Errorf("exit code %d: %q", code, stderr)
		}
	})
}
