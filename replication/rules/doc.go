// Package rules judges facts: what keeps a server from being a master or a slave,
// what two servers cannot be to each other, and what should be known of them.
//
// A rule is a pure function of facts. It asks no server, reads no file, and
// knows no clock.
package rules
