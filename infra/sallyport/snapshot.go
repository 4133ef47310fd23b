package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

func snapshotVerb() verb {
	return verb{
		name:    "snapshot",
		summary: "read a tenant into a folder of plain Graph answers, to rehearse and audit it offline",
		about: `Reads a tenant, and writes nothing to it. The folder gets one JSON file per
listing, as Graph Explorer would save it, and holds names and addresses: keep it
as you would the directory itself. What Graph has no listing of (kinds of mailbox,
per-user MFA, methods) is asked account by account: in a large tenant that takes
its time. What the tenant does not offer is named, and is not in the folder.

You sign in with a device code, as somebody who may read these things (Global
Reader does). Or put an access token for Microsoft Graph into the environment
variable GRAPH_TOKEN. GRAPH_ENDPOINT names another cloud. With --tenant the
answers come from a folder instead, however it was kept, and are written anew.`,
		examples: []string{
			"sallyport snapshot --tenant-id contoso.onmicrosoft.com --out snapshot/",
			"GRAPH_TOKEN=... sallyport snapshot --out snapshot/",
			"sallyport snapshot --tenant saved-by-hand/ --out snapshot/",
		},
		prepare: func(f *flag.FlagSet) action {
			n := &snapshot{clock: job.Wall{}}
			f.StringVar(&n.out, "out", "", "the `folder` to write; it should be empty")
			f.StringVar(&n.folder, "tenant", "", "a `folder` to take the answers from; empty: the tenant itself")
			f.StringVar(&n.tenantID, "tenant-id", "organizations", "the tenant's `domain` or id, for the device code sign-in")
			f.StringVar(&n.clientID, "client-id", graphCommandLineTools, "the public client `id` to sign in with")
			f.IntVar(&n.days, "sign-ins", 7, "how many `days` of the sign-in log")
			return n.run
		},
	}
}

// graphCommandLineTools is Microsoft's own public client for command lines.
// Source: https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
const graphCommandLineTools = "14d82eec-204b-4c2f-b7e8-296a70dab67e"

type snapshot struct {
	out, folder, tenantID, clientID string
	days                            int
	clock                           job.Clock
}

// snapped is what `sallyport snapshot --json` answers.
type snapped struct {
	Folder  string         `json:"folder"`
	Rows    map[string]int `json:"rows"`    // by listing
	Missing []left         `json:"missing"` // what the tenant does not offer or did not give
}

type left struct {
	Listing string `json:"listing"`
	Reason  string `json:"reason"`
}

func (n *snapshot) run(ctx context.Context, s session) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case n.out == "":
		return usageError{"--out names no folder"}
	case n.days < 0 || n.days > 30:
		return usageError{fmt.Sprintf("--sign-ins %d: expected 0 to 30, which is as long as Microsoft keeps them", n.days)}
	}
	if err := prepareOut(n.out); err != nil {
		return err
	}
	if n.folder != "" {
		return n.rewrite(s)
	}
	credential, err := n.credential(s)
	if err != nil {
		return err
	}
	client, err := graph.New(graph.Options{Endpoint: lookup(s.env, "GRAPH_ENDPOINT"), Credential: credential, Clock: n.clock})
	if err != nil {
		return err
	}
	answer := snapped{Folder: n.out, Rows: map[string]int{}, Missing: []left{}}
	if err := n.read(ctx, client, &answer); err != nil {
		return err
	}
	return n.show(s, answer)
}

// rewrite takes the answers from a folder.
func (n *snapshot) rewrite(s session) error {
	t, err := loadTenant(s, n.folder, 1, n.clock)
	if err != nil {
		return err
	}
	if err := t.Save(n.out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return n.show(s, snapped{Folder: n.out, Rows: map[string]int{"users": len(t.Users()), "groups": len(t.Groups()), "conditionalAccessPolicies": len(t.Policies())}, Missing: []left{}})
}

func (n *snapshot) show(s session, answer snapped) error {
	if s.json {
		return s.writeJSON(answer)
	}
	for _, name := range sortedKeys(answer.Rows) {
		fmt.Fprintf(s.stdout, "%6d  %s\n", answer.Rows[name], name)
	}
	for _, m := range answer.Missing {
		fmt.Fprintf(s.stdout, "missing  %s: %s\n", m.Listing, m.Reason)
	}
	fmt.Fprintf(s.stdout, "\nNext: sallyport rehearse --tenant %s\n", n.out)
	return nil
}

// credential is a token from the environment, else a device code sign-in.
func (n *snapshot) credential(s session) (azcore.TokenCredential, error) {
	if token := lookup(s.env, "GRAPH_TOKEN"); token != "" {
		return heldToken{token: token, until: n.clock.Now().Add(time.Hour)}, nil
	}
	credential, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		TenantID: n.tenantID, ClientID: n.clientID,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			_, err := fmt.Fprintln(s.stderr, m.Message)
			return err
		},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the sign-in: %w", err)
	}
	return credential, nil
}

// heldToken is a token that the operator brought.
type heldToken struct {
	token string
	until time.Time
}

func (h heldToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: h.token, ExpiresOn: h.until}, nil
}

func (n *snapshot) read(ctx context.Context, client *graph.Client, answer *snapped) error {
	plans, err := client.Plans(ctx)
	if err != nil {
		return fmt.Errorf("read the licences: %w", err)
	}
	p1 := rollout.HoldsPlan(plans, rollout.PlanEntraP1, rollout.PlanEntraP2)
	has := map[string]bool{"": true, "P1": p1, "P2": rollout.HoldsPlan(plans, rollout.PlanEntraP2)}
	kept := map[string][]json.RawMessage{}
	for _, l := range graph.RawListings(p1, n.clock.Now().AddDate(0, 0, -n.days)) {
		if !has[l.Premium] {
			answer.Missing = append(answer.Missing, left{l.Name, "the tenant holds no Entra ID " + l.Premium})
			continue
		}
		rows, err := client.ReadRaw(ctx, l)
		if err != nil {
			// The risk listings help, but nothing is decided by them yet; without its
			// managers a tenant is all there.
			risk := l.Name == "riskDetections" || l.Name == "riskyUsers"
			if ctx.Err() == nil && (risk || l.Name == "managers" && graph.Refusal(err) != "") {
				answer.Missing = append(answer.Missing, left{l.Name, err.Error()})
				continue
			}
			return err
		}
		kept[l.Name] = rows
		if err := n.keep(answer, l.Name, len(rows), map[string]any{"value": rows}); err != nil {
			return err
		}
	}
	for _, name := range []string{"securityDefaults", "authenticationMethodsPolicy"} {
		object, err := client.RawObject(ctx, name)
		var denied *graph.DeniedError
		if errors.As(err, &denied) && name == "authenticationMethodsPolicy" {
			answer.Missing = append(answer.Missing, left{name, err.Error()})
			continue
		}
		if err != nil {
			return err
		}
		if err := n.keep(answer, name, 1, object); err != nil {
			return err
		}
	}
	if have, all := len(kept["managers"]), len(kept["users"]); 0 < have && have < all {
		answer.Missing = append(answer.Missing, left{"managers", fmt.Sprintf("Graph listed %d of %d accounts: the managers of the others are not known", have, all)})
	}
	if err := n.groups(ctx, client, answer, kept); err != nil {
		return err
	}
	return n.accounts(ctx, client, answer, kept)
}

// groups reads every group that a policy or a role names, and those inside them.
func (n *snapshot) groups(ctx context.Context, client *graph.Client, answer *snapped, kept map[string][]json.RawMessage) error {
	users := map[string]bool{}
	for _, u := range kept["users"] {
		users[field(u, "id")] = true
	}
	wanted := namedGroups(kept, users)
	groups, seen := []json.RawMessage{}, map[string]bool{}
	for len(wanted) > 0 {
		id := wanted[0]
		wanted = wanted[1:]
		if seen[id] || users[id] {
			continue
		}
		seen[id] = true
		group, err := client.RawGroup(ctx, id)
		if errors.Is(err, graph.ErrNotFound) {
			continue // a service principal, or a group that is gone
		}
		if err != nil {
			return err
		}
		groups = append(groups, group)
		var members struct {
			Members []struct {
				ID string `json:"id"`
			} `json:"members"`
		}
		if err := json.Unmarshal(group, &members); err != nil {
			return fmt.Errorf("read the members of group %s: %w", id, err)
		}
		for _, m := range members.Members {
			wanted = append(wanted, m.ID)
		}
	}
	return n.keep(answer, "groups", len(groups), map[string]any{"value": groups})
}

// namedGroups are the groups of the policies, and the principals of roles that
// are no users.
func namedGroups(kept map[string][]json.RawMessage, users map[string]bool) []string {
	var ids []string
	for _, p := range kept["conditionalAccessPolicies"] {
		var policy struct {
			Conditions struct {
				Users struct {
					Include []string `json:"includeGroups"`
					Exclude []string `json:"excludeGroups"`
				} `json:"users"`
			} `json:"conditions"`
		}
		if err := json.Unmarshal(p, &policy); err == nil {
			ids = append(ids, slices.Concat(policy.Conditions.Users.Include, policy.Conditions.Users.Exclude)...)
		}
	}
	for _, name := range []string{"roleAssignments", "roleEligibilityScheduleInstances"} {
		for _, r := range kept[name] {
			if id := field(r, "principalId"); id != "" && !users[id] {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// keep writes one listing as one file.
func (n *snapshot) keep(answer *snapped, name string, rows int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	b.WriteByte('\n')
	if err := os.WriteFile(filepath.Join(n.out, name+".json"), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	answer.Rows[name] = rows
	return nil
}

func field(row json.RawMessage, name string) string {
	var fields map[string]json.RawMessage
	var value string
	if json.Unmarshal(row, &fields) != nil || json.Unmarshal(fields[name], &value) != nil {
		return "" // not a string: no id that could be asked for
	}
	return value
}

func lookup(env []string, name string) string {
	for _, v := range env {
		if key, value, ok := strings.Cut(v, "="); ok && key == name {
			return value
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
