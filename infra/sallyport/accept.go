package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func acceptVerb() verb {
	return verb{
		name: "accept", operands: "ACCOUNT...",
		summary: "accept by name that a switch stops somebody who could not be told",
		about: `A wave is held while somebody would be stopped who was not provably told 14 days
before. What you accept here lets the switch be made all the same, for these
accounts and this wave alone. Who accepted it, why and when stays in the table.
For a decision that should stand in your repository, write it under accepted in
rollout.yaml instead: both count.

ACCOUNT is a user principal name or an object id, as sallyport blast shows them.
Without --yes it only shows what would be recorded.`,
		examples: []string{
			"sallyport accept kim@contoso.com --wave everyone --by \"Alex Wilber\" --reason \"on leave, knows by phone\" --table sallyport",
			"sallyport accept kim@contoso.com sam@contoso.com --wave everyone --by \"Alex Wilber\" --reason \"left in December\" --table sallyport --yes",
		},
		prepare: func(f *flag.FlagSet) action {
			a := &acceptance{clock: job.Wall{}}
			tableFlag(f, &a.table)
			f.StringVar(&a.tenant, "of", "", "the `tenant` in the table, as contoso.onmicrosoft.com; empty: the only one")
			f.StringVar(&a.wave, "wave", "", "the wave's `name`")
			f.StringVar(&a.by, "by", "", "the `name` of who accepts it")
			f.StringVar(&a.reason, "reason", "", "`why` it is acceptable")
			f.BoolVar(&a.yes, "yes", false, "do it; otherwise only show")
			return a.run
		},
	}
}

type acceptance struct {
	table, tenant    string
	wave, by, reason string
	yes              bool
	clock            job.Clock
}

// acceptedAnswer is what `sallyport accept --json` answers.
type acceptedAnswer struct {
	Tenant   rollout.TenantID          `json:"tenant"`
	Accepted []rollout.NamedAcceptance `json:"accepted"`
	Recorded bool                      `json:"recorded"`
}

// acceptTable is what the verb needs of the table.
type acceptTable interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Accounts(ctx context.Context, t rollout.TenantID) ([]rollout.Account, error)
	Acceptances(ctx context.Context, t rollout.TenantID) ([]rollout.NamedAcceptance, error)
	PutAcceptance(ctx context.Context, t rollout.TenantID, a rollout.NamedAcceptance) error
}

func (a *acceptance) run(ctx context.Context, s session) error {
	switch {
	case len(s.operands) == 0:
		return usageError{"nobody is named: accepting is by name, one by one"}
	case a.wave == "":
		return usageError{"--wave names no wave: an acceptance holds for one switch"}
	case strings.TrimSpace(a.by) == "":
		return usageError{"--by names nobody: who accepts it?"}
	case strings.TrimSpace(a.reason) == "":
		return usageError{"--reason is missing: why is it acceptable?"}
	}
	table, err := openTable(ctx, a.table)
	if err != nil {
		return err
	}
	tenant, err := chooseTenant(ctx, table, a.table, a.tenant)
	if err != nil {
		return err
	}
	return a.record(ctx, s, table, tenant)
}

// record accepts all that were named, or nobody if one of them is a stranger.
func (a *acceptance) record(ctx context.Context, s session, table acceptTable, tenant rollout.TenantID) error {
	cfg, err := table.Config(ctx, tenant)
	if err != nil {
		return fmt.Errorf("read the plan of %s: %w", tenant, err)
	}
	if _, err := (gathered{cfg: cfg}).waves(a.wave); err != nil {
		return err
	}
	accounts, err := table.Accounts(ctx, tenant)
	if err != nil {
		return fmt.Errorf("read the accounts of %s: %w", tenant, err)
	}
	answer := acceptedAnswer{Tenant: tenant, Accepted: []rollout.NamedAcceptance{}, Recorded: a.yes}
	for _, name := range s.operands {
		i := slices.IndexFunc(accounts, func(x rollout.Account) bool {
			return strings.EqualFold(x.ID, name) || strings.EqualFold(x.UserPrincipalName, name)
		})
		if i < 0 {
			return fmt.Errorf("%s: the audit knows no such account; nothing was recorded", name)
		}
		if cfg.IsEmergency(accounts[i].ID) {
			return fmt.Errorf("%s is an emergency account, which no switch may stop; nothing was recorded", name)
		}
		answer.Accepted = append(answer.Accepted, rollout.NamedAcceptance{
			Wave: a.wave, Account: accounts[i].ID, By: strings.TrimSpace(a.by), Reason: strings.TrimSpace(a.reason), At: a.clock.Now().UTC().Truncate(time.Second),
		})
	}
	if a.yes {
		for _, x := range answer.Accepted {
			// Once accepted stays as it was said first: twice is no mistake.
			if err := table.PutAcceptance(ctx, tenant, x); err != nil && !errors.Is(err, store.ErrConflict) {
				return fmt.Errorf("record that %s is accepted: %w", x.Account, err)
			}
		}
	}
	return a.show(s, answer)
}

func (a *acceptance) show(s session, answer acceptedAnswer) error {
	if s.json {
		return s.writeJSON(answer)
	}
	for i, x := range answer.Accepted {
		fmt.Fprintf(s.stdout, "%s (%s): may be stopped by wave %s, says %s: %s\n", printable(s.operands[i]), x.Account, x.Wave, printable(x.By), printable(x.Reason))
	}
	if answer.Recorded {
		fmt.Fprintln(s.stdout, "\nRecorded. The next hourly run goes by it; sallyport gates shows what is left.")
		return nil
	}
	fmt.Fprintf(s.stdout, "\nNothing was recorded. With --yes it goes into table %s.\n", a.table)
	return nil
}
