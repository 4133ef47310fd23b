package store_test

import (
	"fmt"
	"reflect"
	"testing"

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// A rehearsal reads the table tens of thousands of times.
func BenchmarkMemory(b *testing.B) {
	s := store.New(store.NewMemory())
	ctx := b.Context()
	accounts := make([]rollout.Account, 250)
	for i := range accounts {
		fill(reflect.ValueOf(&accounts[i]).Elem(), i)
		accounts[i].ID = fmt.Sprint(i)
	}
	_, _, err := s.SaveAccounts(ctx, contoso, accounts)
	ok(b, err)
	for i := range 1500 {
		m := rollout.Message{ID: fmt.Sprint(i), Kind: rollout.MessageHold, Details: map[string]string{"a": "b"}}
		ok(b, s.ClaimMessage(ctx, contoso, m))
	}
	b.Run("250 accounts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(s.Accounts(ctx, contoso))(b)
		}
	})
	b.Run("1500 messages", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(s.Messages(ctx, contoso))(b)
		}
	})
	b.Run("one account", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(s.Account(ctx, contoso, "17"))(b)
		}
	})
	b.Run("lease taken and given back", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ok(b, s.AcquireLease(ctx, contoso, "breakglass", "run", noon, ttl))
			ok(b, s.ReleaseLease(ctx, contoso, "breakglass", "run"))
		}
	})
}
