// Package tenant is a simulated Microsoft 365 tenant: the truth about accounts,
// groups, roles, methods, policies and sign-ins, and an http.Handler that tells
// it the way Microsoft Graph does: late, twice, page by page, throttled, and
// only what the caller's licence and permissions allow. Microsoft's own SDK
// talks to it, over a socket or in process.
//
// It is the witness of a rehearsal, so it shares no code with what it judges:
// standard library only. It never looks at the wall clock and draws no
// randomness but from its seed: the same calls at the same instants give the
// same answers.
//
// Start reading at [Tenant]; what people do to it is in people.go and
// signin.go, what Graph answers in serve.go and the answer_*.go files, folders
// of plain Graph answers in load.go and save.go, the sample firms in sample.go.
package tenant

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Clock says what time it is in the simulation.
type Clock interface{ Now() time.Time }

// Behaviour is how much the tenant keeps its readers waiting and guessing. The
// zero value is a tenant that is always up to date; [Usual] is like the real one.
type Behaviour struct {
	// SignInsFrom and SignInsTo bound how late a row reaches the sign-in log.
	SignInsFrom, SignInsTo time.Duration
	// SignInsTwice is the share (0 to 1) of rows that are listed twice.
	SignInsTwice float64
	// SignInsAgain is the share of rows that first appear without what the
	// policies said and are published again, complete, up to SignInsAgainIn
	// after the sign-in.
	SignInsAgain   float64
	SignInsAgainIn time.Duration
	// Interrupts is the share of prompted sign-ins that leave a 50074 row
	// before their success.
	Interrupts float64
	// ReportEvery is how often a row of the registration report is refreshed,
	// each account at its own moment; until then it shows what was.
	ReportEvery time.Duration
	// ActivityEvery is the same for signInActivity.
	ActivityEvery time.Duration
	// PoliciesWithin is the longest time until a changed policy decides about
	// sign-ins. What is read is the change at once.
	PoliciesWithin time.Duration
	// PageCap lowers every page size; 0 leaves Microsoft's.
	PageCap int
	// BulkPerUserMFA lets /users answer perUserMfaState, as tenants have been
	// seen to do although no schema has it.
	BulkPerUserMFA bool
	// Throttle switches Microsoft's limits on.
	Throttle bool
}

// Usual is how Microsoft's service behaves.
// Sources: https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq,
// https://learn.microsoft.com/entra/identity/authentication/howto-authentication-methods-activity,
// https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation
func Usual() Behaviour {
	return Behaviour{
		SignInsFrom: 2 * time.Minute, SignInsTo: 15 * time.Minute,
		SignInsTwice: 0.05, SignInsAgain: 0.03, SignInsAgainIn: 2 * time.Hour,
		Interrupts:  0.3,
		ReportEvery: 6 * time.Hour, ActivityEvery: 24 * time.Hour,
		PoliciesWithin: 2 * time.Hour,
		Throttle:       true,
	}
}

// Tenant is the simulated organisation. Its methods may be called from several
// goroutines; each sees and leaves a consistent state.
type Tenant struct {
	mu     sync.Mutex
	clock  Clock
	seed   uint64
	behave Behaviour
	made   map[string]uint64 // how many ids of each kind were made

	organization  Object
	skus          []Object
	users         *table
	people        map[string]*person // what belongs to an account beyond its row; by lower-case id
	groups        *table
	members       map[string][]string // group -> direct members; by lower-case id
	closed        map[string]bool     // groups whose members cannot be read
	owners        map[string][]string // group -> owners; not there: they cannot be read
	closures      map[string]map[string]bool
	definitions   *table
	assignments   *table
	eligibility   *table
	policies      *table
	versions      map[string][]version // what a policy was until its change took effect
	defaults      Object               // securityDefaults
	upsell        Object               // what Microsoft plans with them; beta only
	methodsPolicy Object
	risks         *table
	riskyUsers    *table
	audits        []Object
	log           signInLog

	subscriptions *table
	notifications []Notification
	callBack      http.RoundTripper

	routes  []route
	apps    map[string]*App
	atCode  string            // who completes the device code sign-ins; empty: nobody
	tokens  map[string]Object // claims by token; nil: unreadable
	journal []Request
	limits  map[string]*window
	faults  Faults
	calls   int
}

// New makes an empty tenant: one organisation without licences or accounts,
// Security Defaults off, the methods policy that Microsoft gives a new tenant.
// initialDomain is the one that never changes, for example
// contoso.onmicrosoft.com.
func New(displayName, initialDomain string, seed uint64, clock Clock) *Tenant {
	t := &Tenant{
		clock: clock, seed: seed, behave: Usual(), made: map[string]uint64{},
		users: newTable(), people: map[string]*person{},
		groups: newTable(), members: map[string][]string{}, closed: map[string]bool{}, owners: map[string][]string{},
		definitions: newTable(), assignments: newTable(), eligibility: newTable(),
		policies: newTable(), versions: map[string][]version{},
		risks: newTable(), riskyUsers: newTable(), subscriptions: newTable(),
		callBack: http.DefaultTransport, routes: routes(), apps: map[string]*App{}, tokens: map[string]Object{}, limits: map[string]*window{},
	}
	t.log = newSignInLog()
	t.organization = Object{
		"id": t.newID("organization"), "displayName": displayName, "tenantType": "AAD",
		"createdDateTime": stamp(clock.Now().AddDate(-6, 0, 0)), "countryLetterCode": "GB", "preferredLanguage": "en",
		"onPremisesSyncEnabled": nil, "technicalNotificationMails": []any{}, "assignedPlans": []any{},
		"verifiedDomains": []any{Object{
			"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true, "name": initialDomain, "type": "Managed",
		}},
	}
	t.defaults = newSecurityDefaults(false)
	t.methodsPolicy = newMethodsPolicy(clock.Now())
	for _, r := range builtInRoles() {
		t.definitions.put(text(r, "id"), r)
	}
	return t
}

// SetBehaviour replaces how the tenant behaves from now on.
func (t *Tenant) SetBehaviour(b Behaviour) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.behave = b
}

// Behaviour returns how the tenant behaves.
func (t *Tenant) Behaviour() Behaviour {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.behave
}

// SetClock hands the tenant another clock, for a loaded tenant or one that was
// prepared before the simulation began.
func (t *Tenant) SetClock(c Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock = c
}

// Organization returns /organization's only row.
func (t *Tenant) Organization() Object {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cloneObject(t.organization)
}

// InitialDomain returns the domain that never changes, or empty where the
// organisation is not known.
func (t *Tenant) InitialDomain() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range objects(t.organization, "verifiedDomains") {
		if is, _ := truth(d, "isInitial"); is {
			return strings.ToLower(text(d, "name"))
		}
	}
	return ""
}

// AddDomain adds a verified domain.
func (t *Tenant) AddDomain(name string, isDefault bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var domains []any
	for _, d := range objects(t.organization, "verifiedDomains") {
		if isDefault {
			d["isDefault"] = false
		}
		domains = append(domains, d)
	}
	t.organization["verifiedDomains"] = append(domains, Object{
		"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": isDefault, "isInitial": false, "name": name, "type": "Managed",
	})
}

// The service plans that open parts of Graph.
// Source: https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference
const (
	PlanP1 = "41781fb2-bc02-4b7c-bd55-b576c07bb09d"
	PlanP2 = "eec0eb4f-6444-4f95-aba0-50c24d67f998"
)

// AddSKU adds a subscription with its service plans (id to name), all in force.
func (t *Tenant) AddSKU(skuID, partNumber string, seats int, plans map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := []any{}
	for _, id := range sortedKeys(plans) {
		rows = append(rows, Object{"servicePlanId": id, "servicePlanName": plans[id], "provisioningStatus": "Success", "appliesTo": "User"})
	}
	account := text(t.organization, "id")
	t.skus = append(t.skus, Object{
		"id": account + "_" + skuID, "accountId": account, "accountName": text(t.organization, "displayName"),
		"skuId": skuID, "skuPartNumber": partNumber, "appliesTo": "User", "capabilityStatus": "Enabled", "consumedUnits": seats,
		"prepaidUnits":    Object{"enabled": seats, "lockedOut": 0, "suspended": 0, "warning": 0},
		"subscriptionIds": []any{t.newID("subscribedSku")}, "servicePlans": rows,
	})
}

// SetLicenceStatus changes the capabilityStatus of every SKU: Enabled, Warning,
// Suspended, LockedOut, Deleted. Only Enabled puts its plans in force.
func (t *Tenant) SetLicenceStatus(status string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.skus {
		s["capabilityStatus"] = status
	}
}

// licensed reports whether one of the plans is in force.
func (t *Tenant) licensed(plans ...string) bool {
	for _, sku := range t.skus {
		if text(sku, "capabilityStatus") != "Enabled" {
			continue
		}
		for _, p := range objects(sku, "servicePlans") {
			if text(p, "provisioningStatus") == "Success" && holds(plans, text(p, "servicePlanId")) {
				return true
			}
		}
	}
	return false
}

// premium reports whether the tenant has P1 or P2.
func (t *Tenant) premium() bool { return t.licensed(PlanP1, PlanP2) }

// HasSignInLog reports whether the licences offer a sign-in log.
func (t *Tenant) HasSignInLog() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.premium()
}

// newID makes the next id of a kind. It depends on nothing but the seed and how
// many of that kind there were, so retries and faults elsewhere change no id.
func (t *Tenant) newID(kind string) string {
	t.made[kind]++
	return makeID(t.seed, kind, t.made[kind])
}

func makeID(seed uint64, kind string, n uint64) string {
	sum := hash(seed, kind, fmt.Sprint(n))
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// share turns the seed and some words into a number from 0 (included) to 1.
func share(seed uint64, words ...string) float64 {
	sum := hash(seed, words...)
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// part returns the share of a duration that belongs to the words.
func part(d time.Duration, seed uint64, words ...string) time.Duration {
	return time.Duration(float64(d) * share(seed, words...)).Truncate(time.Second)
}

func hash(seed uint64, words ...string) [32]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seed)
	return sha256.Sum256([]byte(string(b[:]) + strings.Join(words, "\x00")))
}
