package graph_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

func TestErrorsSayWhatIsMissing(t *testing.T) {
	registrations := func(tn *tenant) error {
		return tn.Registrations(t.Context(), func([]rollout.Registration) error { return nil })
	}
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		call       func(*tenant) error
		is         error
		permission string
		neededBy   string
	}{
		"permission for the report": {failure(403, "Authentication_MSGraphPermissionMissing"), registrations, nil, "AuditLog.Read.All", "audit"},
		"permission for policies":   {failure(403, "AccessDenied"), func(tn *tenant) error { _, err := tn.Policies(t.Context()); return err }, nil, "Policy.Read.All", "enforce"},
		"permission to write a policy": {failure(403, "AccessDenied"), func(tn *tenant) error {
			return tn.SetPolicyState(t.Context(), []rollout.OwnedPolicy{{ID: policyID}}, policyID, rollout.StateEnabled)
		}, nil, "Policy.ReadWrite.ConditionalAccess", "enforce"},
		"permission to switch Security Defaults": {failure(403, "AccessDenied"), func(tn *tenant) error { return tn.SetSecurityDefaults(t.Context(), true) }, nil, "Policy.ReadWrite.SecurityDefaults", "enforce"},
		"permission for roles":                   {failure(403, "Authorization_RequestDenied"), func(tn *tenant) error { _, err := tn.RoleAssignments(t.Context(), false); return err }, nil, "RoleManagement.Read.Directory", "audit"},
		"permission for licences":                {failure(403, "Authorization_RequestDenied"), func(tn *tenant) error { _, err := tn.Plans(t.Context()); return err }, nil, "LicenseAssignment.Read.All", "audit"},
		"no token":                               {failure(401, "InvalidAuthenticationToken"), registrations, nil, "AuditLog.Read.All", "audit"},
		"no licence":                             {failure(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"), registrations, graph.ErrNoLicence, "", ""},
		"no licence, said inside": {
			status(403, `{"error":{"code":"Forbidden","innerError":{"code":"Authentication_RequestFromNonPremiumTenantOrB2CTenant"}}}`),
			registrations, graph.ErrNoLicence, "", "",
		},
		// The words for people are Microsoft's to change.
		"no licence in the message alone": {
			status(403, `{"error":{"code":"Authorization_RequestDenied","message":"Neither tenant is B2C or tenant doesn't have premium license"}}`),
			registrations, nil, "AuditLog.Read.All", "audit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call(newTenant(t, c.answer))
			var denied *graph.DeniedError
			if c.is != nil {
				if !errors.Is(err, c.is) || errors.As(err, &denied) {
					t.Errorf("error %v, want %v", err, c.is)
				}
				return
			}
			if !errors.As(err, &denied) {
				t.Fatalf("error %v, want a DeniedError", err)
			}
			if !strings.Contains(denied.Permission, c.permission) || !strings.Contains(denied.NeededBy, c.neededBy) || !strings.Contains(err.Error(), c.permission) {
				t.Errorf("error %q, want it to name %s, needed by %s", err, c.permission, c.neededBy)
			}
			if errors.Is(err, graph.ErrNoLicence) {
				t.Error("it passes for a missing licence")
			}
		})
	}
}

func TestErrorsOfEveryShapeKeepTheStatus(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": ``, "HTML": `<html>`, "a list": `[]`, "no error": `{}`, "null": `{"error":null}`, "a string": `{"error":"invalid_request"}`,
		"no code": `{"error":{"message":"x"}}`, "a code of a number": `{"error":{"code":7}}`,
		"deep": strings.Repeat(`{"error":{"code":"a","innerError":`, 1) + strings.Repeat(`{"code":"b","innerError":`, 50) + `null` + strings.Repeat(`}`, 52),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newTenant(t, status(400, body, "request-id", "req-1")).SecurityDefaults(t.Context())
			var answer *graph.Error
			if !errors.As(err, &answer) || answer.Status != 400 || answer.RequestID != "req-1" || len(answer.Codes) > 8 {
				t.Errorf("error %v, want Graph's 400", err)
			}
		})
	}
}

func TestErrorsNameNoPeople(t *testing.T) {
	_, err := newTenant(t, status(400, `{"error":{"code":"Request_BadRequest","message":"ana@contoso.com is wrong"}}`)).User(t.Context(), userID)
	if err == nil || strings.Contains(err.Error(), "ana@") || !strings.Contains(err.Error(), "Request_BadRequest") {
		t.Errorf("error %q", err)
	}
	tn := newTenant(t, breaks)
	_, err = signIns(t, tn, graph.SignInQuery{UserID: userID})
	if err == nil || strings.Contains(err.Error(), "filter") {
		t.Errorf("error %q quotes the address", err)
	}
}

// What a tenant will not give in an hour either is a refusal; what may pass, or
// is a fault of ours, is none.
func TestRefusal(t *testing.T) {
	managers := func(answer http.HandlerFunc) error {
		_, err := newTenant(t, answer).ManagersPage(t.Context(), "")
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no permission":             {managers(failure(403, "Authorization_RequestDenied")), "the app lacks the permission User.Read.All"},
		"no licence":                {managers(failure(403, "AadPremiumLicenseRequired")), "the tenant's licences do not include it"},
		"not offered":               {graph.ErrNotOffered, "Graph does not offer it in this tenant"},
		"a query it does not know":  {managers(failure(400, "BadRequest")), "Graph answers it with 400"},
		"not there":                 {managers(failure(404, "ResourceNotFound")), "Graph answers it with 404"},
		"not there yet":             {managers(failure(501, "NotImplemented")), "Graph answers it with 501"},
		"a cursor that was too old": {managers(failure(410, "resyncRequired")), ""},
		"an answer that is none":    {managers(status(200, `{"value":`)), ""},
		"no error":                  {nil, ""},
	} {
		if got := graph.Refusal(c.err); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", name, got, c.want, c.err)
		}
	}
}
