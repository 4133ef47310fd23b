package webhook_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Microsoft drops deliveries to an end point that is late, and a Lambda that
// links the Graph SDK starts late; nor has the door any business with the
// tenant or with the table.
func TestDoorLinksNoGraph(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "sallyport/functions/webhook/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list named only %d packages: nothing was proven", len(deps))
	}
	for _, dep := range deps {
		for _, forbidden := range []string{
			"sallyport/shared/graph", "sallyport/shared/store", "sallyport/shared/mail",
			"github.com/microsoft", "github.com/microsoftgraph", "github.com/Azure", "service/dynamodb",
		} {
			if strings.Contains(dep, forbidden) {
				t.Errorf("webhook links %s", dep)
			}
		}
	}
}
