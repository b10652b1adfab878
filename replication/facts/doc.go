// Package facts reads what is true of a server, in a bounded number of round
// trips and by one session: variables and where they come from, databases and
// their sizes, accounts and grants, sessions, events, room on the disk, and whom
// it follows.
//
// It asks, and decides nothing: what follows from facts is for package rules.
// What a login may not see is left out, and is no error. Facts do not change
// after they have been read; ReadVariables reads a part of them, for those who
// need no more.
package facts
