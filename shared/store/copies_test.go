package store_test

import (
	"context"
	"reflect"
	"testing"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Whoever has read a record may change it without changing the table, and
// whoever has written one likewise.
func recordsAreCopies(t *testing.T, s *store.Store) {
	var written, want rollout.AuditRun
	fill(reflect.ValueOf(&written).Elem(), 1)
	fill(reflect.ValueOf(&want).Elem(), 1)
	ok(t, s.PutAudit(t.Context(), contoso, written))
	spoil(reflect.ValueOf(&written).Elem())
	read := must(s.Audit(t.Context(), contoso))(t)
	same(t, want, read)
	spoil(reflect.ValueOf(&read).Elem())
	same(t, want, must(s.Audit(t.Context(), contoso))(t))

	m := rollout.Message{ID: "1", Kind: rollout.MessageHold, Details: map[string]string{"gate": "notice"}}
	ok(t, s.ClaimMessage(t.Context(), contoso, m))
	must(s.Messages(t.Context(), contoso))(t)[0].Details["gate"] = "spoilt"
	same(t, "notice", must(s.Message(t.Context(), contoso, "1"))(t).Details["gate"])
}

// spoil overwrites, in place, all that a shallow copy would share.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[rollout.Date]() || !v.CanSet() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		v.Clear()
	}
}

// A cancelled run gets no answers and writes nothing.
func cancelled(t *testing.T, s *store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Wave(ctx, contoso, "everyone")
	wantErr(t, context.Canceled, err)
	_, err = s.Waves(ctx, contoso)
	wantErr(t, context.Canceled, err)
	wantErr(t, context.Canceled, s.PutWave(ctx, contoso, rollout.Wave{Name: "everyone"}))
	wantErr(t, context.Canceled, s.MarkUnreachable(ctx, contoso, "ana", "bounced"))
	wantErr(t, context.Canceled, saveAccount(s)(ctx, contoso, rollout.Account{ID: "ana"}))
	same(t, 0, len(must(s.Waves(t.Context(), contoso))(t)))
}
