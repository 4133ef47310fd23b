package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/functions/breakglass"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func alertsListVerb() verb {
	return verb{
		name:    "alerts list",
		summary: "list the alerts about emergency accounts that nobody has acknowledged",
		about: `Lists the alerts in the stack's table, the newest first, with your own AWS
credentials. An alert that is not acknowledged is repeated to the next contact.`,
		examples: []string{
			"sallyport alerts list --table sallyport",
			"sallyport alerts list --all --tenant contoso.onmicrosoft.com --table sallyport --json",
		},
		prepare: func(f *flag.FlagSet) action {
			l := &alertsList{}
			tableFlag(f, &l.table)
			f.StringVar(&l.tenant, "tenant", "", "only those of one tenant, by its initial `domain`")
			f.BoolVar(&l.all, "all", false, "also those that are acknowledged, and the repetitions")
			return l.run
		},
	}
}

func alertsAckVerb() verb {
	return verb{
		name: "alerts ack", operands: "[ID]",
		summary: "acknowledge an alert, so that nobody else is called about it",
		about: `Records that somebody looks after an alert: it is not repeated any more. With the
id of a repetition, everything that it called about is acknowledged. Doing it
again changes nothing: whoever came first stays.`,
		examples: []string{
			"sallyport alerts ack signin-66ea54eb-6301-4ee5-be62-ff5a759b0100 --by \"Alex Wilber\" --table sallyport",
			"sallyport alerts ack --all --tenant contoso.onmicrosoft.com --table sallyport",
		},
		prepare: func(f *flag.FlagSet) action {
			a := &alertsAck{}
			tableFlag(f, &a.table)
			f.StringVar(&a.tenant, "tenant", "", "look at one tenant alone, by its initial `domain`")
			f.StringVar(&a.by, "by", "", "who looks after it, a `name`; your user name if left out")
			f.BoolVar(&a.all, "all", false, "all that nobody has acknowledged")
			return a.run
		},
	}
}

type alertsList struct {
	table, tenant string
	all           bool
}

// listedAlert is one line of `sallyport alerts list --json`.
type listedAlert struct {
	Tenant     rollout.TenantID `json:"tenant"`
	ID         string           `json:"id"`
	Kind       string           `json:"kind"`
	Account    string           `json:"account"`
	What       string           `json:"what"`
	Drill      bool             `json:"drill"`
	OccurredAt time.Time        `json:"occurredAt"`
	AlertedAt  *time.Time       `json:"alertedAt"` // null: it has left by no channel yet
	AckedAt    *time.Time       `json:"ackedAt"`   // null: not acknowledged
	AckedBy    string           `json:"ackedBy,omitempty"`
	Contact    string           `json:"contact,omitempty"` // of a repetition: who was called
}

func (l *alertsList) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("%q stands where nothing is expected", s.operands[0])}
	}
	table, err := openTable(ctx, l.table)
	if err != nil {
		return err
	}
	lines, err := listAlerts(ctx, table, l.tenant, l.all)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(map[string]any{"alerts": lines})
	}
	return writeAlerts(s.stdout, lines, l.table)
}

// listAlerts returns the alerts of the tenants, the newest first.
func listAlerts(ctx context.Context, table *store.Store, tenant string, all bool) ([]listedAlert, error) {
	lines := []listedAlert{}
	err := eachTenant(ctx, table, tenant, func(t rollout.TenantID, alerts []rollout.Alert) error {
		if !all {
			alerts = rollout.Unacknowledged(alerts)
		}
		for _, a := range alerts {
			lines = append(lines, listedAlert{
				Tenant: t, ID: a.ID, Kind: a.Kind, Account: a.Account, What: alertWords(a), Drill: a.Drill != "",
				OccurredAt: a.OccurredAt, AlertedAt: orNull(a.AlertedAt), AckedAt: orNull(a.AckedAt), AckedBy: a.AckedBy, Contact: a.Contact,
			})
		}
		return nil
	})
	slices.SortFunc(lines, func(a, b listedAlert) int { return cmp.Or(b.OccurredAt.Compare(a.OccurredAt), cmp.Compare(a.ID, b.ID)) })
	return lines, err
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func alertWords(a rollout.Alert) string {
	if a.Kind != rollout.AlertRepetition {
		return breakglass.WhatHappened(a)
	}
	who := "everybody"
	if a.Contact != "" {
		who = a.Contact
	}
	if a.Repeats == 1 {
		return who + " was called about 1 alert"
	}
	return fmt.Sprintf("%s was called about %d alerts", who, a.Repeats)
}

func writeAlerts(out io.Writer, lines []listedAlert, table string) error {
	if len(lines) == 0 {
		_, err := fmt.Fprintln(out, "Nothing is waiting to be acknowledged.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "WHEN (UTC)\tTENANT\tACCOUNT\tWHAT\tACKNOWLEDGED\tID\n")
	for _, l := range lines {
		acked := "no"
		if l.AckedAt != nil {
			acked = l.AckedAt.UTC().Format("2 Jan 15:04 ") + l.AckedBy
		}
		what := l.What
		if l.Drill {
			what += " (drill open)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.OccurredAt.UTC().Format("2 Jan 15:04"), l.Tenant, l.Account, what, acked, l.ID)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	_, err := fmt.Fprintf(out, "\nAcknowledge one: sallyport alerts ack ID --table %s\n", table)
	return err
}

type alertsAck struct {
	table, tenant, by string
	all               bool
}

// ackedAlert is one of `sallyport alerts ack --json`.
type ackedAlert struct {
	Tenant rollout.TenantID `json:"tenant"`
	ID     string           `json:"id"`
}

func (a *alertsAck) run(ctx context.Context, s session) error {
	switch {
	case a.all && len(s.operands) > 0:
		return usageError{"name an ID or --all, not both"}
	case !a.all && len(s.operands) != 1:
		return usageError{fmt.Sprintf("expected one ID, got %d; `sallyport alerts list` shows them, --all takes all", len(s.operands))}
	}
	table, err := openTable(ctx, a.table)
	if err != nil {
		return err
	}
	id := ""
	if !a.all {
		id = s.operands[0]
	}
	acked, err := ackAlerts(ctx, table, a.tenant, id, a.who(s.env), job.Wall{}.Now())
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(map[string]any{"acknowledged": acked})
	}
	if len(acked) == 0 {
		fmt.Fprintln(s.stdout, "Acknowledged before: nothing was changed.")
		return nil
	}
	for _, one := range acked {
		fmt.Fprintf(s.stdout, "%s %s is acknowledged.\n", one.Tenant, one.ID)
	}
	fmt.Fprintln(s.stdout, "Nobody else is called about it.")
	return nil
}

// who acknowledges: a name that was given, or the user at the keyboard.
func (a *alertsAck) who(env []string) string {
	if a.by != "" {
		return a.by
	}
	for _, pair := range env {
		if name, is := strings.CutPrefix(pair, "USER="); is && name != "" {
			return name
		}
	}
	return "by command"
}

// ackAlerts acknowledges one alert, or all if the id is empty, and returns those
// that nobody had acknowledged.
func ackAlerts(ctx context.Context, table *store.Store, tenant, id, by string, at time.Time) ([]ackedAlert, error) {
	acked := []ackedAlert{}
	in := map[rollout.TenantID][]rollout.Alert{}
	err := eachTenant(ctx, table, tenant, func(t rollout.TenantID, alerts []rollout.Alert) error {
		switch {
		case id == "":
			// Pairs go together: the half that is not listed too.
			in[t] = slices.DeleteFunc(alerts, func(a rollout.Alert) bool { return !a.AckedAt.IsZero() })
		case slices.ContainsFunc(alerts, func(a rollout.Alert) bool { return a.ID == id }):
			in[t] = rollout.Covered(alerts, id)
		}
		return nil
	})
	switch {
	case err != nil:
		return acked, err
	case id != "" && len(in) == 0:
		return acked, fmt.Errorf("there is no alert %s; `sallyport alerts list` shows those that are open", id)
	case id != "" && len(in) > 1:
		// Calls are named by their time, which two tenants may share.
		return acked, fmt.Errorf("%d tenants have an alert %s: name one with --tenant", len(in), id)
	}
	var failed error
	for t, alerts := range in {
		done, err := breakglass.Acknowledge(ctx, table, t, alerts, by, at)
		failed = errors.Join(failed, err)
		for _, a := range done {
			acked = append(acked, ackedAlert{t, a.ID})
		}
	}
	slices.SortFunc(acked, func(a, b ackedAlert) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID)) })
	return acked, failed
}

// eachTenant hands over the alerts of one tenant, or of every one in the table.
func eachTenant(ctx context.Context, table *store.Store, tenant string, do func(rollout.TenantID, []rollout.Alert) error) error {
	tenants, err := tenantsOf(ctx, table, tenant)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		alerts, err := table.Alerts(ctx, t)
		if err != nil {
			return fmt.Errorf("read the alerts of tenant %s: %w", t, err)
		}
		if err := do(t, alerts); err != nil {
			return err
		}
	}
	return nil
}
