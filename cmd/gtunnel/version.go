package main

import (
	"crypto/fips140"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// version is set by the linker (-X main.version=1.2.3); empty in a build by
// other means.
var version string

// buildVersion says which program this is.
type buildVersion struct {
	Version string `json:"version"`     // of the tag, or the module's pseudo-version
	Commit  string `json:"commit"`      // may be empty; "modified" is appended if files were changed
	Time    string `json:"commit_time"` // RFC 3339; may be empty
	Go      string `json:"go"`
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
		case s.Key == "vcs.time":
			v.Time = s.Value
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

// programVersion is a buildVersion with all that the program is made of, and that it would do here.
type programVersion struct {
	buildVersion
	FIPS        bool        `json:"fips_140"`    // Go's FIPS 140-3 mode is on
	FIPSModule  string      `json:"fips_module"` // its version; "latest": that of the Go release
	TLS         certs.Offer `json:"tls"`
	LandlockABI int         `json:"landlock_abi"` // of the kernel; 0: it has none
	Libraries   []library   `json:"libraries"`
}

// library is a module that the program is built of.
type library struct {
	Module  string `json:"module"`
	Version string `json:"version"`
}

func thisProgram() programVersion {
	v := programVersion{
		buildVersion: thisBuild(), FIPS: fips140.Enabled(), FIPSModule: fips140.Version(),
		TLS: certs.NewOffer(), LandlockABI: landlockABI(), Libraries: []library{},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			v.Libraries = append(v.Libraries, library{Module: module.Path, Version: module.Version})
		}
	}
	return v
}

// String is what gtunnel version --verbose prints.
func (v programVersion) String() string {
	var b strings.Builder
	b.WriteString(v.buildVersion.String())
	line := func(name string, values ...string) {
		fmt.Fprintf(&b, "%-7s %s\n", name, strings.Join(values, ", "))
	}
	if v.Time != "" {
		line("of", v.Time)
	}
	fips := "off"
	if v.FIPS {
		fips = "on, module " + v.FIPSModule
	}
	line("fips", fips)
	line("tls", v.TLS.Versions...)
	line("groups", v.TLS.Groups...)
	line("suites", strings.Join(v.TLS.CipherSuites, "\n        "))
	kernel := "no Landlock"
	if v.LandlockABI > 0 {
		kernel = fmt.Sprintf("Landlock ABI %d", v.LandlockABI)
	}
	line("kernel", kernel)
	for i, l := range v.Libraries {
		name := ""
		if i == 0 {
			name = "with"
		}
		line(name, l.Module+" "+l.Version)
	}
	return b.String()
}

// landlockABI is the version of Landlock that the kernel has; 0 if it has none, or it is off.
func landlockABI() int {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

func (m *Main) versionCommand() *cobra.Command {
	verbose, asJSON := false, false
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Prints the version, the commit and the Go version",
		Long: `Prints the version, the commit and the Go version; with --verbose, or -v, also
the time of the commit, the versions, key exchanges and cipher suites that TLS
offers (--min-tls of a tunnel may narrow them), whether Go's FIPS 140-3 module
is in force (GODEBUG=fips140=on), the kernel's Landlock, and the libraries.`,
		Example: `  gtunnel version
  gtunnel version --json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			switch {
			case asJSON:
				return m.printJSON(thisProgram())
			case verbose:
				_, err := fmt.Fprint(m.Stdout, thisProgram())
				return err
			}
			_, err := fmt.Fprint(m.Stdout, thisBuild())
			return err
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also TLS, FIPS mode, Landlock and libraries; or -v")
	config.AddFlags(cmd, "", []config.Setting{{Name: "json", Target: &asJSON, Usage: "all of it, as JSON"}})
	return cmd
}
