package bench_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

const reader = "5a11e900-0000-4000-8000-000000000001"

type wall struct{}

func (wall) Now() time.Time { return time.Now().UTC() }

// serveTenant answers for a firm of any size until its parent ends it. Nineteen
// in twenty are capable; of the others the kind of mailbox is asked, one by one.
// It offers the bulk listing of per-user MFA: where that is refused, a night asks
// about 4,000 accounts at most, and what it learns is written.
func serveTenant() error {
	j, err := told()
	if err != nil {
		return err
	}
	t := tenant.New("Contoso", "contoso.onmicrosoft.com", 1, wall{})
	t.SetBehaviour(tenant.Behaviour{BulkPerUserMFA: true})
	t.AddSKU("f245ecc8-75af-4f8e-b61f-27d8114de5f3", "SPB", j.Accounts+100, map[string]string{tenant.PlanP1: "AAD_PREMIUM"})
	t.PutApp(tenant.App{ID: reader, Roles: rollout.ReaderPermissions()})
	created := time.Now().AddDate(-1, 0, 0)
	stamp := created.UTC().Format(time.RFC3339)
	for n := range j.Accounts {
		id, err := t.AddUser(tenant.Object{
			"userPrincipalName": fmt.Sprintf("person%d@contoso.onmicrosoft.com", n), "displayName": fmt.Sprintf("Person %d", n),
			"mail": fmt.Sprintf("person%d@contoso.com", n), "department": fmt.Sprintf("Department %d", n%40), "userType": "Member", "accountEnabled": true,
			"createdDateTime": stamp, "preferredLanguage": "en-GB", "usageLocation": "GB",
			"signInActivity":   tenant.Object{"lastSignInDateTime": stamp, "lastNonInteractiveSignInDateTime": stamp, "lastSuccessfulSignInDateTime": stamp},
			"assignedLicenses": []any{tenant.Object{"skuId": "f245ecc8-75af-4f8e-b61f-27d8114de5f3", "disabledPlans": []any{}}},
		})
		if err != nil {
			return err
		}
		if n == 0 {
			if t.AssignRole(id, rollout.RoleGlobalAdministrator, "/") == "" {
				return err
			}
		}
		if n%20 != 0 {
			if err := t.Register(id, tenant.AuthenticatorPush, created); err != nil {
				return err
			}
		}
	}
	token, _, err := t.Token(reader)
	if err != nil {
		return err
	}
	server := httptest.NewServer(&remembering{handler: t, answers: map[string]answer{}})
	defer server.Close()
	fmt.Fprintln(os.Stdout, server.URL, token)
	select {} // until it is ended
}

// remembering answers the same question with what was answered before: what is
// measured is the reader, not the simulation.
type remembering struct {
	handler http.Handler
	mu      sync.Mutex
	answers map[string]answer
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (r *remembering) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := req.Method + " " + req.URL.RequestURI() + " " + string(body)
	r.mu.Lock()
	a, known := r.answers[key]
	r.mu.Unlock()
	if !known {
		req.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		r.handler.ServeHTTP(rec, req)
		a = answer{rec.Code, rec.Header(), rec.Body.Bytes()}
		r.mu.Lock()
		r.answers[key] = a
		r.mu.Unlock()
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the reader sees to what arrives
}
