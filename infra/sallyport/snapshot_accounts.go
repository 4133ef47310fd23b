package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sallyport/shared/graph"
	"sallyport/shared/rollout"
)

// accounts reads what there is no listing of: the methods (of administrators, or
// of everybody where there is no report), the kind of mailbox and per-user MFA.
// Who is asked is whom the audit asks when it knows nothing yet: so the audit of
// the folder finds an answer to each of its questions.
func (n *snapshot) accounts(ctx context.Context, client *graph.Client, answer *snapped, kept map[string][]json.RawMessage) error {
	users := make([]rollout.User, len(kept["users"]))
	for i, row := range kept["users"] {
		var err error
		if users[i], err = graph.UserIn(row); err != nil {
			return err
		}
	}
	report, reported := kept["userRegistrationDetails"]
	registrations := map[string]*rollout.Registration{}
	for _, row := range report {
		reg, err := graph.RegistrationIn(row)
		if err != nil {
			return err
		}
		registrations[strings.ToLower(reg.UserID)] = &reg
	}
	administrators := map[string]bool{}
	for _, r := range kept["roleAssignments"] {
		administrators[strings.ToLower(field(r, "principalId"))] = true
	}
	methods := map[string][]json.RawMessage{}
	for _, u := range users {
		id := strings.ToLower(u.ID)
		unreported := !reported && u.AccountEnabled != rollout.No
		if !administrators[id] && !unreported {
			continue
		}
		list, err := client.RawMethods(ctx, u.ID)
		if err != nil {
			return err
		}
		methods[u.ID] = list
		if !unreported {
			continue
		}
		kinds, err := graph.MethodsIn(list)
		if err != nil {
			return fmt.Errorf("account %s: %w", u.ID, err)
		}
		registrations[id] = new(rollout.RegistrationFromMethods(u.ID, kinds))
	}
	if err := n.keep(answer, "authenticationMethods", len(methods), methods); err != nil {
		return err
	}
	return errors.Join(n.purposes(ctx, client, answer, users, registrations), n.perUserMFA(ctx, client, answer, users))
}

func (n *snapshot) purposes(ctx context.Context, client *graph.Client, answer *snapped, users []rollout.User, registrations map[string]*rollout.Registration) error {
	var ids []string
	for _, u := range users {
		if rollout.AsksPurpose(u, registrations[strings.ToLower(u.ID)], nil, rollout.DateOf(n.clock.Now())) {
			ids = append(ids, u.ID)
		}
	}
	purposes, err := client.Purposes(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the kinds of mailbox: %w", err)
	}
	return n.keep(answer, "userPurpose", len(purposes), purposes)
}

// perUserMFA tries the one listing there is, which Microsoft does not document,
// and else asks for each account.
func (n *snapshot) perUserMFA(ctx context.Context, client *graph.Client, answer *snapped, users []rollout.User) error {
	states, err := perUserMFAInBulk(ctx, client)
	if graph.Refusal(err) != "" {
		var ids []string
		for _, u := range users {
			if rollout.AsksPerUserMFA(u, nil, rollout.DateOf(n.clock.Now())) {
				ids = append(ids, u.ID)
			}
		}
		states, err = client.PerUserMFA(ctx, ids)
	}
	if graph.Refusal(err) != "" {
		answer.Missing = append(answer.Missing, left{"perUserMfa", err.Error()})
		return nil
	}
	if err != nil {
		return fmt.Errorf("read per-user MFA: %w", err)
	}
	return n.keep(answer, "perUserMfa", len(states), states)
}

func perUserMFAInBulk(ctx context.Context, client *graph.Client) (map[string]string, error) {
	states, cursor := map[string]string{}, ""
	for {
		page, err := client.PerUserMFAPage(ctx, cursor)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Rows {
			states[s.UserID] = s.State
		}
		if cursor = page.Next; cursor == "" {
			return states, nil
		}
	}
}
