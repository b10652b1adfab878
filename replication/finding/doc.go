// Package finding is what gtunnel says of a replication: a Problem with its code,
// its text and its cure, the Findings of a check, what the errors of servers
// mean, and the words for sizes and counts.
//
// It knows no server and asks nobody anything.
package finding
