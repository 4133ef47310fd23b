package mail_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"sallyport/shared/mail"
)

// mailbox is one sender with a way to look at what it sent: everything that a
// provider shows of its messages.
type mailbox struct {
	sender mail.Sender
	sent   func(t *testing.T) []string // the raw messages, in the order of sending
}

func envelope(t testing.TB) mail.Envelope {
	return mail.Envelope{
		From: header(t).From.String(), To: []string{"megan.bowen@contoso.com"},
		MessageID: header(t).MessageID, Tenant: "contoso.onmicrosoft.com",
		Raw: compose(t, header(t), content()),
	}
}

// testSender is what every Sender has to keep. open returns an empty mailbox.
func testSender(t *testing.T, open func(t *testing.T) mailbox) {
	ctx := context.Background()

	t.Run("what was composed arrives as it is", func(t *testing.T) {
		box := open(t)
		e := envelope(t)
		id, err := box.sender.Send(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		if id == "" {
			t.Error("the provider's id is empty")
		}
		if got := box.sent(t); len(got) != 1 || got[0] != string(e.Raw) {
			t.Errorf("sent:\n%q\nwant\n%q", got, e.Raw)
		}
	})

	t.Run("several recipients, several messages", func(t *testing.T) {
		box := open(t)
		seen := map[string]bool{}
		var want []string
		for i := range 3 {
			h := header(t)
			h.To = append(h.To, address(t, "Adele Vance", "adele.vance@contoso.com"))
			h.MessageID = fmt.Sprintf("hold.everyone.%d", i)
			e := envelope(t)
			e.To, e.MessageID, e.Raw = mail.Recipients(h.To), h.MessageID, compose(t, h, content())
			id, err := box.sender.Send(ctx, e)
			if err != nil {
				t.Fatal(err)
			}
			if seen[id] {
				t.Errorf("the id %q was given twice", id)
			}
			seen[id] = true
			want = append(want, string(e.Raw))
		}
		if got := box.sent(t); !slices.Equal(got, want) {
			t.Errorf("sent %d messages, want %d in their order", len(got), len(want))
		}
	})

	// Whoever calls has to claim first: a sender that quietly dropped the second
	// would hide that nobody did.
	t.Run("twice is twice", func(t *testing.T) {
		box := open(t)
		for range 2 {
			if _, err := box.sender.Send(ctx, envelope(t)); err != nil {
				t.Fatal(err)
			}
		}
		if got := box.sent(t); len(got) != 2 {
			t.Errorf("sent %d messages, want 2", len(got))
		}
	})

	t.Run("at the same time", func(t *testing.T) {
		box := open(t)
		var wait sync.WaitGroup
		e := envelope(t)
		ids := make([]string, 10)
		errs := make([]error, 10)
		start := make(chan struct{})
		for i := range ids {
			wait.Go(func() {
				<-start
				ids[i], errs[i] = box.sender.Send(ctx, e)
			})
		}
		close(start)
		wait.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 10 {
			t.Errorf("%d different ids, want 10", n)
		}
		if got := box.sent(t); len(got) != 10 {
			t.Errorf("sent %d messages, want 10", len(got))
		}
	})

	for name, change := range map[string]func(*mail.Envelope){
		"no recipient":          func(e *mail.Envelope) { e.To = nil },
		"too many recipients":   func(e *mail.Envelope) { e.To = slices.Repeat(e.To, 51) },
		"no address":            func(e *mail.Envelope) { e.To = []string{"megan"} },
		"one of two no address": func(e *mail.Envelope) { e.To = append(e.To, "adele@") },
		"a name in the address": func(e *mail.Envelope) { e.To = []string{"Megan <megan@contoso.com>"} },
		"a header in it":        func(e *mail.Envelope) { e.To = []string{"megan@contoso.com\r\nBcc: adele@contoso.com"} },
		"no SMTPUTF8":           func(e *mail.Envelope) { e.To = []string{"zoë@contoso.com"} },
		"no sender":             func(e *mail.Envelope) { e.From = "" },
		"no message id":         func(e *mail.Envelope) { e.MessageID = "" },
		"message id too long":   func(e *mail.Envelope) { e.MessageID = strings.Repeat(".", 86) },
		"no tenant":             func(e *mail.Envelope) { e.Tenant = "" },
		"empty message":         func(e *mail.Envelope) { e.Raw = nil },
	} {
		t.Run("rejected before it is sent: "+name, func(t *testing.T) {
			box := open(t)
			e := envelope(t)
			change(&e)
			id, err := box.sender.Send(ctx, e)
			if !errors.Is(err, mail.ErrRejected) || id != "" {
				t.Errorf("id %q, error %v, want ErrRejected", id, err)
			}
			if got := box.sent(t); len(got) != 0 {
				t.Errorf("sent %d messages, want none", len(got))
			}
		})
	}

	t.Run("no time left", func(t *testing.T) {
		box := open(t)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := box.sender.Send(ended, envelope(t)); !errors.Is(err, mail.ErrNotSent) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want ErrNotSent and context.Canceled", err)
		}
		if got := box.sent(t); len(got) != 0 {
			t.Errorf("sent %d messages, want none", len(got))
		}
	})
}
