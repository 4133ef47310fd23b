package setup

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/identity"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// Change is what is done to a policy.
type Change string

// The changes.
const (
	Exclude Change = "exclude" // the group is added to the excluded ones
	Already Change = "already" // it stands there
	Leave   Change = "leave"   // the policy is not touched; Why says why
)

// Policy is a Conditional Access policy and what is done to it.
type Policy struct {
	ID       string
	Name     string
	State    string
	Excluded []string // the groups that it excludes now, as Graph lists them
	Change   Change
	Why      string

	raw json.RawMessage // the whole policy, as it was listed
}

// policyRow is what is read of a policy. Its controls are never decoded.
type policyRow struct {
	ID         string `json:"id"`
	Name       string `json:"displayName"`
	State      string `json:"state"`
	Conditions struct {
		Users struct {
			IncludeUsers  []string `json:"includeUsers"`
			IncludeGroups []string `json:"includeGroups"`
			ExcludeGroups []string `json:"excludeGroups"`
		} `json:"users"`
	} `json:"conditions"`
}

func policyOf(raw json.RawMessage, group string) (Policy, error) {
	var row policyRow
	if err := json.Unmarshal(raw, &row); err != nil || row.ID == "" {
		return Policy{}, fmt.Errorf("a policy cannot be understood (%s): nothing is changed while one of them may be the one that matters: %w", cmp.Or(row.ID, "no id"), err)
	}
	p := Policy{ID: row.ID, Name: row.Name, State: row.State, Excluded: row.Conditions.Users.ExcludeGroups, Change: Exclude, raw: bytes.Clone(raw)}
	switch users := row.Conditions.Users; {
	case slices.Equal(users.IncludeUsers, []string{"None"}) && len(users.IncludeGroups) == 0:
		p.Change, p.Why = Leave, "it is not about people"
	case group != "" && holds(users.IncludeGroups, group):
		p.Change, p.Why = Leave, "it was made for these accounts: it includes their group"
	case group != "" && holds(p.Excluded, group):
		p.Change = Already
	}
	return p, nil
}

// lookAtPolicies reads every policy, those first whose change harms nobody: if
// Graph ever made something else of a change than what was meant, it shows on one
// that is off, and the ones that are on are not touched.
func (r Room) lookAtPolicies(ctx context.Context, group string) ([]Policy, error) {
	listings := graph.RawListings(false, time.Time{})
	i := slices.IndexFunc(listings, func(l graph.RawListing) bool { return l.Name == "conditionalAccessPolicies" })
	rows, err := r.Reader.ReadRaw(ctx, listings[i])
	if err != nil {
		return nil, fmt.Errorf("read the Conditional Access policies: %w", err)
	}
	policies := make([]Policy, len(rows))
	for i, row := range rows {
		if policies[i], err = policyOf(row, group); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(policies, func(a, b Policy) int { return cmp.Compare(danger(a.State), danger(b.State)) })
	return policies, nil
}

func danger(state string) int {
	switch state {
	case rollout.StateDisabled:
		return 0
	case rollout.StateReportOnly:
		return 1
	}
	return 2
}

// exclude adds the group to those that a policy excludes, and reads the policy back.
// Whether Graph merges what is sent or replaces more than that is documented
// nowhere: the smallest body is sent, and whatever else changed is put back.
func (r Room) exclude(ctx context.Context, p Policy, group string) error {
	before, err := r.Writer.policy(ctx, p.ID)
	if err != nil {
		return fmt.Errorf("read policy %s before it is changed: %w", p.ID, err)
	}
	now, err := policyOf(before, group)
	if err != nil {
		return err
	}
	if now.Change == Already {
		return nil
	}
	if !bytes.Equal(meaning(before, true), meaning(p.raw, true)) {
		return fmt.Errorf("policy %s was changed by somebody since it was listed: nothing was done to it. Run this again, and look at what it is now", p.ID)
	}
	want := append(slices.Clone(now.Excluded), group)
	err = r.ensure(ctx, func() error { return r.Writer.setExcluded(ctx, p.ID, want) }, func() (bool, error) { return false, nil })
	if err != nil {
		return fmt.Errorf("exclude the group from policy %s: %w", p.ID, err)
	}
	for tries := 0; ; tries++ {
		after, err := r.Writer.policy(ctx, p.ID)
		if err != nil {
			return fmt.Errorf("read policy %s back: %w. Run this again", p.ID, err)
		}
		is, err := policyOf(after, group)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(meaning(before, false), meaning(after, false)) || !within(now.Excluded, is.Excluded):
			return r.putBack(ctx, p.ID, before)
		case holds(is.Excluded, group):
			return nil
		case tries == 3:
			return fmt.Errorf("policy %s does not show the exclusion after it was written: run this again in some minutes", p.ID)
		}
		if err := r.Writer.clock.Sleep(ctx, 2*time.Second<<tries); err != nil {
			return err
		}
	}
}

// putBack gives a policy its conditions back, in the very words in which Graph told
// them.
func (r Room) putBack(ctx context.Context, id string, before json.RawMessage) error {
	err := r.Writer.restore(ctx, id, before)
	if err == nil {
		var after json.RawMessage
		if after, err = r.Writer.policy(ctx, id); err == nil && !bytes.Equal(meaning(before, true), meaning(after, true)) {
			err = errors.New("it still differs from what it was")
		}
	}
	if err != nil {
		return fmt.Errorf("excluding the group changed more of policy %s than its exclusions, and it could not be put back: %w. Compare it NOW with what it was: %s", id, err, meaning(before, true))
	}
	return fmt.Errorf("excluding the group would have changed more of policy %s than its exclusions: it is as it was before, and no other policy was touched. Exclude the group by hand", id)
}

// meaning is what a policy says, in one way of writing: without dates, without what
// is empty, with lists in order; and, unless whole, without the excluded groups.
func meaning(raw json.RawMessage, whole bool) []byte {
	var policy map[string]any
	if json.Unmarshal(raw, &policy) != nil {
		return nil
	}
	delete(policy, "modifiedDateTime")
	if conditions, ok := policy["conditions"].(map[string]any); ok && !whole {
		if users, ok := conditions["users"].(map[string]any); ok {
			delete(users, "excludeGroups")
		}
	}
	text, err := json.Marshal(bare(policy))
	if err != nil {
		return nil
	}
	return text
}

// bare drops what says nothing, and puts lists in order.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if inner := bare(v[k]); inner != nil && !strings.Contains(k, "@odata.") {
				out[k] = inner
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := []string{}
		for _, e := range v {
			if text, err := json.Marshal(bare(e)); err == nil {
				out = append(out, string(text))
			}
		}
		if len(out) == 0 {
			return nil
		}
		slices.Sort(out)
		return out
	default:
		return v
	}
}

// within: every one of these is among those.
func within(these, those []string) bool {
	return !slices.ContainsFunc(these, func(id string) bool { return !holds(those, id) })
}

// policy reads one policy in the words of Graph.
func (c *Client) policy(ctx context.Context, id string) (json.RawMessage, error) {
	if err := c.pause(ctx); err != nil {
		return nil, err
	}
	var text json.RawMessage
	err := c.read(ctx, &text, "identity/conditionalAccess/policies/"+url.PathEscape(id), nil)
	return text, err
}

// pause keeps to one request a second, which is all that Graph allows here.
// Source: https://learn.microsoft.com/graph/throttling-limits
func (c *Client) pause(ctx context.Context) error { return c.clock.Sleep(ctx, time.Second) }

// setExcluded says which groups a policy excludes, and nothing else.
// Source: https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func (c *Client) setExcluded(ctx context.Context, id string, excluded []string) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	who := models.NewConditionalAccessUsers()
	who.SetExcludeGroups(excluded)
	conditions := models.NewConditionalAccessConditionSet()
	conditions.SetUsers(who)
	body := models.NewConditionalAccessPolicy()
	body.SetConditions(conditions)
	req, err := identity.NewIdentityRequestBuilderInternal(c.path(), c.adapter).
		ConditionalAccess().Policies().ByConditionalAccessPolicyId(id).ToPatchRequestInformation(ctx, body, nil)
	if err != nil {
		return err
	}
	_, err = c.write(ctx, req, "identity/conditionalAccess/policies/"+id, map[string]any{
		"conditions": map[string]any{"users": map[string]any{"excludeGroups": excluded}},
	})
	return err
}

// restore writes a policy's conditions as they were read, byte by byte: they were
// never decoded, so that what this version of the SDK does not know stays.
func (c *Client) restore(ctx context.Context, id string, was json.RawMessage) error {
	if err := c.pause(ctx); err != nil {
		return err
	}
	var policy struct {
		Conditions json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(was, &policy); err != nil {
		return err
	}
	meant := map[string]json.RawMessage{"conditions": policy.Conditions}
	text, err := json.Marshal(meant)
	if err != nil {
		return err
	}
	path := "identity/conditionalAccess/policies/" + id
	req := abstractions.NewRequestInformation()
	req.Method = abstractions.PATCH
	req.SetUri(*c.endpoint.JoinPath("v1.0", path))
	req.SetStreamContentAndContentType(text, "application/json")
	_, err = c.write(ctx, req, path, meant)
	return err
}
