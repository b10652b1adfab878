package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Setting is one thing that a flag or a key of the configuration file sets.
type Setting struct {
	Name   string        // the flag; with underscores, the key
	Group  string        // in the help; GroupCertificates may stand in [tls] too
	Role   tunnel.Role   // the only role that has it; empty: both
	Arg    string        // the value's name in the help
	Usage  string        // the help
	Preset string        // the default, where the target does not hold it
	Port   string        // of addresses: the usual one
	Values []string      // the only values, if they can be counted
	Zero   bool          // a duration may be 0
	Least  time.Duration // the shortest duration above 0
	Bare   string        // the value of a flag that is given without one; empty: it needs one
	File   bool          // the value names a file: a relative one is beside the configuration file

	// Target points into the configuration: *string, *bool, *int (1 or
	// more), *time.Duration, *[]string, *[]tunnel.Address, *[]netip.Prefix, or
	// an encoding.TextUnmarshaler.
	Target any
}

// Pick gives the settings of these names, in this order and in one group.
func Pick(settings []Setting, names ...string) []Setting {
	var picked []Setting
	for _, name := range names {
		i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name })
		settings[i].Group = ""
		picked = append(picked, settings[i])
	}
	return picked
}

// key is the setting's name in the file.
func (s Setting) key() string { return keyOf(s.Name) }

// differs reports whether two settings of one name have other values.
func (s Setting) differs(other Setting) bool { return !reflect.DeepEqual(s.Target, other.Target) }

// setText sets the target from text, or leaves it as it is. Lists grow by one.
func (s Setting) setText(text string) error {
	if s.Values != nil && !slices.Contains(s.Values, text) {
		hint := ""
		if near := usage.Closest(text, s.Values); near != "" {
			hint = "did you mean " + near + "?"
		}
		return &usage.Error{Message: fmt.Sprintf("%q is none of %s", text, strings.Join(s.Values, ", ")), Cure: hint}
	}
	switch target := s.Target.(type) {
	case *string:
		return set(target, parseString, text)
	case *bool:
		return set(target, parseBool, text)
	case *int:
		return set(target, parseInt, text)
	case *time.Duration:
		return set(target, s.parseDuration, text)
	case *tunnel.Address:
		return set(target, s.parseAddress, text)
	case *[]string:
		return add(target, parseString, text)
	case *[]tunnel.Address:
		return add(target, s.parseAddress, text)
	case *[]netip.Prefix:
		return add(target, parseNetwork, text)
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	default:
		panic(fmt.Sprintf("setting %s has a target of type %T", s.Name, s.Target))
	}
}

// set sets the target to what text says.
func set[T any](target *T, parse func(string) (T, error), text string) error {
	value, err := parse(text)
	if err == nil {
		*target = value
	}
	return err
}

// add appends what text says to the list.
func add[T any](list *[]T, parse func(string) (T, error), text string) error {
	value, err := parse(text)
	if err == nil {
		*list = append(*list, value)
	}
	return err
}

func parseString(text string) (string, error) {
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}

func parseBool(text string) (bool, error) {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%q is neither true nor false", text)
	}
	return on, nil
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%q is not a whole number of 1 or more", text)
	}
	return n, nil
}

func (s Setting) parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d < 0:
		return 0, &usage.Error{
			Message: fmt.Sprintf("%q is not a duration", text),
			Cure:    "write a number with its unit, such as 500ms, 10s, 5m or 1h",
		}
	case d == 0 && !s.Zero:
		return 0, &usage.Error{Message: "must be longer than 0s", Cure: "remove it to have the default"}
	case d > 0 && d < s.Least:
		hint := fmt.Sprintf("give %s or more", s.Least)
		if s.Zero {
			hint += ", or 0s"
		}
		return 0, &usage.Error{Message: fmt.Sprintf("%s is too short", text), Cure: hint}
	}
	return d, nil
}

// parseAddress reads an address; to a host without a port it suggests the usual
// one. What begins with a digit is a port or an IP address.
func (s Setting) parseAddress(text string) (tunnel.Address, error) {
	a, err := tunnel.ParseAddress(text)
	if err == nil || s.Port == "" {
		return a, err
	}
	full, err2 := tunnel.ParseAddress(text + ":" + s.Port)
	if err2 == nil && full.Host != "" && (net.ParseIP(text) != nil || text[0] > '9') {
		return a, &usage.Error{Message: err.Error(), Cure: "did you mean " + full.String() + "?"}
	}
	return a, err
}

// parseNetwork reads a network in CIDR form, or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil || network.Addr().Is4In6():
		return network, &usage.Error{
			Message: fmt.Sprintf("%q is no network", text), Cure: "write one such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7",
		}
	case network != network.Masked():
		return network, &usage.Error{
			Message: fmt.Sprintf("%s is an address in a network, not the network", text),
			Cure:    fmt.Sprintf("did you mean %s, or the one address %s?", network.Masked(), network.Addr()),
		}
	}
	return network, nil
}

// setValue sets the target from a value of the configuration file, whose type
// must be the setting's own. Lists are replaced.
func (s Setting) setValue(value any) error {
	var kind string // what it should be
	switch target := s.Target.(type) {
	case *bool:
		if on, ok := value.(bool); ok {
			*target = on
			return nil
		}
		kind = "true or false, without quotes"
	case *int:
		if n, ok := value.(int64); ok {
			return s.setText(strconv.FormatInt(n, 10))
		}
		kind = "a whole number, without quotes"
	case *[]string:
		*target = nil
		kind = `a list of strings, such as ["a", "b"]`
	case *[]tunnel.Address:
		*target = nil
		kind = `a list of addresses, such as ["server1:3307", "server2:3307"]`
	case *[]netip.Prefix:
		*target = nil
		kind = `a list of networks, such as ["192.0.2.0/24", "2001:db8::/32"]`
	case *time.Duration:
		kind = `a duration in quotes, such as "10s"`
	default:
		kind = "a string in quotes"
	}
	switch value := value.(type) {
	case string:
		switch s.Target.(type) {
		case *bool, *int:
		default: // a lone string is a list of one
			return s.setText(value)
		}
	case []any:
		switch s.Target.(type) {
		case *[]string, *[]tunnel.Address, *[]netip.Prefix:
			return s.setList(value, kind)
		}
	}
	return &usage.Error{Message: "is " + kindOf(value), Cure: "must be " + kind}
}

// setList appends the elements, each of which must be a string. An empty list is refused
// where to leave it out would mean something else than nothing, as everybody: a template
// that has found no value must not open a door.
func (s Setting) setList(list []any, kind string) error {
	if len(list) == 0 && s.Preset != "" && s.Preset != "none" {
		return &usage.Error{
			Message: "is an empty list", Cure: fmt.Sprintf("remove it, which means %s; or write %s", s.Preset, kind),
		}
	}
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return &usage.Error{Message: "holds " + kindOf(element), Cure: "must be " + kind}
		}
		if err := s.setText(text); err != nil {
			return err
		}
	}
	return nil
}

// kindOf names the type of a TOML value.
func kindOf(value any) string {
	switch v := value.(type) {
	case string:
		return "a string"
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return strconv.FormatBool(v)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// text is the target's value as the help shows it; empty if it is the zero
// value, or a list.
func (s Setting) text() string {
	switch target := s.Target.(type) {
	case *string:
		return *target
	case *int:
		return strconv.Itoa(*target)
	case *time.Duration:
		return finding.FormatDuration(*target)
	case *bool, *[]string, *[]tunnel.Address, *[]netip.Prefix:
		return ""
	case encoding.TextMarshaler:
		if text, err := target.MarshalText(); err == nil {
			return string(text)
		}
	}
	return ""
}
