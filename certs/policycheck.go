package certs

import "fmt"

// checkPolicies asks the policy files whether the issuer of a certificate may
// sign its name. Self-issued certificates are exempt, and so is what a CA of
// the CA file issued, or a subordinate that was sent below one.
func checkPolicies(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if depth == len(path)-1 || e.selfIssued() || s.policy.Namespaces == NamespacesIgnore {
		return nil
	}
	issuer, anchor := path[depth+1], path[len(path)-1]
	if issuer.fromCAfile || issuer.file == "" && anchor.fromCAfile {
		return nil
	}
	for _, name := range []*Name{e.subject, issuer.subject} {
		if _, unambiguous := name.normalSlash(); !unambiguous {
			return refuse(e, depth, CodePolicyDenied, "the name %s could be read as another one, so that no policy can speak of it", name.brief())
		}
	}
	decision := s.policy.Namespaces.decide(
		func() policyDecision { return s.askPolicies(kindSigningPolicy, path, depth) },
		func() policyDecision { return s.askPolicies(kindNamespaces, path, depth) },
	)
	if decision.Verdict != policyDenies {
		return nil
	}
	r := refuse(e, depth, decision.Code, "%s may not sign it: %s", issuer.subject.brief(), decision.Reason)
	r.File, r.Line = decision.File, decision.Line
	if place := s.snapshot.config.CApath; decision.Code == CodePolicyMissing && place != "" {
		r.Cure = fmt.Sprintf("Install the CA's package: its policy belongs in %s as %s.signing_policy or %[2]s.namespaces. Or give the CA with --cafile, which needs none.",
			place, issuer.hashNames()[0])
	}
	return r
}

// askPolicies asks the files of the issuer's name and then those of the CAs
// above it; the first that speaks of the issuer decides.
func (s *search) askPolicies(kind fileKind, path []*element, depth int) policyDecision {
	issuer, subject := path[depth+1].subject.Slash(), path[depth].subject.Slash()
	for i, holder := range path[depth+1:] {
		if i > 0 && holder.subjectKey == path[depth+i].subjectKey {
			continue // its files were asked
		}
		own := holder.subjectKey == path[depth+1].subjectKey
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
