package rules_test

import (
	"errors"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// wellVOMS is a VO of which no rule has anything to say, on the backup.
func wellVOMS() *rules.VOMS {
	host := func(name string) rules.VOMSHost {
		dn := "/DC=test/CN=" + name
		return rules.VOMSHost{
			Name: name, Facts: wellServer(finding.Slave),
			Certificate: rules.VOMSCertificate{
				From: "hostcert.pem", DN: dn, Issuer: "/DC=test/CN=CA", NotAfter: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
			},
			Vomses:    []rules.VOMSLine{{File: "/etc/vomses", Line: 3, DN: dn, Mend: "sed"}},
			AddVomses: "echo >> /etc/vomses",
			LSC:       rules.VOMSLSC{File: name + ".lsc", There: true, Names: true, Mend: "printf > " + name + ".lsc"},
		}
	}
	return &rules.VOMS{
		VO: "ict", Database: "voms_ict", Conf: "/etc/voms/ict/voms.conf", Own: host(two), Peer: host(one),
		Account: rules.VOMSAccount{User: "voms@localhost", Grants: facts.ParseGrants([]string{
			"GRANT USAGE ON *.* TO `voms`@`localhost`", "GRANT SELECT, SHOW VIEW ON `voms\\_ict`.* TO `voms`@`localhost`",
			"GRANT SELECT (`dn`) ON `other`.`usr` TO `voms`@`localhost`",
		})},
		Admin: &rules.VOMSAdmin{
			File: "service.properties", ReadOnly: true, SetRegistration: "set registration", SetReadOnly: "set readonly",
		},
		Tables: &rules.VOMSTables{Alike: 18},
	}
}

// ofVO changes such a VO.
func ofVO(want, words string, change func(*rules.VOMS)) ruleCase {
	return ruleCase{want: want, at: rules.CheckVOMS, words: words, change: func(s *rules.Subject) { change(s.VOMS) }}
}

// asMaster makes its host the master of a pair.
func asMaster(change func(*rules.VOMS)) func(*rules.VOMS) {
	return func(v *rules.VOMS) {
		v.IsMaster, v.OfPair = true, true
		v.Own.Facts = wellServer(finding.Master)
		v.Admin.Registers, v.Admin.ReadOnly = true, false
		change(v)
	}
}

// hinting is an error that knows what to do about it.
type hinting struct{ error }

func (hinting) Hint() string { return "write it anew" }

// vomsCases are about a VO.
var vomsCases = []ruleCase{
	ofVO("problem voms-file this host", "vomses:3: is no line|write it anew", func(v *rules.VOMS) {
		v.Faults = []error{hinting{errors.New("vomses:3: is no line")}}
	}),
	ofVO("problem voms-file this host", "unreadable|mend the line", func(v *rules.VOMS) {
		v.Faults = []error{errors.New("unreadable")}
	}),
	ofVO("problem voms-not-replicated", "voms_ict|ict", func(v *rules.VOMS) { v.Left = true }),
	ofVO("problem voms-login this host", "no such file|--passfile", func(v *rules.VOMS) {
		v.Account = rules.VOMSAccount{Err: errors.New("no such file")}
	}),
	ofVO("problem voms-elsewhere this host", "db.domain.one:3306|--contactstring", func(v *rules.VOMS) {
		v.Account = rules.VOMSAccount{Elsewhere: "db.domain.one:3306"}
	}),
	ofVO("problem voms-account this host",
		"INSERT on `voms\\_ict`.*, SUPER on *.*|REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'voms'@'localhost'|"+
			"GRANT SELECT ON `voms\\_ict`.* TO 'voms'@'localhost'", writes),
	ofVO("warning voms-account this host", "once this host is the backup|the same on the other host", asMaster(writes)),
	ofVO("problem voms-registration this host", "takes requests|set registration", func(v *rules.VOMS) {
		v.Admin.Registers = true
	}),
	ofVO("warning voms-admin-writes this host", "written to|set readonly", func(v *rules.VOMS) {
		v.Admin.ReadOnly = false
	}),
	ofVO("warning voms-no-registration this host", "takes no requests|set registration", asMaster(func(v *rules.VOMS) {
		v.Admin.Registers = false
	})),
	ofVO("warning voms-no-registration this host", "is read-only|set readonly", asMaster(func(v *rules.VOMS) {
		v.Admin.ReadOnly = true
	})),
	ofVO("problem peer-silent the other host", "asked through the tunnel: no answer|status", func(v *rules.VOMS) {
		v.Silent = errors.New("no answer")
	}),
	ofVO("problem voms-tables", "m (1 row here, 2 there)|compare --databases voms_ict", func(v *rules.VOMS) {
		v.Tables.Differ = []string{"m (1 row here, 2 there)"}
	}),
	ofVO("problem voms-tables", "on "+one+": gtunnel replication compare", asMaster(func(v *rules.VOMS) {
		v.Peer.Name, v.Tables.Differ = one, []string{"m"}
	})),
	ofVO("warning voms-not-compared", "usr|compare --databases voms_ict", func(v *rules.VOMS) {
		v.Tables.Left = []string{"usr"}
	}),
	ofVO("warning voms-silent the other host", one+" does not answer: refused|start it", func(v *rules.VOMS) {
		v.Peer.Silent = errors.New("refused")
	}),
	ofVO("problem voms-writable this host", two+" is the backup|setup-slave makes it last", func(v *rules.VOMS) {
		v.Own.Facts = wellServer(finding.Master)
	}),
	ofVO("problem voms-writable the other host", "on "+one+": systemctl enable --now gtunnel-guard",
		asMaster(func(v *rules.VOMS) { v.Peer.Facts = wellServer(finding.Master) })),
}

// writes lets the VOMS server write.
func writes(v *rules.VOMS) {
	v.Account.Grants = append(v.Account.Grants, facts.ParseGrants([]string{
		"GRANT INSERT ON `voms\\_ict`.* TO `voms`@`localhost`", "GRANT SUPER ON *.* TO `voms`@`localhost`",
	})...)
}

// vomsHostCases are about either host.
func vomsHostCases() []ruleCase {
	var cases []ruleCase
	for _, on := range []finding.Role{finding.Own, finding.Peer} {
		of := func(want, words string, change func(*rules.VOMSHost)) {
			cases = append(cases, ofVO(want+" "+string(on), words, func(v *rules.VOMS) {
				h := &v.Own
				if on == finding.Peer {
					h = &v.Peer
				}
				change(h)
			}))
		}
		of("problem voms-mysql", "MySQL 8.4.3|reserved|MariaDB", func(h *rules.VOMSHost) {
			h.Facts.Version = server.Version{Family: server.MySQL, Major: 8, Minor: 4, Patch: 3}
		})
		of("problem voms-certificate", "hostcert.pem|revoked|write it anew", func(h *rules.VOMSHost) {
			h.Certificate.Err = hinting{errors.New("revoked")}
		})
		of("warning voms-certificate-ends", "2027-01-02|ask your CA", func(h *rules.VOMSHost) { h.Certificate.Soon = true })
		of("problem voms-vomses", "no line of server|echo >> /etc/vomses", func(h *rules.VOMSHost) { h.Vomses = nil })
		of("problem voms-vomses-dn", "/etc/vomses:3|/CN=old|sed", func(h *rules.VOMSHost) { h.Vomses[0].DN = "/CN=old" })
		of("problem voms-lsc", "there is no server|printf", func(h *rules.VOMSHost) {
			h.LSC.There, h.LSC.Names = false, false
		})
		of("problem voms-lsc", "there is no server|check once more", func(h *rules.VOMSHost) {
			h.Certificate.DN, h.LSC.There, h.LSC.Names = "", false, false
		})
		of("problem voms-vomses", "no line of server|check once more", func(h *rules.VOMSHost) {
			h.Certificate.DN, h.Vomses = "", nil
		})
		of("problem voms-lsc", "other names than|/DC=test/CN=CA|printf", func(h *rules.VOMSHost) { h.LSC.Names = false })
		of("problem voms-lsc", "without a backslash|printf", func(h *rules.VOMSHost) {
			h.LSC.Names, h.LSC.Plain = false, true
		})
	}
	return cases
}
