package tenant_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/infra/local/tenant"
)

// TestOwnersOfGroups: owners come back from a folder; a group that does not say
// whose it is has owners that cannot be read, which is not "none".
func TestOwnersOfGroups(t *testing.T) {
	const ada, owned, silent = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-0000000000b1", "00000000-0000-4000-8000-0000000000b2"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"users":                     `{"value":[{"id":"` + ada + `","userPrincipalName":"ada@contoso.com"}]}`,
		"conditionalAccessPolicies": `{"value":[]}`,
		"groups": `{"value":[{"id":"` + owned + `","members":[],"owners":[{"@odata.type":"#microsoft.graph.user","id":"` + ada + `"}]},
			{"id":"` + silent + `","members":[]}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // as it was saved by hand, and as we save it
		firm, _, err := tenant.Load(dir, 1, newClock())
		if err != nil {
			t.Fatal(err)
		}
		app := call(t, firm, "GroupMember.Read.All", "User.Read.All")
		if rows := app.rows("/groups/" + owned + "/owners?$select=id"); len(rows) != 1 || rows[0]["id"] != ada {
			t.Errorf("owners = %v", rows)
		}
		if status, _, _ := app.do(http.MethodGet, "/groups/"+silent+"/owners", ""); status != http.StatusForbidden {
			t.Errorf("the group that does not say its owners: status %d", status)
		}
		dir = t.TempDir()
		if err := firm.Save(dir); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := os.ReadFile(filepath.Join(dir, "groups.json"))
	if err != nil || strings.Count(string(saved), `"owners"`) != 1 {
		t.Errorf("%v\n%s", err, saved)
	}
}
