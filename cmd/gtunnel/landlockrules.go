package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// landlockRules are what a process needs that serves, reloads of the same
// configuration included. Paths are absolute, and stand for all that is below
// them. Each list is in order and without repetition.
type landlockRules struct {
	read    []string // files, and folders with those in them
	logs    []string // folders in which files are made and appended to
	sockets []string // folders in which unix sockets are made and removed
	removed []string // the folder in which the pid file is removed at the end
	bind    []uint16 // TCP ports to listen at
	connect []uint16 // TCP ports to connect to
}

// alwaysRead is what a process reads of the system now and then: sockets, load
// and its own figures (proc(5)), whether its terminal is there, and the name of
// who asks for a change.
var alwaysRead = []string{"/dev/null", "/dev/tty", "/etc/passwd", "/proc"}

// Names are looked up by the files of this folder (resolv.conf, hosts,
// nsswitch.conf), which are changed by renaming others into their places, and
// by DNS, which needs TCP for long answers (RFC 7766).
const (
	resolverFolder = "/etc"
	resolverFile   = "/etc/resolv.conf" // often a link to elsewhere
	dnsPort        = 53
)

// landlockRulesOf are the rules for a configuration, with symbolic links as they
// are now. A file is read by way of its folder, so that one that is renamed into
// its place is read too. getenv names the folders that systemd has made.
func landlockRulesOf(c *config.Config, getenv func(string) string) landlockRules {
	r := landlockRules{read: slices.Clone(alwaysRead)}
	names := false // are to be looked up
	for i := range c.Tunnels {
		t := &c.Tunnels[i]
		names = r.addTunnel(t) || names
	}
	if c.File() != "" { // what it will name after a change is not known
		names = true
		r.read = append(r.read, foldersOf(c.File())...)
		r.read = append(r.read, c.IncludedFolders()...)
	}
	if names {
		r.read = append(append(r.read, resolverFolder), foldersOf(resolverFile)...)
		r.connect = append(r.connect, dnsPort)
	}
	if folder := getenv("CREDENTIALS_DIRECTORY"); folder != "" {
		r.read = append(r.read, parentOf(folder)) // systemd mounts renewed ones anew
	}
	if c.LogFile != "" {
		r.logs = foldersOf(c.LogFile)
	}
	if c.PidFile != "" {
		r.removed = []string{parentOf(c.PidFile)}
	}
	r.addAdmin(c.Admin, getenv)
	for _, paths := range []*[]string{&r.read, &r.logs, &r.sockets} {
		slices.Sort(*paths)
		*paths = slices.Compact(*paths)
	}
	for _, ports := range []*[]uint16{&r.bind, &r.connect} {
		slices.Sort(*ports)
		*ports = slices.Compact(*ports)
	}
	return r
}

// addTunnel adds what one tunnel needs, and reports whether it has names to look
// up.
func (r *landlockRules) addTunnel(t *config.Tunnel) (names bool) {
	for _, file := range []string{t.Cert, t.Key, t.CAfile} {
		if file != "" {
			r.read = append(r.read, foldersOf(file)...)
		}
	}
	if t.CApath != "" {
		r.read = append(r.read, foldersOf(t.CApath)...)
		entries, _ := os.ReadDir(t.CApath) // what cannot be read was said when it was loaded
		for _, entry := range entries {
			if entry.Type() == os.ModeSymlink {
				r.read = append(r.read, foldersOf(filepath.Join(t.CApath, entry.Name()))...)
			}
		}
	}
	r.addListener(t.Accept)
	names = isName(t.Accept)
	for _, target := range t.Connect {
		r.connect = append(r.connect, portsOf(target)...)
		names = names || isName(target)
	}
	return names
}

// addListener adds what it takes to listen at an address again.
func (r *landlockRules) addListener(at tunnel.Address) {
	r.bind = append(r.bind, portsOf(at)...)
	if at.Network == "unix" {
		r.sockets = append(r.sockets, parentOf(at.Path))
	}
}

// addAdmin adds what the admin address needs; one that is a port has the preset
// socket too (startAdmin).
func (r *landlockRules) addAdmin(admin config.AdminAddress, getenv func(string) string) {
	if admin.None {
		return
	}
	r.addListener(admin.Address)
	if admin.Network != "unix" {
		folder, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":")
		r.sockets = append(r.sockets, cmp.Or(folder, config.RuntimeFolder))
	}
}

// portsOf is the port of an address; none of a unix socket.
func portsOf(a tunnel.Address) []uint16 {
	port, err := strconv.ParseUint(a.Port, 10, 16)
	if a.Network != "tcp" || err != nil {
		return nil
	}
	return []uint16{uint16(port)}
}

// isName reports whether an address has a host to look up.
func isName(a tunnel.Address) bool {
	_, err := netip.ParseAddr(a.Host)
	return a.Network == "tcp" && a.Host != "" && a.Host != "localhost" && err != nil
}

// maxLinks is how many symbolic links the kernel follows (path_resolution(7)).
const maxLinks = 40

// foldersOf are the folders that must be read to read a file or a folder by its
// name, now and after another was renamed into its place: its own, and those to
// which symbolic links lead.
func foldersOf(path string) []string {
	var folders []string
	for range maxLinks {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		folders = append(folders, parentOf(path))
		target, err := os.Readlink(path)
		if err != nil {
			break // it is no link
		}
		if !filepath.IsAbs(target) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				break
			}
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return folders
}

// parentOf is the folder of a file or folder, but never the root, which has all
// there is: what is there is its own.
func parentOf(path string) string {
	if folder := filepath.Dir(path); folder != "/" {
		return folder
	}
	return path
}

// resolved are the rules with the paths to which symbolic links lead, and without
// what is missing: what the kernel is told, which knows files and no names.
func (r landlockRules) resolved() landlockRules {
	for _, paths := range []*[]string{&r.read, &r.logs, &r.sockets, &r.removed} {
		var found []string
		for _, path := range *paths {
			if target, err := filepath.EvalSymlinks(path); err == nil {
				found = append(found, target)
			}
		}
		slices.Sort(found)
		*paths = slices.Compact(found)
	}
	return r
}

// beyond names what the rules of another configuration allow and these, which
// are resolved, do not. What is missing on disk does not count: whoever wants to use
// it says so.
func (r landlockRules) beyond(other landlockRules) (paths, ports []string) {
	other = other.resolved()
	for _, kind := range []struct {
		what            string
		allowed, wanted []string
	}{
		{what: "files in ", allowed: r.read, wanted: other.read},
		{what: "sockets in ", allowed: r.sockets, wanted: other.sockets},
	} {
		for _, path := range kind.wanted {
			if !isBelow(path, kind.allowed) {
				paths = append(paths, kind.what+path)
			}
		}
	}
	for _, kind := range []struct {
		what            string
		allowed, wanted []uint16
	}{
		{what: "listening at port", allowed: r.bind, wanted: other.bind},
		{what: "connections to port", allowed: r.connect, wanted: other.connect},
	} {
		for _, port := range kind.wanted {
			if !slices.Contains(kind.allowed, port) {
				ports = append(ports, fmt.Sprintf("%s %d", kind.what, port))
			}
		}
	}
	return paths, ports
}

// isBelow reports whether a path is one of these or below one.
func isBelow(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}
