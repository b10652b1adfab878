package optionfile_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// optionFile has a line for each rule of option files.
const optionFile = `# a comment
; another
   [client]
password="a#b"  # not in quotes
user = it's#x
host=x\sy\q\\z\
port
 socket  =  ' /a b '
default_character-set=utf8
[ client ]
user=not in the group client
[mysql ] rest
empty=
quote="
both="'a' \"b\""
=5
umlaut = ` + "\xc3\xa0" + `
! frobnicate
`

func TestParseOptions(t *testing.T) {
	got, err := optionfile.Parse(optionFile + "! include\t a.cnf \r\n!includedir /etc/my.cnf.d\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []optionfile.Option{
		{Line: 4, Group: "client", Key: "password", Value: "a#b"},
		{Line: 5, Group: "client", Key: "user", Value: "it's#x"},
		{Line: 6, Group: "client", Key: "host", Value: `x y\q\z\`},
		{Line: 7, Group: "client", Key: "port", Bare: true},
		{Line: 8, Group: "client", Key: "socket", Value: " /a b "},
		{Line: 9, Group: "client", Key: "default-character-set", Value: "utf8"},
		{Line: 11, Group: " client", Key: "user", Value: "not in the group client"},
		{Line: 13, Group: "mysql", Key: "empty"},
		{Line: 14, Group: "mysql", Key: "quote", Value: `"`},
		{Line: 15, Group: "mysql", Key: "both", Value: `'a' "b"`},
		{Line: 16, Group: "mysql", Value: "5"},
		{Line: 17, Group: "mysql", Key: "umlaut", Value: "\xc3"}, // à loses its space, as in mysql
		{Line: 19, Group: "mysql", Key: "!include", Value: "a.cnf"},
		{Line: 20, Group: "mysql", Key: "!includedir", Value: "/etc/my.cnf.d"},
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("option %d of\n%+v\nwant\n%+v", i, got, want)
		}
	}
}

func TestParseOptionsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\nuser=a\n":              "line 2: an option stands before the first [group]",
		"[client\n":               "line 1: the group has no closing bracket",
		"[client]\n!include \n":   "line 2: !include names nothing",
		"[client]\n\n!includedir": "line 3: !includedir names nothing",
	} {
		_, err := optionfile.Parse(text)
		if e, ok := errors.AsType[*optionfile.Error](err); !ok || e.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// printDefaults gives what the servers' own program reads of a group.
func printDefaults(t *testing.T, text, group string) []string {
	t.Helper()
	program, err := exec.LookPath("my_print_defaults")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("my_print_defaults is missing: .ci/install mariadb")
		}
		t.Skip("my_print_defaults is not installed (.ci/install mariadb)")
	}
	file := filepath.Join(t.TempDir(), "my.cnf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "--defaults-file="+file, group).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// TestParseOptionsLikeTheServers reads the same file with MariaDB's own parser.
func TestParseOptionsLikeTheServers(t *testing.T) {
	password := "it's #1 \\ of \"them\" \xa0"
	text := optionFile + "quoted=" + optionfile.Quote(password) + "\n"
	options, err := optionfile.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"client", "mysql"} {
		var got []string
		for _, o := range options {
			if o.Group != group {
				continue
			}
			line := "--" + o.Key
			if !o.Bare {
				line += "=" + o.Value
			}
			got = append(got, line)
		}
		want := printDefaults(t, text, group)
		for i := range want {
			key, value, assigned := strings.Cut(want[i], "=")
			if want[i] = strings.ReplaceAll(key, "_", "-"); assigned {
				want[i] += "=" + value
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("[%s]: %q, my_print_defaults gives %q", group, got, want)
		}
	}
}

// FuzzOptions reads back what was written, and whatever text there is.
func FuzzOptions(f *testing.F) {
	f.Add("", optionFile)
	f.Add(`"`, "[x]\ny")
	f.Add("it's #1 \\", "[x\n")
	f.Add("\r\n\t\b\xa0\\s\\", "!include\n")
	f.Add("'quoted'", "=")
	f.Fuzz(func(t *testing.T, value, text string) {
		_, _ = optionfile.Parse(text) // it must not panic
		if strings.Contains(value, "\x00") {
			t.Skip("no value can hold it")
		}
		options, err := optionfile.Parse("[client]\npassword = " + optionfile.Quote(value) + " # comment\n")
		if err != nil {
			t.Fatal(err)
		}
		if len(options) != 1 || options[0].Value != value {
			t.Fatalf("%q was read as %+v", value, options)
		}
	})
}
