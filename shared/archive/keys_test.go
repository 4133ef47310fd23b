package archive_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sallyport/shared/archive"
	"sallyport/shared/rollout"
)

func TestNames(t *testing.T) {
	tests := []struct {
		tenant rollout.TenantID
		kind   archive.Kind
		parts  []string
		want   string
	}{
		{contoso, archive.KindExport, []string{"2026-12-01.csv"}, "contoso.onmicrosoft.com/exports/2026-12-01.csv"},
		{contoso, archive.KindPage, []string{"2026-12-01T02:00:00Z", "users", "00042"}, "contoso.onmicrosoft.com/pages/2026-12-01T02%3A00%3A00Z/users/00042"},
		{contoso, archive.KindPage, []string{"../../fabrikam.onmicrosoft.com/pages/x"}, "contoso.onmicrosoft.com/pages/%2E.%2F..%2Ffabrikam.onmicrosoft.com%2Fpages%2Fx"},
		{contoso, archive.KindPage, []string{"100%", "é"}, "contoso.onmicrosoft.com/pages/100%25/%C3%A9"},
		{contoso, archive.KindPage, nil, ""},
		{contoso, archive.KindPage, []string{"run", ""}, ""},
		{contoso, "", []string{"run"}, ""},
		{"", archive.KindPage, []string{"run"}, ""},
	}
	for _, test := range tests {
		if got := archive.Name(test.tenant, test.kind, test.parts...); got != test.want {
			t.Errorf("Name(%q, %q, %q) = %q, want %q", test.tenant, test.kind, test.parts, got, test.want)
		}
	}
}

// No object of a tenant stands under the prefix of another, and no two objects
// share a name.
func TestNamesKeepTenantsApart(t *testing.T) {
	// Few letters, so that parts often look like one another and like separators.
	part := rapid.StringMatching(`[a/.%2F\\]{1,4}`)
	type where struct {
		tenant rollout.TenantID
		kind   archive.Kind
		parts  []string
	}
	draw := rapid.Custom(func(t *rapid.T) where {
		return where{rollout.TenantID(part.Draw(t, "tenant")), archive.Kind(part.Draw(t, "kind")), rapid.SliceOfN(part, 1, 3).Draw(t, "parts")}
	})
	rapid.Check(t, func(t *rapid.T) {
		x, y := draw.Draw(t, "x"), draw.Draw(t, "y")
		name, other := archive.Name(x.tenant, x.kind, x.parts...), archive.Name(y.tenant, y.kind, y.parts...)
		same := x.tenant == y.tenant && x.kind == y.kind && strings.Join(x.parts, "\x00") == strings.Join(y.parts, "\x00")
		if (name == other) != same {
			t.Errorf("%q and %q are named %q and %q", x, y, name, other)
		}
		if x.tenant != y.tenant && strings.HasPrefix(name, archive.Prefix(y.tenant, y.kind)) {
			t.Errorf("%q stands under the prefix of tenant %q", name, y.tenant)
		}
	})
}
