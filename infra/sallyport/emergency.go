package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/infra/local/rehearsal"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func emergencyCheckVerb() verb {
	return verb{
		name:    "emergency check",
		summary: "prove the emergency accounts, policy by policy, with the way through groups",
		about: `Reads what keeps each emergency account working and proves it: that it exists, is
enabled, cloud-only, on the initial domain, permanently Global Administrator, holds
a FIDO2 key or a certificate and nothing of one person; and that every Conditional
Access policy that could stop it leaves it out, with the groups on the way. What
cannot be read proves nothing. Nothing is written.

The accounts are those of rollout.yaml (--config), or the ids given by --account.
Without --tenant the tenant itself is read, with a device code sign-in or the token
in GRAPH_TOKEN; GRAPH_ENDPOINT names another cloud.

With --table the last nightly proof is shown beside it, read with your own AWS
credentials: when it was made, what it found changed in the last 90 days, and what
changed since.

Exit code: 0 if at least two accounts are proven, 3 if not.`,
		examples: []string{
			"sallyport emergency check --tenant snapshot/ --config rollout.yaml",
			"GRAPH_TOKEN=... sallyport emergency check --account 6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d --account 9d2c...",
			"sallyport emergency check --config rollout.yaml --json | jq '.findings[].text'",
			"sallyport emergency check --config rollout.yaml --table sallyport",
		},
		prepare: func(f *flag.FlagSet) action {
			e := &emergencyCheck{}
			e.source.declare(f)
			f.StringVar(&e.config, "config", "", "a rollout.yaml `FILE` whose emergency accounts are checked")
			f.StringVar(&e.table, "table", "", "the `name` of the stack's table; empty: the nightly proof is not looked at")
			f.Func("account", "the object `id` of an account to check; may be repeated", func(id string) error {
				if !isObjectID(id) {
					return errors.New("expected an object id, as 6b0f4c1e-2a55-4f0e-9d0b-7f6c1a2b3c4d")
				}
				e.accounts = append(e.accounts, strings.ToLower(id))
				return nil
			})
			return e.run
		},
	}
}

// isObjectID reports whether the text is the id of a directory object: a name is
// none, since names can be given to others.
func isObjectID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) != 5 {
		return false
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n || strings.Trim(strings.ToLower(parts[i]), "0123456789abcdef") != "" {
			return false
		}
	}
	return true
}

// source is where the emergency verbs read from: a folder or the tenant itself.
type source struct {
	folder, at string
	signIn     snapshot // its sign-in, nothing else of it
}

func (o *source) declare(f *flag.FlagSet) {
	f.StringVar(&o.folder, "tenant", "", "a `folder` made by snapshot; empty: the tenant itself")
	f.StringVar(&o.at, "at", "", "judge a folder as of this `day`, YYYY-MM-DD; empty: today")
	f.StringVar(&o.signIn.tenantID, "tenant-id", "organizations", "the tenant's `domain` or id, for the device code sign-in")
	f.StringVar(&o.signIn.clientID, "client-id", graphCommandLineTools, "the public client `id` to sign in with")
}

// open returns what reads Graph, and the moment that is now.
func (o *source) open(s session) (*graph.Client, time.Time, error) {
	o.signIn.clock = job.Wall{}
	now := o.signIn.clock.Now()
	if o.folder == "" {
		if o.at != "" {
			return nil, now, usageError{"--at is for a folder: the tenant itself is as it is now"}
		}
		credential, err := o.signIn.credential(s)
		if err != nil {
			return nil, now, err
		}
		client, err := graph.New(graph.Options{Endpoint: lookup(s.env, "GRAPH_ENDPOINT"), Credential: credential, Clock: o.signIn.clock})
		return client, now, err
	}
	now, err := asOf(o.at)
	if err != nil {
		return nil, now, err
	}
	clock := rehearsal.NewClock(now)
	t, err := loadTenant(s, o.folder, 1, clock)
	if err != nil {
		return nil, now, err
	}
	client, err := rehearsal.Reader(t, clock)
	return client, now, err
}

type emergencyCheck struct {
	source   source
	config   string
	table    string
	accounts []string
}

func (e *emergencyCheck) run(ctx context.Context, s session) error {
	if len(s.operands) > 0 {
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	}
	if e.config == "" && len(e.accounts) == 0 {
		return usageError{"nothing says which accounts: add --config rollout.yaml, or --account for each"}
	}
	cfg, err := e.chosen(s)
	if err != nil {
		return err
	}
	client, now, err := e.source.open(s)
	if err != nil {
		return err
	}
	seen, err := client.Emergency(ctx, cfg)
	if err != nil {
		return err
	}
	answer := checkedOf(cfg, seen, now)
	if e.table != "" {
		if answer.Last, err = e.lastProof(ctx, cfg, seen); err != nil {
			return err
		}
	}
	if s.json {
		err = s.writeJSON(answer)
	} else {
		err = writeChecked(s.stdout, answer)
	}
	if err == nil && !answer.OK {
		err = heldError{fmt.Sprintf("%d of %d emergency accounts proven, at least two are needed", answer.Proven, len(answer.Accounts))}
	}
	return err
}

// lastProof reads the nightly proof of the tenant that was read.
func (e *emergencyCheck) lastProof(ctx context.Context, cfg rollout.Config, seen rollout.EmergencyReading) (*checkedProof, error) {
	table, err := openTable(ctx, e.table)
	if err != nil {
		return nil, err
	}
	proof, err := table.Emergency(ctx, rollout.TenantID(strings.ToLower(seen.Organization.InitialDomain)))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the nightly proof from table %s: %w", e.table, err)
	}
	return lastProofOf(proof, seen.Prove(cfg)), nil
}

// chosen are the accounts to check: those of --account, with what rollout.yaml
// says of them, or all of rollout.yaml.
func (e *emergencyCheck) chosen(s session) (rollout.Config, error) {
	var cfg rollout.Config
	if e.config != "" {
		var err error
		if cfg, err = readConfig(s, e.config); err != nil {
			return rollout.Config{}, err
		}
	}
	if len(e.accounts) == 0 {
		return cfg, nil
	}
	known := cfg.EmergencyAccounts
	cfg.EmergencyAccounts = nil
	for _, id := range e.accounts {
		account := rollout.EmergencyAccount{ID: id}
		if i := slices.IndexFunc(known, func(k rollout.EmergencyAccount) bool { return strings.EqualFold(k.ID, id) }); i >= 0 {
			account = known[i]
		}
		if !cfg.IsEmergency(id) {
			cfg.EmergencyAccounts = append(cfg.EmergencyAccounts, account)
		}
	}
	return cfg, nil
}
