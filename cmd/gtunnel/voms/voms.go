// Package voms reads the files of a VOMS site, as VOMS and VOMS Admin have them:
// voms.conf of a server, vomses of its clients, the LSC files by which services trust it,
// and service.properties of VOMS Admin.
//
// It knows no server of databases, and judges nothing: what is malformed is a
// [usage.Error] with the file and the line, beside all else that could be read.
package voms

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// Where the packages have the files.
const (
	DefaultConf    = "/etc/voms"
	DefaultVomsdir = "/etc/grid-security/vomsdir"
	DefaultAdmin   = "/etc/voms-admin"
	DefaultDeploy  = "/var/lib/voms-admin/vo.d"
)

// DefaultVomses are the places of vomses, a file or a directory each.
func DefaultVomses() []string { return []string{"/etc/vomses", "/etc/grid-security/vomses"} }

// Server is a voms.conf: the VOMS server of one VO.
type Server struct {
	File         string
	VO           string
	Database     string
	User         string // of the database
	PasswordFile string // empty: it is asked for at the start
	Port         string // on which the server listens

	// Where it finds the database: the socket, else the host, which is empty for this one.
	Host, DatabasePort, Socket string

	Cert   string // of the server
	CApath string // empty: it is not said
}

// What a VOMS server does without the option.
const (
	defaultName = "voms" // of the database, and of its user
	defaultPort = "754"
	defaultCert = "/etc/grid-security/hostcert.pem"
)

// ReadServers reads DIR/VO/voms.conf of each VO.
func ReadServers(dir string) ([]Server, []error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*", "voms.conf"))
	if err == nil && len(files) == 0 {
		err = &usage.Error{
			Where: dir, Message: "has no VO: there is no file " + filepath.Join(dir, "VO", "voms.conf"),
			Cure: "give the directory with --voms=DIR; each VO has its own below it",
		}
	}
	if err != nil {
		return nil, []error{err}
	}
	var servers []Server
	var faults []error
	for _, file := range files {
		s, found := ReadServer(file)
		faults = append(faults, found...)
		if s.VO != "" {
			servers = append(servers, s)
		}
	}
	return servers, faults
}

// escapeGlob is a path of which no character is a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// ReadServer reads a voms.conf. Without a VO it is none.
func ReadServer(file string) (Server, []error) {
	s := Server{File: file, Database: defaultName, User: defaultName, Port: defaultPort, Cert: defaultCert}
	targets := map[string]*string{
		"vo": &s.VO, "dbname": &s.Database, "username": &s.User, "passfile": &s.PasswordFile, "port": &s.Port,
		"contactstring": &s.Host, "mysql-port": &s.DatabasePort, "mysql-socket": &s.Socket,
		"x509_user_cert": &s.Cert, "x509_cert_dir": &s.CApath,
	}
	lines, err := readLines(file)
	if err != nil {
		return Server{}, []error{err}
	}
	var faults []error
	for _, l := range lines {
		option, ok := strings.CutPrefix(l.text, "-")
		if !ok {
			faults = append(faults, l.fault("is no option", "write one option a line, such as --vo=NAME"))
			continue
		}
		name, value := splitOption(strings.TrimPrefix(option, "-"))
		target, known := targets[name]
		switch {
		case strings.ContainsAny(value, " \t"):
			faults = append(faults, l.fault("has a space in its value, where VOMS takes it for ended",
				"write one option a line, without spaces"))
		case !known:
		case value == "":
			faults = append(faults, l.fault("has no value", "write --"+name+"=VALUE"))
		default:
			*target = value
		}
	}
	if s.VO == "" {
		faults = append(faults, &usage.Error{
			Where: file, Message: "does not say of which VO it is", Cure: "write --vo=NAME into it",
		})
	}
	return s, faults
}

// splitOption gives the name and the value of an option, between which is an equals sign, or a
// space.
func splitOption(option string) (name, value string) {
	end := strings.IndexAny(option, "= \t")
	if end < 0 {
		return option, ""
	}
	return option[:end], strings.TrimSpace(option[end+1:])
}

// Entry is a line of vomses: a server to which clients turn for a VO.
type Entry struct {
	File                      string
	Line                      int
	Alias, Host, Port, DN, VO string
}

// ReadVomses reads vomses files; of a directory all that are in it. Those that are not
// there have nothing.
func ReadVomses(paths []string) ([]Entry, []error) {
	var entries []Entry
	var faults []error
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			files = filesIn(path)
		} else if os.IsNotExist(err) {
			continue
		}
		for _, file := range files {
			lines, err := readLines(file)
			if err != nil {
				faults = append(faults, err)
			}
			for _, l := range lines {
				if e, ok := l.entry(); ok {
					entries = append(entries, e)
				} else {
					faults = append(faults, l.fault("is no line of vomses", `write "VO" "host" "port" "DN" "VO"`))
				}
			}
		}
	}
	return entries, faults
}

// filesIn are the files of a directory of vomses, but for those that editors leave.
func filesIn(dir string) []string {
	list, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*"))
	return slices.DeleteFunc(list, func(file string) bool {
		info, err := os.Stat(file)
		name := filepath.Base(file)
		return err == nil && info.IsDir() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~")
	})
}

// entry reads a line of vomses: five fields in quotes, or six.
func (l line) entry() (Entry, bool) {
	var fields []string
	rest := l.text
	for rest != "" {
		begun, ok := strings.CutPrefix(rest, `"`)
		field, after, ended := strings.Cut(begun, `"`)
		if !ok || !ended {
			return Entry{}, false
		}
		fields, rest = append(fields, field), strings.TrimSpace(after)
	}
	if len(fields) != 5 && len(fields) != 6 || slices.Contains(fields, "") {
		return Entry{}, false
	}
	return Entry{
		File: l.file, Line: l.number,
		Alias: fields[0], Host: strings.ToLower(fields[1]), Port: fields[2], DN: fields[3], VO: fields[4],
	}, true
}

// String is the entry as its line has it.
func (e Entry) String() string {
	return fmt.Sprintf(`"%s" "%s" "%s" "%s" "%s"`, e.Alias, e.Host, e.Port, e.DN, e.VO)
}

// NextChain is the line between two chains of an LSC file.
const NextChain = "------ NEXT CHAIN ------"

// ReadLSC reads the chains of an LSC file, each the names of a server's certificate and of
// its CA as they are written.
func ReadLSC(file string) ([][]string, []error) {
	lines, err := readLines(file)
	if err != nil {
		return nil, []error{err}
	}
	var faults []error
	chains := [][]string{nil}
	for _, l := range lines {
		last := len(chains) - 1
		switch {
		case strings.HasPrefix(l.text, "---"):
			chains = append(chains, nil)
		case strings.HasPrefix(l.text, "/"):
			chains[last] = append(chains[last], l.text)
		default:
			faults = append(faults, l.fault("is no DN", "write DNs as /C=... one a line: the server's, and below it its CA's"))
		}
	}
	chains = slices.DeleteFunc(chains, func(chain []string) bool { return len(chain) == 0 })
	if len(chains) == 0 && len(faults) == 0 {
		faults = append(faults, &usage.Error{
			Where: file, Message: "is empty", Cure: "write the server's DN into it, and below it that of its CA",
		})
	}
	return chains, faults
}

// EscapeLSC is a DN as an LSC file has it: a slash within a name, as in CN=host/name, has a
// backslash before it, without which VOMS takes it for the end of the name.
func EscapeLSC(dn string) string {
	var b strings.Builder
	for i, part := range strings.Split(strings.TrimPrefix(dn, "/"), "/") {
		if name, _, ok := strings.Cut(part, "="); i > 0 && (!ok || strings.Trim(name, attributeLetters) != "") {
			b.WriteByte('\\')
		}
		b.WriteString("/" + part)
	}
	return b.String()
}

// attributeLetters are what the type of an attribute, such as CN, is made of.
const attributeLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789."

// line is a line of a file that is neither empty nor a comment.
type line struct {
	file   string
	number int
	text   string
}

// readLines reads a small file.
func readLines(file string) ([]line, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, &usage.Error{Err: err, Cure: "make it readable for root, who runs gtunnel replication check"}
	}
	var lines []line
	number := 0
	for text := range strings.Lines(string(content)) {
		number++
		if text = strings.TrimSpace(text); text != "" && !strings.HasPrefix(text, "#") {
			lines = append(lines, line{file: file, number: number, text: text})
		}
	}
	return lines, nil
}

// fault says what is wrong with the line.
func (l line) fault(message, cure string) error {
	return &usage.Error{
		Where: fmt.Sprintf("%s:%d", l.file, l.number), Line: l.number, Message: "this " + message, Cure: cure,
	}
}
