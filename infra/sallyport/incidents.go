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

	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func incidentsVerb() verb {
	return verb{
		name:    "incidents",
		summary: "list who is locked out since a switch, why, and what the help desk should do",
		about: `Lists the lock-outs in the stack's table, with your own AWS credentials: who has
waited longest first. A person is locked out who was stopped for a reason that
has to do with MFA and had no success within the hour; wrong passwords are none.`,
		examples: []string{
			"sallyport incidents --table sallyport",
			"sallyport incidents --all --tenant contoso.onmicrosoft.com --table sallyport --json",
		},
		prepare: func(f *flag.FlagSet) action {
			i := &incidents{}
			tableFlag(f, &i.table)
			f.StringVar(&i.tenant, "tenant", "", "only those of one tenant, by its initial `domain`")
			f.BoolVar(&i.all, "all", false, "also those who are in again")
			return i.run
		},
	}
}

type incidents struct {
	table, tenant string
	all           bool
}

// incident is one line of `sallyport incidents --json`.
type incident struct {
	Tenant   rollout.TenantID `json:"tenant"`
	Account  string           `json:"account"` // object id
	User     string           `json:"user"`    // the name that they sign in with; the id if the account is gone
	Name     string           `json:"name"`
	Manager  string           `json:"manager,omitempty"` // object id
	Cause    string           `json:"cause"`
	Policies []string         `json:"policies"`
	Advice   string           `json:"advice"`
	OpenedAt time.Time        `json:"openedAt"`
	LastAt   time.Time        `json:"lastAt"`
	Attempts int              `json:"attempts"`
	Codes    []int            `json:"codes"`
	ClosedAt *time.Time       `json:"closedAt"` // null: still locked out
	ClosedBy string           `json:"closedBy,omitempty"`
}

func (i *incidents) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("%q stands where nothing is expected", s.operands[0])}
	}
	table, err := openTable(ctx, i.table)
	if err != nil {
		return err
	}
	list, err := listIncidents(ctx, table, i.tenant, i.all)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(map[string]any{"incidents": list})
	}
	return writeIncidents(s.stdout, list)
}

// listIncidents returns the lock-outs of the tenants: those who are outside first,
// and of these who has waited longest.
func listIncidents(ctx context.Context, table *store.Store, tenant string, all bool) ([]incident, error) {
	tenants, err := tenantsOf(ctx, table, tenant)
	if err != nil {
		return nil, err
	}
	list := []incident{}
	for _, t := range tenants {
		lockOuts, err := table.LockOuts(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("read the lock-outs of tenant %s: %w", t, err)
		}
		for _, l := range lockOuts {
			if !all && !l.ClosedAt.IsZero() {
				continue
			}
			one, err := incidentOf(ctx, table, t, l)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
	}
	inside := func(i incident) int {
		if i.ClosedAt == nil {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(x, y incident) int {
		return cmp.Or(cmp.Compare(inside(x), inside(y)), x.OpenedAt.Compare(y.OpenedAt))
	})
	return list, nil
}

func incidentOf(ctx context.Context, table *store.Store, t rollout.TenantID, l rollout.LockOut) (incident, error) {
	one := incident{
		Tenant: t, Account: l.Account, User: l.Account, Cause: l.Cause, Policies: l.Policies, Advice: l.Advice,
		OpenedAt: l.OpenedAt, LastAt: l.LastAt, Attempts: l.Attempts, Codes: l.Codes, ClosedBy: l.ClosedBy,
	}
	if !l.ClosedAt.IsZero() {
		one.ClosedAt = &l.ClosedAt
	}
	account, err := table.Account(ctx, t, l.Account)
	if errors.Is(err, store.ErrNotFound) {
		return one, nil // has left since
	}
	if err != nil {
		return incident{}, fmt.Errorf("read account %s of tenant %s: %w", l.Account, t, err)
	}
	one.User, one.Name, one.Manager = cmp.Or(account.UserPrincipalName, l.Account), account.DisplayName, account.Manager
	return one, nil
}

func writeIncidents(out io.Writer, list []incident) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "Nobody is locked out.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "SINCE (UTC)\tTENANT\tUSER\tWHY\tTRIES\tIN AGAIN\n")
	for _, i := range list {
		why, again := i.Cause, "no"
		if len(i.Policies) > 0 {
			why += ": " + strings.Join(i.Policies, ", ")
		}
		if i.ClosedAt != nil {
			again = i.ClosedAt.UTC().Format("2 Jan 15:04 ") + i.ClosedBy
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", i.OpenedAt.UTC().Format("2 Jan 15:04"), i.Tenant, printable(i.User), printable(why), i.Attempts, again)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	fmt.Fprint(out, "\nWhat to do\n")
	said := map[string]bool{}
	for _, i := range list {
		if i.ClosedAt == nil && !said[i.Cause] {
			said[i.Cause] = true
			fmt.Fprintf(out, "  %s: %s\n", printable(i.Cause), i.Advice)
		}
	}
	return nil
}
