package rules

import (
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

func cannotHoldVOMS(j *judgement) {
	if h := j.vomsHost(); h.Facts != nil && h.Facts.Version.AtLeast(server.MySQL, 8, 0, 0) {
		j.say("%s is %s: VOMS has a table groups, which is a reserved word there", h.Name, h.Facts.Version)
	}
}

// backupIsWritable is about the slave, whichever of the hosts that is.
func backupIsWritable(j *judgement) {
	h := j.vomsHost()
	isBackup := j.VOMS.IsMaster == (j.rule.On == finding.Peer)
	if h.Facts == nil || !isBackup || h.Facts.On("read_only") || h.Facts.Variable("read_only") == "" {
		return
	}
	cure := "SET GLOBAL read_only=1; gtunnel replication setup-slave makes it last"
	if j.VOMS.OfPair {
		cure = "systemctl enable --now gtunnel-guard"
	}
	if j.rule.On == finding.Peer {
		cure = "on " + h.Name + ": " + cure
	}
	j.sayCure(cure, "%s is the backup, and its server is not read-only: what is written there is lost, or stops the "+
		"replication", h.Name)
}

func certificateRefused(j *judgement) {
	if h := j.vomsHost(); h.Certificate.Err != nil {
		j.sayCure(j.hintOf(h.Certificate.Err), "the certificate of the VOMS server of %s (%s): %v",
			h.Name, h.Certificate.From, h.Certificate.Err)
	}
}

func certificateEnds(j *judgement) {
	if h := j.vomsHost(); h.Certificate.Soon && h.Certificate.Err == nil {
		j.say("the certificate of the VOMS server of %s ends on %s (%s)", h.Name,
			h.Certificate.NotAfter.UTC().Format(time.DateOnly), h.Certificate.From)
	}
}

func vomsIsSilent(j *judgement) {
	if h := j.vomsHost(); h.Silent != nil {
		j.add(&finding.Problem{
			On: j.rule.On, Code: j.rule.Code, Text: "the VOMS server of " + j.VOMS.VO + " on " + h.Name + " does not answer",
			Err: h.Silent, Cure: j.rule.Cure,
		})
	}
}

func lacksVomses(j *judgement) {
	h := j.vomsHost()
	if h.Name != "" && len(h.Vomses) == 0 {
		j.sayCure(h.mend(h.AddVomses), "vomses has no line of %s for the VO %s: clients do not turn to it", h.Name, j.VOMS.VO)
	}
}

// mend is a command that writes the DN of the host's certificate, or, where that is not known,
// what is to be done before.
func (h *VOMSHost) mend(command string) string {
	if h.Certificate.DN == "" {
		return "have its VOMS server run with its certificate, and check once more, which then shows what to write"
	}
	return command
}

func hasOtherDN(j *judgement) {
	h := j.vomsHost()
	is := h.Certificate.DN
	if is == "" || slices.ContainsFunc(h.Vomses, func(l VOMSLine) bool { return l.DN == is }) {
		return // while a new one is brought in, there may be both
	}
	for _, l := range h.Vomses {
		j.sayCure(l.Mend, "%s:%d has the DN %s of %s, whose certificate has %s", l.File, l.Line, l.DN, h.Name, is)
	}
}

func lacksLSC(j *judgement) {
	h := j.vomsHost()
	if h.Name == "" || h.LSC.Names || h.Certificate.DN == "" && h.LSC.There {
		return
	}
	switch {
	case !h.LSC.There:
		j.sayCure(h.mend(h.LSC.Mend), "there is no %s: services refuse proxies of %s for the VO %s",
			h.LSC.File, h.Name, j.VOMS.VO)
	case h.LSC.Plain:
		j.sayCure(h.LSC.Mend, "%s has a slash within a name without a backslash before it, which VOMS takes for two names: "+
			"services refuse proxies of %s", h.LSC.File, h.Name)
	default:
		j.sayCure(h.LSC.Mend, "%s has other names than the certificate of %s, %s of the CA %s: services refuse its proxies",
			h.LSC.File, h.Name, h.Certificate.DN, h.Certificate.Issuer)
	}
}

func tablesDiffer(j *judgement) {
	if t := j.VOMS.Tables; t != nil && len(t.Differ) > 0 {
		j.sayCure(j.compareThem(), "tables of the VO %s differ on the two hosts: %s", j.VOMS.VO, finding.Items(t.Differ))
	}
}

func tablesLeft(j *judgement) {
	if t := j.VOMS.Tables; t != nil && len(t.Left) > 0 {
		j.sayCure(j.compareThem(), "tables of the VO %s were not compared, as that takes long: %s",
			j.VOMS.VO, finding.Items(t.Left))
	}
}

// compareThem is the command that compares the VO's tables at one position.
func (j *judgement) compareThem() string {
	command := "gtunnel replication compare --databases " + finding.ShellWord(j.VOMS.Database)
	if j.VOMS.IsMaster {
		return "on " + j.VOMS.Peer.Name + ": " + command
	}
	return command
}
