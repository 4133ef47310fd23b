package graph_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// resumable are the listings that are read page by page: where each lives, what
// a plain row of it is, and how one page is asked for.
func resumable() map[string]struct {
	path, row string
	read      func(*tenant, context.Context, string) (rows int, next string, err error)
} {
	type entry = struct {
		path, row string
		read      func(*tenant, context.Context, string) (rows int, next string, err error)
	}
	return map[string]entry{
		"users": {"/v1.0/users", `{"id":"1"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.UsersPage(ctx, false, cursor)
			return len(p.Rows), p.Next, err
		}},
		"users with activity": {"/v1.0/users", `{"id":"1"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.UsersPage(ctx, true, cursor)
			return len(p.Rows), p.Next, err
		}},
		"managers": {"/v1.0/users", `{"id":"1","manager":{"id":"2"}}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.ManagersPage(ctx, cursor)
			return len(p.Rows), p.Next, err
		}},
		"registrations": {"/v1.0/reports/authenticationMethods/userRegistrationDetails", `{"id":"1"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.RegistrationsPage(ctx, cursor)
			return len(p.Rows), p.Next, err
		}},
		"members": {"/v1.0/groups/" + groupID + "/transitiveMembers", `{"id":"1"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.MembersPage(ctx, groupID, cursor)
			return len(p.Rows), p.Next, err
		}},
		"sign-ins": {"/v1.0/auditLogs/signIns", `{"id":"1","createdDateTime":"2026-12-01T08:00:00Z"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.SignInsPage(ctx, graph.SignInQuery{From: start().Add(-time.Hour)}, cursor)
			return len(p.Rows), p.Next, err
		}},
		"non-interactive sign-ins": {"/beta/auditLogs/signIns", `{"id":"1","createdDateTime":"2026-12-01T08:00:00Z"}`, func(tn *tenant, ctx context.Context, cursor string) (int, string, error) {
			p, err := tn.SignInsPage(ctx, graph.SignInQuery{NonInteractive: true}, cursor)
			return len(p.Rows), p.Next, err
		}},
	}
}

// One client reads a page, another one, of a later invocation, the page after it.
func TestAPageIsTakenUpWhereTheLastEnded(t *testing.T) {
	for name, l := range resumable() {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, answers(
				ok(`{"value":[`+l.row+`],"@odata.nextLink":"{host}`+l.path+`?$skiptoken=a"}`),
				ok(`{"value":[`+strings.ReplaceAll(l.row, `"id":"1"`, `"id":"3"`)+`]}`)))
			rows, next, err := l.read(tn, t.Context(), "")
			if err != nil || rows != 1 || next != tn.server.URL+l.path+"?$skiptoken=a" {
				t.Fatalf("first page: %d rows, next %q, %v", rows, next, err)
			}
			tn.Client = tn.client(app{})
			rows, next, err = l.read(tn, t.Context(), next)
			if err != nil || rows != 1 || next != "" {
				t.Fatalf("last page: %d rows, next %q, %v", rows, next, err)
			}
			if got := tn.last(); got.path != l.path || got.query != "$skiptoken=a" {
				t.Errorf("last page asked for %s?%s", got.path, got.query)
			}
		})
	}
}

// Whatever is wrong with a page is an error, and no row of it is handed over.
func TestABadPageIsAnErrorWithNoRows(t *testing.T) {
	for name, l := range resumable() {
		next := func(link string) http.HandlerFunc {
			return ok(`{"value":[` + l.row + `],"@odata.nextLink":"` + link + `"}`)
		}
		cursor := l.path + "?$skiptoken=a"
		for what, c := range map[string]struct {
			answer http.HandlerFunc
			cursor string // below the server
			says   string
		}{
			"a connection that is cut":         {breaks, "", "broke off"},
			"half a page":                      {ok(`{"value":[{"id":"1"`), "", "not what Graph documents"},
			"no page":                          {ok(``), "", "not what Graph documents"},
			"no rows":                          {ok(`{}`), "", "no rows"},
			"an error inside a 200":            {ok(`{"error":{"code":"UnknownError"}}`), "", "UnknownError"},
			"an error beside rows":             {ok(`{"value":[],"error":{"code":"UnknownError"}}`), "", "UnknownError"},
			"a null id":                        {ok(`{"value":[{"id":null}]}`), "", "no id"},
			"fewer than counted":               {ok(`{"@odata.count":2,"value":[` + l.row + `]}`), "", "Graph counted 2"},
			"a link to another host":           {next("https://graph.example.com" + cursor), "", "not the end point"},
			"a link to another listing":        {next("{host}/v1.0/groups?$skiptoken=a"), "", "another listing"},
			"a link that is no address":        {next("::"), "", "no address"},
			"a link to this very page":         {next("{host}" + cursor), cursor, "this page"},
			"a null id on a later page":        {ok(`{"value":[{"id":null}]}`), cursor, "no id"},
			"a permission that was taken away": {failure(403, "Authorization_RequestDenied"), cursor, "lacks"},
		} {
			t.Run(name+": "+what, func(t *testing.T) {
				tn := newTenant(t, c.answer)
				from := ""
				if c.cursor != "" {
					from = tn.server.URL + c.cursor
				}
				rows, next, err := l.read(tn, t.Context(), from)
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v, want one that says %q", err, c.says)
				}
				if rows != 0 || next != "" || errors.Is(err, graph.ErrCursorExpired) {
					t.Errorf("%d rows and next %q beside the error %v", rows, next, err)
				}
			})
		}
	}
}

func TestAnIDTwiceInAPageIsAnError(t *testing.T) {
	for name, l := range resumable() {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, ok(`{"value":[`+l.row+`,`+l.row+`]}`))
			_, _, err := l.read(tn, t.Context(), "")
			// The sign-in log repeats itself; nothing else may.
			if repeats := strings.HasSuffix(name, "sign-ins"); (err == nil) != repeats {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAListingOfUsersIsNeverEmpty(t *testing.T) {
	for name, l := range resumable() {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, ok(`{"value":[]}`))
			_, _, err := l.read(tn, t.Context(), "")
			if never := l.path == "/v1.0/users"; (err != nil) != never {
				t.Errorf("an empty listing: error %v", err)
			}
			// The last page of a long one may well be.
			if _, _, err := l.read(tn, t.Context(), tn.server.URL+l.path+"?$skiptoken=a"); err != nil {
				t.Errorf("an empty last page: %v", err)
			}
		})
	}
}

// A cursor comes from storage: it is as foreign as an answer.
func TestACursorLeadsNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request reached another host")
	}))
	defer elsewhere.Close()
	for name, l := range resumable() {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, ok(`{"value":[`+l.row+`]}`))
			host := strings.TrimPrefix(tn.server.URL, "http://")
			for _, cursor := range []string{
				elsewhere.URL + l.path + "?$skiptoken=a",
				"https://" + host + l.path,
				"http://app:secret@" + host + l.path,
				"http://" + host + "/v1.0/groups",
				"http://" + host + "/v2.0" + l.path[strings.Index(l.path[1:], "/")+1:],
				"http://" + host + l.path + "/../applications",
				l.path, "a", "::",
			} {
				if _, _, err := l.read(tn, t.Context(), cursor); err == nil || errors.Is(err, graph.ErrCursorExpired) {
					t.Errorf("cursor %s: error %v", cursor, err)
				}
			}
			if n := len(tn.calls()); n != 0 {
				t.Errorf("%d requests went out", n)
			}
		})
	}
}

func TestAnExpiredCursorSaysSo(t *testing.T) {
	for name, l := range resumable() {
		for what, c := range map[string]struct {
			answer  http.HandlerFunc
			first   bool
			expired bool
		}{
			"the directory's code":    {failure(400, "Directory_ExpiredPageToken"), false, true},
			"the sign-in log":         {failure(400, "UnknownError"), false, true},
			"no code at all":          {failure(400, ""), false, true},
			"gone":                    {failure(410, "UnknownError"), false, true},
			"refused from the start":  {failure(400, "Directory_ExpiredPageToken"), true, false},
			"a licence that ended":    {failure(400, "AadPremiumLicenseRequired"), false, false},
			"a permission that ended": {failure(403, "AccessDenied"), false, false},
			"a server that is down":   {failure(500, "UnknownError"), false, false},
		} {
			t.Run(name+": "+what, func(t *testing.T) {
				tn := newTenant(t, c.answer)
				cursor := tn.server.URL + l.path + "?$skiptoken=a"
				if c.first {
					cursor = ""
				}
				_, _, err := l.read(tn, t.Context(), cursor)
				if err == nil || errors.Is(err, graph.ErrCursorExpired) != c.expired {
					t.Errorf("error %v, want expired: %t", err, c.expired)
				}
				var answer *graph.Error
				if !errors.As(err, &answer) {
					t.Errorf("error %v hides Graph's answer", err)
				}
			})
		}
	}
}

func TestPagesAreAsLargeAsDocumented(t *testing.T) {
	for name, want := range map[string]string{
		"users": "999", "users with activity": "500", "managers": "100", "registrations": "999", "members": "999", "sign-ins": "",
	} {
		l := resumable()[name]
		tn := newTenant(t, ok(`{"value":[`+l.row+`]}`))
		if _, _, err := l.read(tn, t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(tn.last().query)
		if err != nil || q.Get("$top") != want {
			t.Errorf("%s: $top=%s, want %s", name, q.Get("$top"), want)
		}
	}
}

func TestRegistrationsPageDoesWithoutALargePage(t *testing.T) {
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("$top") != "" {
			failure(400, "BadRequest")(w, r)
			return
		}
		ok(`{"value":[{"id":"1"}],"@odata.nextLink":"{host}`+r.URL.Path+`?$skiptoken=a"}`)(w, r)
	})
	page, err := tn.RegistrationsPage(t.Context(), "")
	if err != nil || len(page.Rows) != 1 || page.Next == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	if n := len(tn.calls()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestManagersPage(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"a","manager":{"@odata.type":"#microsoft.graph.user","id":"b"}},{"id":"b"},{"id":"c","manager":null}]}`))
	page, err := tn.ManagersPage(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]graph.Manager{{UserID: "a", ManagerID: "b"}, {UserID: "b"}, {UserID: "c"}}, page.Rows); diff != "" {
		t.Error(diff)
	}
	if q, _ := url.ParseQuery(tn.last().query); q.Get("$expand") != "manager($select=id)" || q.Get("$select") != "id" {
		t.Errorf("asked with %q", tn.last().query)
	}
}

func TestMembersPageGivesUsersOnly(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"@odata.type":"#microsoft.graph.user","id":"a"},{"@odata.type":"#microsoft.graph.group","id":"b"},
		{"@odata.type":"#microsoft.graph.device","id":"c"},{"id":"d"}],"@odata.nextLink":"{host}/v1.0/groups('`+groupID+`')/transitiveMembers?$skiptoken=a"}`))
	page, err := tn.MembersPage(t.Context(), groupID, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "d"}, page.Rows); diff != "" {
		t.Error(diff)
	}
	if _, err := tn.MembersPage(t.Context(), groupID, page.Next); err != nil && !strings.Contains(err.Error(), "this page") {
		t.Errorf("Graph's other way to write the path: %v", err)
	}
}

// What the caller makes of a group must be what Group makes of it.
func TestGroupFactsAndMembersPageSayWhatGroupSays(t *testing.T) {
	opened := func(tn *tenant) (rollout.GroupFacts, []string, error) {
		facts, hidden, err := tn.GroupFacts(t.Context(), groupID)
		if err != nil || !facts.Opened {
			return facts, nil, err
		}
		page, err := tn.MembersPage(t.Context(), groupID, "")
		if errors.Is(err, graph.ErrNotFound) { // gone between the two requests
			return rollout.GroupFacts{ID: groupID}, nil, nil
		}
		if errors.Is(err, graph.ErrMembersHidden) {
			facts.Opened = false
			return facts, nil, nil
		}
		if hidden && len(page.Rows) == 0 {
			facts.Opened = false
		}
		return facts, page.Rows, err
	}
	for name, c := range map[string]struct{ group, members http.HandlerFunc }{
		"people":             {ok(`{"id":"g","displayName":"Fabrikam"}`), ok(`{"value":[{"id":"a"}]}`)},
		"nobody":             {ok(`{"id":"g","displayName":"Fabrikam"}`), ok(`{"value":[]}`)},
		"hidden, and shown":  {ok(`{"id":"g","visibility":"HiddenMembership"}`), ok(`{"value":[{"id":"a"}]}`)},
		"hidden, and empty":  {ok(`{"id":"g","visibility":"HiddenMembership"}`), ok(`{"value":[]}`)},
		"members refused":    {ok(`{"id":"g"}`), failure(403, "Authorization_RequestDenied")},
		"members gone":       {ok(`{"id":"g"}`), failure(404, "Request_ResourceNotFound")},
		"the group refused":  {failure(403, "Authorization_RequestDenied"), ok(`{"value":[]}`)},
		"the group is gone":  {failure(404, "Request_ResourceNotFound"), ok(`{"value":[]}`)},
		"a group of devices": {ok(`{"id":"g"}`), ok(`{"value":[{"id":"a","@odata.type":"#microsoft.graph.device"}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/transitiveMembers") {
					c.members(w, r)
					return
				}
				c.group(w, r)
			})
			whole, wantErr := tn.Groups(t.Context(), []string{groupID})
			facts, members, err := opened(tn)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("error %v, Group says %v", err, wantErr)
			}
			if err != nil {
				return
			}
			got := rollout.Group{ID: facts.ID, DisplayName: facts.DisplayName, Opened: facts.Opened, Members: members}
			got.Direct, got.DirectRead, got.Groups, got.Dynamic, got.RoleAssignable, got.Restricted = whole[groupID].Direct, whole[groupID].DirectRead, whole[groupID].Groups, whole[groupID].Dynamic, whole[groupID].RoleAssignable, whole[groupID].Restricted // not asked for
			if diff := cmp.Diff(whole[groupID], got); diff != "" {
				t.Errorf("differs from Group: %s", diff)
			}
		})
	}
}

func TestASignInOfAPageMustHaveATime(t *testing.T) {
	tn := newTenant(t, ok(`{"value":[{"id":"a","createdDateTime":null}]}`))
	if page, err := tn.SignInsPage(t.Context(), graph.SignInQuery{}, ""); err == nil || len(page.Rows) != 0 {
		t.Errorf("got %+v, %v", page, err)
	}
}

// A word that Microsoft adds tomorrow comes through as it is, and never as one
// that is known today.
func TestUnknownWordsComeThrough(t *testing.T) {
	tn := newTenant(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/users"):
			ok(`{"value":[{"id":"1","userType":"Visitor","creationType":"Teleport","externalUserState":"Paused"}]}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/userRegistrationDetails"):
			ok(`{"value":[{"id":"1","methodsRegistered":["brainWave","mobilePhone"]}]}`)(w, r)
		default:
			ok(`{"value":[{"id":"1","createdDateTime":"2026-12-01T08:00:00Z","clientAppUsed":"Telepathy","conditionalAccessStatus":"perhaps",
				"appliedConditionalAccessPolicies":[{"id":"p","result":"reportOnlyMaybe"}]}]}`)(w, r)
		}
	})
	users, err := tn.UsersPage(t.Context(), false, "")
	if err != nil {
		t.Fatal(err)
	}
	u := users.Rows[0]
	if diff := cmp.Diff([]string{"Visitor", "Teleport", "Paused"}, []string{u.UserType, u.CreationType, u.ExternalUserState}); diff != "" {
		t.Error(diff)
	}
	registrations, err := tn.RegistrationsPage(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"brainWave", "mobilePhone"}, registrations.Rows[0].Methods); diff != "" {
		t.Error(diff)
	}
	signIns, err := tn.SignInsPage(t.Context(), graph.SignInQuery{}, "")
	if err != nil {
		t.Fatal(err)
	}
	s := signIns.Rows[0]
	if s.ClientAppUsed != "Telepathy" || s.CAStatus != "perhaps" || s.Applied[0].Result != "reportOnlyMaybe" {
		t.Errorf("got %+v", s)
	}
}
