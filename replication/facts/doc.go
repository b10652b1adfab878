// Package facts reads what is true of a server, in a few round trips: variables,
// databases, accounts and grants, sessions, events, sizes, room on the disk, and
// whom it follows.
//
// It asks, and decides nothing: what follows from facts is for package rules.
package facts
