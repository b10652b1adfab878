package finding_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// TestForNobody: a cure says in words which databases it is for, if they are not known.
func TestForNobody(t *testing.T) {
	p := finding.New(finding.Slave, "code", finding.SeedAnew, "it is broken")
	if got := p.For([]string{"voms", "iam"}).Cure; !strings.HasSuffix(got, "--replace-databases voms,iam") {
		t.Error(got)
	}
	if got := p.For(nil).Cure; !strings.HasSuffix(got, "--replace-databases with the names of the databases") {
		t.Error(got)
	}
	for number := range finding.Causes {
		if got := finding.CureOf(number, finding.Master); strings.HasSuffix(got, finding.Names) {
			t.Errorf("%d: %s", number, got)
		}
	}
}
