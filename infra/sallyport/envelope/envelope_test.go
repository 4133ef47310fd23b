package envelope_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/infra/sallyport/envelope"
)

const password = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789abcdefghj"

func written(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	err := envelope.Write(&b, envelope.Page{
		Tenant: "contoso.onmicrosoft.com", Made: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), SignIn: "https://entra.microsoft.com",
		Cards: []envelope.Card{
			{Slot: 1, Of: 2, Name: "Mia Holt", SignInAs: "mia.holt@contoso.onmicrosoft.com", ID: "6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d", Password: password},
			{Slot: 2, Of: 2, Name: `<script>alert(1)</script>`, SignInAs: "tom.shaw@contoso.onmicrosoft.com", ID: "9d2c7b10-5b7e-4a44-8f0e-0c1d2e3f4a5b", Password: strings.ToLower(password)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page needs nothing else and calls nobody: it is opened on the machine of a
// Global Administrator.
func TestThePageStandsAlone(t *testing.T) {
	text := written(t)
	for _, outside := range []string{"<script", "<link", "<img", "<iframe", "url(", "@import", " src=", " href="} {
		if strings.Contains(text, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	if !strings.Contains(text, `content="default-src 'none'; style-src 'unsafe-inline'"`) {
		t.Error("nothing forbids the page to load things")
	}
}

// What is typed from the card is the password: the groups, one after the other.
func TestTheGroupsAreThePassword(t *testing.T) {
	sheets := strings.Split(written(t), "<section")[1:]
	if len(sheets) != 2 {
		t.Fatalf("%d sheets, want 2", len(sheets))
	}
	for i, want := range []string{password, strings.ToLower(password)} {
		_, table, _ := strings.Cut(sheets[i], `class="password"`)
		table, _, _ = strings.Cut(table, "</table>")
		got := ""
		for _, row := range strings.Split(table, "<tr>")[1:] {
			for _, cell := range regexp.MustCompile(`<td>([^<]*)</td>`).FindAllStringSubmatch(row, -1)[1:] {
				got += cell[1]
			}
		}
		if got != want {
			t.Errorf("sheet %d: %q, want %q", i+1, got, want)
		}
	}
	if got := len(envelope.Rows(password)); got != 4 {
		t.Errorf("%d rows, want 4", got)
	}
}
