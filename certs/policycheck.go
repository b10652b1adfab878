package certs

import (
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
)

// NamespacesMode says which policy files decide what a CA may sign: its
// .signing_policy, which Globus defined, and .namespaces, of the EUGridPMA. The
// zero value asks both, and demands one of them; UnmarshalText reads all modes
// of canl.
type NamespacesMode = policy.Mode

// NamespacesIgnore looks at no policy file.
const NamespacesIgnore = policy.Ignore

// checkPolicies asks the policy files whether the issuer of a certificate may
// sign its name. Self-issued CA certificates are exempt, but not a host that
// bears its CA's own name: RFC 5280, section 6.1.3 (b) and (c), makes the same
// exception for the last certificate of a path. What needsNoPolicy says is
// exempt too.
func checkPolicies(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if depth == len(path)-1 {
		return nil
	}
	issuer := path[depth+1]
	var unbound LinkCheck
	switch {
	case s.policy.Namespaces == policy.Ignore:
		unbound.Text = "not asked: ‹namespaces› ignore"
	case depth > 0 && e.selfIssued():
		unbound.Text = "not bound: a CA may certify itself"
	case s.snapshot.needsNoPolicy(path[depth+1:]):
		unbound.Text, unbound.File = "not bound: the CAs of this file may sign anything", s.snapshot.config.CAfile
	}
	if unbound.Text != "" {
		s.permit(depth, func() LinkCheck { return unbound })
		return nil
	}
	subjectForms, issuerForms := e.subject.Forms(), issuer.subject.Forms()
	if reason := subjectForms.Ambiguous(); reason != "" {
		return refuseAmbiguous(e, depth, e.subject, reason, "Ask the CA for a certificate with a plain subject.")
	}
	if reason := issuerForms.Ambiguous(); reason != "" {
		return refuseAmbiguous(e, depth, issuer.subject, reason,
			"Only ‹cafile› can trust this CA, or ‹namespaces› ignore: it signs what it likes then.")
	}
	var asked [2]policy.Decision
	ask := func(i int, kind fileKind) func() policy.Decision {
		return func() policy.Decision {
			asked[i] = s.askPolicies(kind, path[depth+1:], issuerForms, subjectForms)
			return asked[i]
		}
	}
	decision := s.policy.Namespaces.Decide(ask(0, kindSigningPolicy), ask(1, kindNamespaces))
	if decision.Verdict != policy.Denies {
		s.permitPolicies(depth, asked[:])
		return nil
	}
	r := refuse(e, depth, policyCodes[decision.Cause], "%s may not sign it: %s", issuer.subject.Brief(), decision.Reason)
	r.File, r.Line = decision.File, decision.Line
	if place := s.snapshot.config.CApath; decision.Cause == policy.Missing && place != "" {
		r.Cure = fmt.Sprintf("Install the CA's package: its policy belongs in %s as %s.signing_policy or %[2]s.namespaces. "+
			"Or give the CA with ‹cafile›, which needs none.", place, issuer.hashNames()[0])
	}
	return r
}

// policyCodes are the codes of what policy files deny.
var policyCodes = map[policy.Cause]Code{
	policy.ByRule:    CodePolicyDenied,
	policy.Malformed: CodePolicyMalformed,
	policy.Missing:   CodePolicyMissing,
}

// refuseAmbiguous refuses a certificate for a name that no policy can speak of.
func refuseAmbiguous(e *element, depth int, name *dn.Name, reason, cure string) *Refusal {
	r := refuse(e, depth, CodePolicyDenied, "no policy can speak of the name %s, which could be read as another one: %s",
		name.Brief(), reason)
	r.Cure = cure
	return r
}

// permitPolicies notes the policies that permit a certificate.
func (s *search) permitPolicies(depth int, asked []policy.Decision) {
	silent := true
	for _, d := range asked {
		if d.Verdict == policy.Permits {
			s.permit(depth, func() LinkCheck { return LinkCheck{Text: d.Reason, File: d.File, Line: d.Line} })
			silent = false
		}
	}
	if silent {
		s.permit(depth, func() LinkCheck {
			return LinkCheck{
				Text: "no file speaks of the CA, and ‹namespaces› " + s.policy.Namespaces.String() + " asks for none",
			}
		})
	}
}

// needsNoPolicy reports whether an issuer, the first of the CAs up to the
// anchor, may sign anything: a CA of the CA file, or a subordinate that was
// sent below one. A sent subordinate is bound as soon as it, or one above it,
// is a CA of the CApath or has a policy file there, by its name: what a peer
// sends instead of an installed certificate must not shake the policies off.
func (s *Snapshot) needsNoPolicy(issuers []*element) bool {
	for i, ca := range issuers {
		if ca.fromCAfile {
			if i == 0 {
				return true
			}
			continue
		}
		inCApath := func(known *element) bool { return !known.fromCAfile }
		if ca.file != "" || slices.ContainsFunc(s.bySubject[ca.subjectKey], inCApath) ||
			len(s.policiesOf(kindSigningPolicy, ca))+len(s.policiesOf(kindNamespaces, ca)) > 0 {
			return false
		}
	}
	return issuers[len(issuers)-1].fromCAfile
}

// askPolicies asks the files of an issuer's name, the first of the CAs up to
// the anchor, and then those of the CAs above it; the first that speaks of the
// issuer decides.
func (s *search) askPolicies(kind fileKind, issuers []*element, issuer, subject dn.Forms) policy.Decision {
	for i, holder := range issuers {
		if i > 0 && holder.subjectKey == issuers[i-1].subjectKey {
			continue // its files were asked
		}
		// Files are found by a hash of 32 bits, for which names can be made:
		// SELF is an installed CA.
		own := holder.subjectKey == issuers[0].subjectKey && len(s.snapshot.bySubject[holder.subjectKey]) > 0
		var decision policy.Decision
		for _, file := range s.snapshot.policiesOf(kind, holder) {
			decision = policy.Both(decision, file.judge(issuer, subject, own))
		}
		if decision.Verdict != policy.Silent {
			return decision
		}
	}
	return policy.Decision{}
}
