package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// pairSettings are the variables that both servers of a pair must have, in every role,
// beside those of a master and of a slave. That they are read-only from their start comes
// last: see readOnlySettings.
func pairSettings(f *facts.Facts, databases []string, byGTID bool) []wantedSetting {
	const durable = "a master that has lost the end of its binary log at a power cut is behind its own slave"
	updates := f.VariableName("log_replica_updates", "log_slave_updates")
	wanted := []wantedSetting{
		{
			name: updates, value: "ON", ok: f.On(updates),
			why: "the other host must find in the log of this one what it has got from there",
		},
		{name: "sync_binlog", value: "1", literal: "1", ok: f.Variable("sync_binlog") == "1", why: durable},
		{
			name: "innodb_flush_log_at_trx_commit", value: "1", literal: "1",
			ok: f.Variable("innodb_flush_log_at_trx_commit") == "1", why: durable,
		},
		noAutomaticStart(f),
		{
			name: "replicate_wild_do_table", value: strings.Join(persistentFilter(f.Version, databases), "\n"), ok: true,
			why: "whichever is the slave replicates only the named databases", always: true,
		},
		netTimeout(f),
	}
	switch recovery := rules.RelayLogRecovery; {
	case !byGTID: // crashSettings of the slave has them
	case f.Version.Family == server.MySQL:
		const why = "the relay log may be all that is left of a lost master: MySQL must neither throw it away at its " +
			"start nor lose the end of it"
		wanted = append(wanted,
			wantedSetting{name: recovery, value: "OFF", ok: !f.On(recovery), why: why, always: true},
			wantedSetting{
				name: "sync_relay_log", value: "1", literal: "1", always: true, why: why,
				ok: f.Variable("sync_relay_log") == "1" || f.Variable("sync_relay_log") == "0", // the guard's, see syncsEach
			})
	case f.On(recovery):
		wanted = append(wanted, wantedSetting{name: recovery, value: "OFF", why: "the relay log is data"})
	}
	return wanted
}

// noAutomaticStart leaves the start of the slave to the guard. MariaDB throws the relay log
// away when it starts the slave itself; it has no variable that tells, and takes no ON.
func noAutomaticStart(f *facts.Facts) wantedSetting {
	w := wantedSetting{
		name: f.VariableName("skip_replica_start", "skip_slave_start"), value: "1", always: true,
		why: "the guard starts the slave when its master answers: a start by the server may throw away what was received",
	}
	if w.ok = w.name != "" && f.On(w.name); w.name == "" {
		w.name, w.ok = "skip_slave_start", true // as far as can be seen
	}
	return w
}

// netTimeout bounds the silence of the link.
func netTimeout(f *facts.Facts) wantedSetting {
	name := "slave_net_timeout"
	if _, ok := f.Variables["replica_net_timeout"]; ok {
		name = "replica_net_timeout"
	}
	window := fmt.Sprint(int(server.SlaveNetTimeout.Seconds()))
	return wantedSetting{
		name: name, value: window, literal: window, ok: f.Number(name) <= uint64(server.SlaveNetTimeout.Seconds()),
		why: "a silent link must be noticed within a minute",
	}
}

// persistentFilter are the patterns as option files have them. MySQL takes those
// with a colon in front for the default channel, and others for every channel.
func persistentFilter(v server.Version, databases []string) []string {
	patterns := server.WildTables(databases)
	if v.AtLeast(server.MySQL, 8, 0, 0) {
		for i := range patterns {
			patterns[i] = ":" + patterns[i]
		}
	}
	return patterns
}

// readOnlySettings make a server of a pair read-only at its start, whatever its role: only
// the guard ends that. The running server stays as it is.
func readOnlySettings(f *facts.Facts) []wantedSetting {
	wanted := []wantedSetting{{
		name: "read_only", value: "ON", ok: true, always: true,
		why: "a host of a pair is read-only until its guard knows that it is the master",
	}}
	if _, ok := f.Variables["super_read_only"]; ok {
		wanted = append(wanted, wantedSetting{
			name: "super_read_only", value: "ON", ok: true, always: true, why: wanted[0].why,
		})
	}
	return wanted
}

// readOnlyAtStart adds the step that puts readOnlySettings into the drop-in, to which the
// plan adds others before. It comes last: without a term no guard would make the server
// writable again after a restart.
func readOnlyAtStart(p *Plan, f *facts.Facts, dropIn *optionfile.DropIn) {
	steps := len(p.Steps)
	settingSteps(p, f, dropIn, readOnlySettings(f))
	for _, step := range p.Steps[steps:] {
		step.Name = strings.Replace(step.Name, string(f.Role), "read-only", 1)
		if step.File != nil {
			step.What = "have the server read-only from its next start on, until the guard makes it writable"
		}
	}
}

// mergeSettings are two lists of settings; of those with one name the first counts.
func mergeSettings(a, b []wantedSetting) []wantedSetting {
	return slices.Concat(a, slices.DeleteFunc(slices.Clone(b), func(w wantedSetting) bool {
		return slices.ContainsFunc(a, func(other wantedSetting) bool { return other.name == w.name })
	}))
}

// restartStep adds the step of the restart that settings need which a running server
// does not change.
func restartStep(p *Plan, f *facts.Facts, wanted []wantedSetting) {
	var off []string
	for _, w := range wanted {
		if !w.ok && slices.Contains([]string{"log_bin", "log_slave_updates", "log_replica_updates"}, w.name) {
			off = append(off, w.name)
		}
	}
	if len(off) == 0 {
		return
	}
	what := "restart the server, which begins its binary log"
	if f.HasBinaryLog() {
		what = "restart the server, which then logs what it replicates, too"
	}
	p.add(&Step{
		Name: "restart", On: f.Role, What: what,
		Why:  finding.List(off) + " cannot be changed while the server runs, and gtunnel restarts no server",
		Hand: "restart it: " + restartCommand(f.Version), Action: waitForRestart{variables: off},
	})
}

// waitForRestart waits for a restart that switches variables on, if the administrator
// asked for that; otherwise the work ends here, to be gone on with by the next run.
type waitForRestart struct{ variables []string }

func (a *Applier) waitForRestart(ctx context.Context, step *Step, w waitForRestart) error {
	on := a.on(step)
	if !a.Wait {
		text := "its binary log is off"
		if w.variables[0] != "log_bin" {
			text = w.variables[0] + " is off"
		}
		goOn := "; then run the same command again, which goes on from here"
		if step.On == finding.Master {
			goOn += " (with --wait it would wait for that)"
		}
		return finding.New(step.On, "restart-needed", restartCommand(on.Version)+goOn,
			"the server must be restarted: %s", text)
	}
	for _, name := range w.variables {
		for {
			value, err := on.Value(ctx, on.DB, "SELECT @@GLOBAL."+name)
			if err == nil && value == "1" {
				break
			}
			a.waiting("restart the server: %s", restartCommand(on.Version))
			if err := server.Pause(ctx, time.Second); err != nil {
				return err
			}
		}
	}
	return nil
}
