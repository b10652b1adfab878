// Package replication sets MySQL and MariaDB replication up through a tunnel, repairs it,
// and checks servers for it.
//
// It goes one way. What is true of both servers, and of what earlier runs have noted, is
// read into facts.Facts and a Situation; PlanMaster, PlanSlave and PlanRepair make a Plan
// of that and of what is wanted, without asking anybody anything; an Applier carries it
// out. MasterSetup, Setup and Repair go this way, and ask by the functions of a Dialogue.
//
// A plan is a list of steps, each with its SQL, the reason and the way back; what is as it
// should be makes no step. A new step is data that a method of slavePlan adds (slavebegin,
// slavecopy, slaveconnect, slavefinish; PlanMaster's in setupmaster, PlanRepair's in
// repair). If it does more than run its SQL or write its file, a type beside that method
// is its action, with a case in Applier.do. What a plan shows is what is done, but for
// coordinates that a copy has only once it is made: they are shown by their names.
//
// The way of setup-slave --max-rate, from the flag to its effect:
//
//  1. cmd/gtunnel/replicationslave.go: setupSlave.want puts it into SlaveWant.MaxRate.
//  2. setup.go: Setup.Run reads the Situation (situation.go: Setup.Read), calls PlanSlave.
//  3. slavecopy.go: slavePlan.seed adds the step that copies; its action is copyDatabases.
//  4. apply.go: Applier.do calls Applier.copyDatabases, which makes and runs a seed.Seed.
//  5. seed/relay.go: Seed.Run begins a relay, by which the tools get no more than Seed.MaxRate.
//
// The rooms below it each import only those before them: finding (words for what is
// wrong), server (one login; the SQL of each dialect), optionfile (MySQL's option files),
// facts (what is true of a server), journal (what is noted on disk), rules (the
// judgements), seed (the copy), compare, watch (status). servertest is for tests.
//
// The package knows nothing of TLS: the master is reached at an address of this host.
// Nothing here restarts a server, resets a binary log, skips an error, touches a channel
// or named connection other than the default one, or writes a file that it has not made.
// Passwords are stars when printed, and reach the servers' own tools by a descriptor.
package replication
