package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=1.2.3); empty in a build by
// other means.
var version string

// buildVersion says which program this is.
type buildVersion struct {
	Version string // of the tag, or the module's pseudo-version
	Commit  string // may be empty; "modified" is appended if files were changed
	Go      string
}

// thisBuild reads what the linker and the Go toolchain left in the program.
func thisBuild() buildVersion {
	v := buildVersion{Version: version, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "devel"
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	if v.Commit != "" {
		v.Commit += modified
	}
	return v
}

// String is what gtunnel version prints.
func (v buildVersion) String() string {
	commit := v.Commit
	if commit == "" {
		commit = "unknown"
	}
	return fmt.Sprintf("gtunnel %s\ncommit  %s\nbuilt   with %s\n", v.Version, commit, v.Go)
}

func (m *Main) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Prints the version, the commit and the Go version",
		Example: "  gtunnel version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(m.Stdout, thisBuild())
			return err
		},
	}
}
