package main_test

import "strings"

// takesNoOtherPassword logs in to the master as root, beside an option file with the
// monitor account's login: the password of that is not root's.
func (p *pair) takesNoOtherPassword() {
	p.t.Helper()
	out := p.refused(p.slave, 1, "cannot log in as root", p.compareArgs("--master-user", "root")...)
	for _, words := range []string{
		"there is no password: give it with --master-password-file", "may log in by the socket only",
		"CREATE USER 'gtunnel_admin'@'127.0.0.1' IDENTIFIED BY", "--master-user gtunnel_admin",
	} {
		if !strings.Contains(out, words) {
			p.t.Errorf("no %q in:\n%s", words, out)
		}
	}
}
