package certs

import (
	"fmt"
	"slices"
)

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
	case s.policy.Namespaces == NamespacesIgnore:
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
	for _, name := range []*Name{e.subject, issuer.subject} {
		if reason := name.forms().ambiguous; reason != "" {
			r := refuse(e, depth, CodePolicyDenied, "no policy can speak of the name %s, which could be read as another one: %s", name.brief(), reason)
			r.Cure = "Ask the CA for a certificate with a plain subject."
			if name == issuer.subject {
				r.Cure = "Only ‹cafile› can trust this CA, or ‹namespaces› ignore: it signs what it likes then."
			}
			return r
		}
	}
	var asked [2]policyDecision
	decision := s.policy.Namespaces.decide(
		func() policyDecision { asked[0] = s.askPolicies(kindSigningPolicy, path, depth); return asked[0] },
		func() policyDecision { asked[1] = s.askPolicies(kindNamespaces, path, depth); return asked[1] },
	)
	if decision.Verdict != policyDenies {
		s.permitPolicies(depth, asked[:])
		return nil
	}
	r := refuse(e, depth, decision.Code, "%s may not sign it: %s", issuer.subject.brief(), decision.Reason)
	r.File, r.Line = decision.File, decision.Line
	if place := s.snapshot.config.CApath; decision.Code == CodePolicyMissing && place != "" {
		r.Cure = fmt.Sprintf("Install the CA's package: its policy belongs in %s as %s.signing_policy or %[2]s.namespaces. Or give the CA with ‹cafile›, which needs none.",
			place, issuer.hashNames()[0])
	}
	return r
}

// permitPolicies notes the policies that permit a certificate.
func (s *search) permitPolicies(depth int, asked []policyDecision) {
	silent := true
	for _, d := range asked {
		if d.Verdict == policyPermits {
			s.permit(depth, func() LinkCheck { return LinkCheck{Text: d.Reason, File: d.File, Line: d.Line} })
			silent = false
		}
	}
	if silent {
		s.permit(depth, func() LinkCheck {
			return LinkCheck{Text: "no file speaks of the CA, and ‹namespaces› " + s.policy.Namespaces.String() + " asks for none"}
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

// askPolicies asks the files of the issuer's name and then those of the CAs
// above it; the first that speaks of the issuer decides.
func (s *search) askPolicies(kind fileKind, path []*element, depth int) policyDecision {
	issuer, subject := path[depth+1].subject.forms(), path[depth].subject.forms()
	for i, holder := range path[depth+1:] {
		if i > 0 && holder.subjectKey == path[depth+i].subjectKey {
			continue // its files were asked
		}
		// Files are found by a hash of 32 bits, for which names can be made:
		// SELF is an installed CA.
		own := holder.subjectKey == path[depth+1].subjectKey && len(s.snapshot.bySubject[holder.subjectKey]) > 0
		var decision policyDecision
		for _, file := range s.snapshot.policiesOf(kind, holder) {
			decision = both(decision, file.judge(issuer, subject, own))
		}
		if decision.Verdict != policySilent {
			return decision
		}
	}
	return policyDecision{}
}
