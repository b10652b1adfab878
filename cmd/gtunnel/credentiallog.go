package main

import (
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
)

// expirySoon is how long before its certificate's end a host is warned.
const expirySoon = 14 * 24 * time.Hour

// What to do about a certificate that has ended, here and in certs check.
const (
	endedCure   = "ask your CA for a new one, and check this host's clock: timedatectl"
	endedCACure = "update the packages of the CAs, or put the CA's present certificate into the file"
)

// endedText says of a certificate that it has ended.
func endedText(end time.Time) string {
	return fmt.Sprintf("has ended on %s: every peer refuses it", end.UTC().Format(time.DateTime+" UTC"))
}

// logCredential tells what this host proves itself with, and warns before its
// end.
func logCredential(
	logger *zap.Logger, message string, files credentialFiles, credential *certs.Credential, now time.Time,
) {
	proven, end := credential.Identity(), credential.Certificate().NotAfter
	fields := []zap.Field{
		zap.String("dn", proven.DN),
		zap.Strings("hosts", proven.Hosts),
		zap.Time("expires", end),
		zap.Int("days_left", daysLeft(end, now)),
		zap.String("cert", files.cert),
	}
	switch {
	case now.After(end):
		logger.Error("certificate "+endedText(end), append(fields, zap.String("cure", endedCure))...)
	case end.Sub(now) < expirySoon:
		days := int(expirySoon.Hours() / 24)
		logger.Warn(fmt.Sprintf("certificate expires in less than %d days: renew it now", days), fields...)
	default:
		logger.Info(message, fields...)
	}
}

// logOtherNames warns if a certificate does not prove what the one before it
// did: it may be another host's.
func logOtherNames(logger *zap.Logger, files credentialFiles, before, after certs.Identity) {
	proves := func(i certs.Identity) []string { return slices.Concat(i.Hosts, i.IPs) }
	var lost []string
	for _, name := range proves(before) {
		if !slices.Contains(proves(after), name) {
			lost = append(lost, name)
		}
	}
	fields := []zap.Field{
		zap.String("dn_before", before.DN), zap.String("dn", after.DN),
		zap.Strings("names_before", proves(before)), zap.Strings("names", proves(after)), zap.String("cert", files.cert),
	}
	switch {
	case len(lost) > 0:
		logger.Warn("the new certificate proves other names: "+
			"peers that dial or allow this host by a name that is gone refuse it", append(fields, zap.Strings("gone", lost),
			zap.String("cure", "if it is another host's, install this host's own; "+
				"if not, give the peers a name that it proves: --server-name, --allow-host"))...)
	case before.DN != after.DN:
		logger.Warn("the new certificate has another DN: peers that allow this host by its DN refuse it", append(fields,
			zap.String("cure", "give them the new one with --allow-dn, or this host's name with --allow-host"))...)
	}
}

// logEndedCAs tells of subordinate CAs in the files of host certificates that
// have ended.
func (p *process) logEndedCAs(logger *zap.Logger, now time.Time) {
	type own struct {
		credential *certs.Credential
		store      *certs.Store
	}
	told := make(map[own]bool)
	for _, m := range p.tunnels {
		e := m.endpoint
		if o := (own{credential: e.Credential, store: e.Store}); !told[o] {
			told[o] = true
			certFile, _ := e.Credential.Files()
			for _, ca := range e.Credential.EndedCAs(e.Store.Snapshot(), now) {
				logEndedCA(logger, certFile, ca)
			}
		}
	}
}

func logEndedCA(logger *zap.Logger, certFile string, ca certs.EndedCA) {
	fields := []zap.Field{zap.String("ca", ca.DN), zap.Time("ended", ca.NotAfter), zap.String("cert", certFile)}
	if ca.Renewed != "" {
		logger.Info("a CA in the certificate's file has ended: the renewed one is sent in its place",
			append(fields, zap.String("renewed", ca.Renewed))...)
		return
	}
	logger.Warn("a CA in the certificate's file has ended: peers that have no newer certificate of it refuse this host",
		append(fields, zap.String("cure", endedCACure))...)
}
