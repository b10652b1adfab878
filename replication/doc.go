// Package replication sets MySQL and MariaDB replication up through a tunnel, repairs
// it, and checks servers for it.
//
// It goes one way. What is true of both servers, and of what earlier runs have noted, is
// read into facts.Facts and a Situation; PlanMaster, PlanSlave and PlanRepair make a Plan
// of that and of what is wanted, without asking anybody anything; an Applier carries it
// out. MasterSetup, Setup and Repair go this way from the first question to the last
// step, and speak with the administrator by the functions of a Dialogue.
//
// A plan is a list of steps, each with the exact SQL, the reason and the way back, so it
// can be shown before anything happens; what is as it should be already makes no step, so
// that a second run has nothing to do. A step is data: SQL, or a file, and at most one
// action, which Applier.do carries out. Only the coordinates of a copy are not in the SQL
// that is shown: they are known when it is done.
//
// # The way of setup-slave --max-rate
//
// From the flag to its effect:
//
//  1. cmd/gtunnel/replicationslave.go: setupSlave.want puts it into SlaveWant.MaxRate.
//  2. setup.go: Setup.Run reads the Situation (situation.go: Setup.Read) and calls PlanSlave.
//  3. slavecopy.go: slavePlan.seed adds the step that copies, with the action copyDatabases.
//  4. apply.go: Applier.do calls Applier.copyDatabases, which makes a seed.Seed of the want.
//  5. seed/stream.go: the copy is read no faster than Seed.MaxRate.
//
// # Rooms
//
// The packages below it, each of which imports only those before it: finding (words for
// what is wrong), server (one login; the SQL of each dialect), optionfile (MySQL's option
// files), facts (what is true of a server), journal (what is noted on disk), rules (the
// judgements), seed (the copy), compare, watch (status). servertest runs servers for tests.
//
// # What it does not do
//
// The servers are reached by addresses of this host: the slave's by its socket or port, the
// master's by the plain end of a tunnel. The package knows nothing of TLS.
//
// Nothing here restarts a server, resets a binary log, skips an error of the
// replication, touches a channel (MySQL) or a named connection (MariaDB) other
// than the default one, or writes a file that it has not made. Passwords are of
// the type server.Password, which prints as stars, and reach the servers' own tools by
// a descriptor, never by an argument or the environment.
package replication
