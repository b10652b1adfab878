package voms

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// Admin is VOMS Admin, as far as it serves a VO.
type Admin struct {
	File string // its properties of the VO

	Registers    bool   // users can register there
	Registration string // the property that says so
	RegisterLine int    // the line that sets it; 0: none does, and it is on

	ReadOnly     bool // it changes nothing in the database
	ReadOnlyLine int  // the line that sets it; 0: none does, and it is not
}

// ReadOnlyProperty makes VOMS Admin change nothing.
const ReadOnlyProperty = "voms.readonly"

// adminFiles are the properties of a VO, by the version of VOMS Admin: 3, and 2. Each has
// its own word for the registration.
var adminFiles = []struct{ name, registration string }{
	{"service.properties", "voms.registration.enabled"},
	{"voms.service.properties", "voms.request.webui.enabled"},
}

// ReadAdmin reads what VOMS Admin has of a VO below its directory, if it serves it: nil
// where it is not set up, or the VO is not among those that are deployed.
func ReadAdmin(dir, deployed, vo string) (*Admin, []error) {
	if _, err := os.Stat(deployed); err == nil {
		if _, err := os.Stat(filepath.Join(deployed, vo)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	for _, f := range adminFiles {
		file := filepath.Join(dir, vo, f.name)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		a := &Admin{File: file, Registers: true, Registration: f.registration}
		properties, faults := readProperties(file)
		for _, p := range []struct {
			name   string
			target *bool
			line   *int
		}{{f.registration, &a.Registers, &a.RegisterLine}, {ReadOnlyProperty, &a.ReadOnly, &a.ReadOnlyLine}} {
			property, given := properties[p.name]
			if !given {
				continue
			}
			on, known := truths[strings.ToLower(property.text)]
			if !known {
				faults = append(faults, &usage.Error{
					Where: fmt.Sprintf("%s:%d", file, property.number), Line: property.number,
					Message: fmt.Sprintf("%s is %q, neither true nor false", p.name, property.text), Cure: "write true or false",
				})
				continue
			}
			*p.target, *p.line = on, property.number
		}
		return a, faults
	}
	return nil, nil
}

// truths are the words for what is on or off in the properties of VOMS Admin.
var truths = map[string]bool{
	"true": true, "yes": true, "on": true, "t": true, "y": true,
	"false": false, "no": false, "off": false, "f": false, "n": false,
}

// readProperties reads Java's properties: of one that is there twice VOMS Admin takes the
// first.
func readProperties(file string) (map[string]line, []error) {
	lines, err := readLines(file)
	if err != nil {
		return nil, []error{err}
	}
	properties := map[string]line{}
	continued := false
	for _, l := range lines {
		if strings.HasPrefix(l.text, "!") {
			continue
		}
		goesOn := continued
		if continued = strings.HasSuffix(l.text, `\`); goesOn {
			continue
		}
		end := strings.IndexAny(l.text, "=: \t")
		if end < 0 {
			end = len(l.text)
		}
		name := l.text[:end]
		l.text = strings.TrimSpace(strings.TrimLeft(l.text[end:], "=: \t"))
		if _, there := properties[name]; !there {
			properties[name] = l
		}
	}
	return properties, nil
}
