package store_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Every kind of record reads back as it was written: full of everything, with
// empty lists, and with nothing in it but what its key needs.
func recordsReadBackAsWritten(t *testing.T, s *store.Store) {
	roundTrip(t, "config", s.Config, nil,
		func(ctx context.Context, tenant rollout.TenantID, c rollout.Config) error {
			return s.PutConfig(ctx, c)
		},
		func(tenant rollout.TenantID, c *rollout.Config) { c.Tenant = tenant })
	roundTrip(t, "account", oneOf(s.Accounts), nil, saveAccount(s),
		func(_ rollout.TenantID, a *rollout.Account) { a.ID = "id" })
	roundTrip(t, "account by id",
		func(ctx context.Context, tenant rollout.TenantID) (rollout.Account, error) {
			return s.Account(ctx, tenant, "id")
		}, nil, saveAccount(s),
		func(_ rollout.TenantID, a *rollout.Account) { a.ID = "id" })
	roundTrip(t, "audit", s.Audit, nil, s.PutAudit, nil)
	roundTrip(t, "coverage", oneOf(s.Coverage), nil, s.PutCoverage,
		func(_ rollout.TenantID, p *rollout.CoveragePoint) { p.Day = rollout.DateOf(noon) })
	roundTrip(t, "observation", oneOf(s.Observations), nil,
		func(ctx context.Context, tenant rollout.TenantID, o rollout.Observation) error {
			return s.SaveObservations(ctx, tenant, []rollout.Observation{o})
		},
		func(_ rollout.TenantID, o *rollout.Observation) { o.Account, o.Policy = "account", "policy" })
	roundTrip(t, "wave", oneOf(s.Waves), func(w *rollout.Wave) *int64 { return &w.Version }, s.PutWave,
		func(_ rollout.TenantID, w *rollout.Wave) { w.Name = "everyone" })
	roundTrip(t, "wave by name",
		func(ctx context.Context, tenant rollout.TenantID) (rollout.Wave, error) {
			return s.Wave(ctx, tenant, "everyone")
		}, func(w *rollout.Wave) *int64 { return &w.Version }, s.PutWave,
		func(_ rollout.TenantID, w *rollout.Wave) { w.Name = "everyone" })
	roundTrip(t, "policy", oneOf(s.Policies), func(p *rollout.OwnedPolicy) *int64 { return &p.Version }, s.PutPolicy,
		func(_ rollout.TenantID, p *rollout.OwnedPolicy) { p.Marker = "marker" })
	roundTrip(t, "group", oneOf(s.Groups), func(g *rollout.OwnedGroup) *int64 { return &g.Version }, s.PutGroup,
		func(_ rollout.TenantID, g *rollout.OwnedGroup) { g.Purpose = rollout.GroupReady })
	roundTrip(t, "message", oneOf(s.Messages), func(m *rollout.Message) *int64 { return &m.Version }, s.ClaimMessage,
		func(_ rollout.TenantID, m *rollout.Message) { m.ID = "id" })
	roundTrip(t, "message by id",
		func(ctx context.Context, tenant rollout.TenantID) (rollout.Message, error) {
			return s.Message(ctx, tenant, "id")
		}, func(m *rollout.Message) *int64 { return &m.Version }, s.ClaimMessage,
		func(_ rollout.TenantID, m *rollout.Message) { m.ID = "id" })
	roundTrip(t, "alert", oneOf(s.Alerts), func(a *rollout.Alert) *int64 { return &a.Version }, s.ClaimAlert,
		func(_ rollout.TenantID, a *rollout.Alert) { a.ID = "id" })
	roundTrip(t, "alert by id",
		func(ctx context.Context, tenant rollout.TenantID) (rollout.Alert, error) {
			return s.Alert(ctx, tenant, "id")
		}, func(a *rollout.Alert) *int64 { return &a.Version }, s.PutAlert,
		func(_ rollout.TenantID, a *rollout.Alert) { a.ID = "id" })
	roundTrip(t, "drill", oneOf(s.Drills), func(d *rollout.Drill) *int64 { return &d.Version }, s.PutDrill,
		func(_ rollout.TenantID, d *rollout.Drill) { d.ID = "id" })
	roundTrip(t, "order", oneOf(s.Orders), func(o *rollout.Order) *int64 { return &o.Version }, s.PutOrder,
		func(_ rollout.TenantID, o *rollout.Order) { o.ID = "id" })
	roundTrip(t, "lock-out", oneOf(s.LockOuts), func(l *rollout.LockOut) *int64 { return &l.Version }, s.PutLockOut,
		func(_ rollout.TenantID, l *rollout.LockOut) { l.Account = "account" })
	roundTrip(t, "acceptance", oneOf(s.Acceptances), func(a *rollout.NamedAcceptance) *int64 { return &a.Version }, s.PutAcceptance,
		func(_ rollout.TenantID, a *rollout.NamedAcceptance) { a.Wave, a.Account = "everyone", "account" })
	roundTrip(t, "subscription", oneOf(s.Subscriptions), nil, s.PutSubscription,
		func(tenant rollout.TenantID, sub *rollout.Subscription) { sub.ID = "of " + string(tenant) })
	roundTrip(t, "proof of the emergency accounts", s.Emergency, func(p *rollout.ProvenEmergency) *int64 { return &p.Version }, s.PutEmergency,
		func(_ rollout.TenantID, p *rollout.ProvenEmergency) {
			p.Accounts = nil
			for i := range p.Proofs {
				p.Proofs[i].Account = fmt.Sprintf("account-%d", i)
				p.Accounts = append(p.Accounts, p.Proofs[i].Account)
			}
			if len(p.Proofs) == 0 {
				p.Proofs = nil
			}
		})
	roundTrip(t, "probe", s.Probe, func(p *rollout.Probe) *int64 { return &p.Version }, s.PutProbe, nil)
	roundTrip(t, "run", oneOf(s.Runs), nil,
		func(ctx context.Context, tenant rollout.TenantID, r store.Run) error {
			return s.MarkRun(ctx, tenant, r.Job, r.At, r.Result)
		},
		func(_ rollout.TenantID, r *store.Run) { r.Job = "audit" })
}

// roundTrip writes the record in its three shapes, each for a tenant of its own.
// version says where the version stands, which the store counts on; identify
// gives the record what its key needs. Either may be nil.
func roundTrip[T any](t *testing.T, kind string,
	get func(context.Context, rollout.TenantID) (T, error), version func(*T) *int64,
	put func(context.Context, rollout.TenantID, T) error, identify func(rollout.TenantID, *T),
) {
	for _, shape := range []string{"full", "empty lists", "zero"} {
		t.Run(kind+"/"+shape, func(t *testing.T) {
			tenant := rollout.TenantID(fmt.Sprintf("%s %s.onmicrosoft.com", kind, shape))
			if _, err := get(t.Context(), tenant); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("before it was written: got error %v, want ErrNotFound", err)
			}
			var want T
			switch shape {
			case "full":
				fill(reflect.ValueOf(&want).Elem(), 1)
			case "empty lists":
				fillEmpty(reflect.ValueOf(&want).Elem())
			}
			if identify != nil {
				identify(tenant, &want)
			}
			if version != nil {
				*version(&want) = 0
			}
			ok(t, put(t.Context(), tenant, want))
			if version != nil {
				*version(&want) = 1
			}
			same(t, want, must(get(t.Context(), tenant))(t))
		})
	}
}

func saveAccount(s *store.Store) func(context.Context, rollout.TenantID, rollout.Account) error {
	return func(ctx context.Context, tenant rollout.TenantID, a rollout.Account) error {
		_, _, err := s.SaveAccounts(ctx, tenant, []rollout.Account{a})
		return err
	}
}

// oneOf reads a list that must hold exactly one record.
func oneOf[T any](list func(context.Context, rollout.TenantID) ([]T, error)) func(context.Context, rollout.TenantID) (T, error) {
	return func(ctx context.Context, tenant rollout.TenantID) (T, error) {
		var none T
		records, err := list(ctx, tenant)
		switch {
		case err != nil:
			return none, err
		case len(records) == 0:
			return none, store.ErrNotFound
		case len(records) > 1:
			return none, fmt.Errorf("%d records, want one", len(records))
		}
		return records[0], nil
	}
}

// fill gives every field a value of its own, n and upwards.
func fill(v reflect.Value, n int) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(noon.Add(time.Duration(n) * 1234567891234567)))
		return
	case rollout.Date:
		v.Set(reflect.ValueOf(rollout.DateOf(noon).AddDays(n)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("項目 مثال Zoë %d", n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Float64:
		v.SetFloat(float64(n) / 3)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), 10*n+i)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), 10*n)
		fill(v.Index(1), 10*n+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for i := range 2 {
			name, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(name, 10*n+i)
			fill(value, 10*n+i)
			v.SetMapIndex(name, value)
		}
	default:
		panic("fill knows no " + v.Type().String())
	}
}

// fillEmpty gives every list and map of a record an empty one.
func fillEmpty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fillEmpty(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	}
}
