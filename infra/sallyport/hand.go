package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// hand is what the verbs have in common that take a rollout in hand: which tenant
// of which table, who does it, and why.
type hand struct {
	table, tenant, reason string
	yes, wait             bool

	clock job.Clock
	open  func(ctx context.Context, table string) (*store.Store, error)
	who   func(ctx context.Context) (string, error)
}

// newHand reaches for the real table, in the name of the AWS credentials at hand.
func newHand() *hand { return &hand{clock: job.Wall{}, open: openTable, who: caller} }

// caller is the ARN of whoever the AWS credentials belong to. AWS says it, so
// that nobody can act in another's name.
func caller(ctx context.Context) (string, error) {
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return "", fmt.Errorf("find your AWS credentials: %w", err)
	}
	who, err := sts.NewFromConfig(aws).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask AWS who you are: %w", err)
	}
	if who.Arn == nil || *who.Arn == "" {
		return "", errors.New("ask AWS who you are: it gave no ARN")
	}
	return *who.Arn, nil
}

// where declares the flags that say which tenant.
func (h *hand) where(f *flag.FlagSet) {
	tableFlag(f, &h.table)
	f.StringVar(&h.tenant, "tenant", "", "the `tenant`, as in its rollout.yaml; empty: the only one of the table")
}

// act declares the flags of a verb that changes something.
func (h *hand) act(f *flag.FlagSet) {
	h.where(f)
	f.StringVar(&h.reason, "reason", "", "`why`, for the change log")
	f.BoolVar(&h.yes, "yes", false, "do it; otherwise only show")
}

// waits declares --wait.
func (h *hand) waits(f *flag.FlagSet) {
	f.BoolVar(&h.wait, "wait", false, "wait until it was carried out or refused, 15 minutes at most")
}

// reach opens the table and settles which tenant is meant.
func (h *hand) reach(ctx context.Context) (*store.Store, rollout.TenantID, error) {
	table, err := h.open(ctx, h.table)
	if err != nil {
		return nil, "", err
	}
	tenants, err := table.Tenants(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("list the tenants of table %s: %w", h.table, err)
	}
	names := make([]string, 0, len(tenants))
	for _, t := range tenants {
		names = append(names, string(t))
	}
	switch {
	case len(tenants) == 0:
		return nil, "", fmt.Errorf("table %s holds no tenant yet; begin with sallyport apply", h.table)
	case h.tenant == "" && len(tenants) > 1:
		return nil, "", usageError{fmt.Sprintf("table %s holds %d tenants; choose one with --tenant: %s", h.table, len(tenants), strings.Join(names, ", "))}
	case h.tenant == "":
		return table, tenants[0], nil
	}
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, h.tenant) })
	if i < 0 {
		return nil, "", usageError{fmt.Sprintf("table %s holds no tenant %q; it holds: %s", h.table, h.tenant, strings.Join(names, ", "))}
	}
	return table, tenants[i], nil
}

// ordered is what the verbs that give an order answer with --json.
type ordered struct {
	Tenant  rollout.TenantID `json:"tenant"`
	Follows string           `json:"follows"` // what the order leads to
	Ordered bool             `json:"ordered"` // false without --yes
	Order   *rollout.Order   `json:"order"`
}

// give shows what an order would lead to, and gives it with --yes.
func (h *hand) give(ctx context.Context, s session, table *store.Store, t rollout.TenantID, o rollout.Order, follows string) error {
	answer := ordered{Tenant: t, Follows: follows}
	if !h.yes {
		if s.json {
			return s.writeJSON(answer)
		}
		fmt.Fprintf(s.stdout, "%s\n\nNothing was ordered. With --yes it is.\n", follows)
		return nil
	}
	var err error
	if o.By, err = h.who(ctx); err != nil {
		return err
	}
	o.At, o.Reason, o.State = h.clock.Now().UTC(), h.reason, rollout.OrderOpen
	o.ID = o.At.Format("20060102T150405.000000000Z") + "-" + string(o.Kind)
	if err := table.PutOrder(ctx, t, o); err != nil {
		return fmt.Errorf("give the order: %w", err)
	}
	if !s.json {
		fmt.Fprintf(s.stdout, "%s\n\nOrdered. The function enforce carries it out within five minutes.\n", follows)
	}
	if h.wait {
		if o, err = h.await(ctx, table, t, o); err != nil {
			return err
		}
	}
	answer.Ordered, answer.Order = true, &o
	if s.json {
		if err := s.writeJSON(answer); err != nil {
			return err
		}
	} else if h.wait {
		fmt.Fprintf(s.stdout, "%s: %s.\n", strings.ToUpper(string(o.State[:1]))+string(o.State[1:]), o.Outcome)
	}
	if o.State == rollout.OrderRefused {
		err := fmt.Errorf("the order was refused: %s", o.Outcome)
		return shownError{err}
	}
	return nil
}

// How long an order is waited for, and how often it is looked after.
const (
	waitFor  = 15 * time.Minute
	lookEach = 5 * time.Second
)

// await looks after an order until something came of it.
func (h *hand) await(ctx context.Context, table *store.Store, t rollout.TenantID, o rollout.Order) (rollout.Order, error) {
	for end := h.clock.Now().Add(waitFor); h.clock.Now().Before(end); {
		orders, err := table.Orders(ctx, t)
		if err != nil {
			return o, fmt.Errorf("look what came of the order: %w", err)
		}
		i := slices.IndexFunc(orders, func(x rollout.Order) bool { return x.ID == o.ID })
		if i >= 0 && orders[i].State != rollout.OrderOpen {
			return orders[i], nil
		}
		if err := h.clock.Sleep(ctx, lookEach); err != nil {
			return o, fmt.Errorf("the order stands, and nobody waits for it any more: %w", err)
		}
	}
	return o, fmt.Errorf("the order stands, and nothing came of it in %s: look into the log of the function enforce", waitFor)
}
