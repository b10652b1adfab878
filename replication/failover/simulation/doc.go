// Package simulation is a proof, as far as a machine can go through it, of what package
// failover promises: all of it is tests.
//
// The real guard, promote, switchover and rejoin of package failover run on a model of
// two hosts: their servers (of both families, at the level of SQL statements, behind a
// driver of database/sql), the files of their notes, the link between them, and clients
// that write. Time is that of testing/synctest.
//
// # What is explored
//
// A process (the guard of either host, a command) stops before each of its operations: a
// login, a statement, a change of its note. Each can be done; fail without having been
// done; or be done and its reply lost. In between, processes and servers are killed, a
// host loses its power, the link is cut in one direction or both, clients write, and time
// passes. A run without any of this is the scenario; each thing that happens in it is one
// deviation. The explorer visits every state that at most so many deviations lead to, by
// running the scenario anew up to each, and stops a run where it comes to a state that
// was visited with as many deviations left. A state is all of the world, and what each
// process has asked and heard, as far back as it may remember it.
//
// After the last deviation everything works again, processes are restarted as systemd
// and an administrator would, and the run must end as it should: that is liveness.
//
// A process is taken to remember its last two rounds of questions that differed, and up to
// four equal ones in a row. States are compared where something else can happen next. A
// deviation is tried once in situations that differ only in how long they have lasted. One
// that asks the same again and again while nothing changes is answered slowly.
//
// In CI (make test, without the race detector) one crash is put at every place of every short
// scenario: a process, a server or a host is killed, the link is cut, a reply is lost. What is cut
// there, and is in make simulate alone: all other deviations (questions that fail, clients and
// threads at other moments, a link that is silent one way, processes that are held up), more than
// one deviation, crashes within the long scenarios of long_test.go, and TestMutants. make simulate
// says of each scenario whether it was explored whole.
//
// # What must hold
//
// See invariants_test.go. Who is writable is never read from a flag: a client tries to write,
// and one does at the very moment when a server opens.
//
// TestMutants holds the invariants against all changes of the plans, of the acts of the guard
// and of its statements; those that nothing notices are in survivors_test.go, with the reason.
// TestSteps says which steps no scenario comes by, and which tests on real servers do.
//
// # What the model leaves out
//
// Filters, hooks, events but for their scheduler, sequences, semi-synchronous replication, XA,
// half transactions, statements that only warn, pairs by file and position, and the contents
// of relay log files: a relay log is a list of transactions. A new copy is three steps: the
// data is removed, loaded, followed on from; on MySQL as by a clone. Applying and receiving
// are immediate unless a deviation holds them. The model is checked against real servers by
// TestModel: the same script on both gives the same answers; and TestOwnBack.
package simulation
