// Package failovertest gives tests a pair of real servers that is ready for a failover,
// and what can happen to it.
//
// New starts two servers of one kind with all that a ready pair has: the options, the
// accounts with the same passwords on both, the filter, a Note of term 1 on each, and
// the second as the slave of the first, which is writable. No guard runs yet.
//
// Each Host dials the other through a Link of its own, which can be cut, made silent
// in one direction or both, and restored; a guard's and a command's Host are made
// by Failover. PowerCut and Boot are of a whole host.
//
// A guard runs in the test's process (StartGuard, StopGuard), or as a process of its own,
// which can be killed as a crash does: Start runs one of the Programs that the package's
// TestMain gave to Main, such as "guard", in a copy of the test's binary, with the same
// Host.
//
// A Writer is an application: it writes to both servers all the time, as an ordinary
// account, and keeps what was acknowledged. Its Turns are how often the right to write has
// gone from one server to the other: more than there were promotions and switchovers
// means that there were two masters.
package failovertest
