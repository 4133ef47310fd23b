package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"sallyport/infra/sallyport/envelope"
	"sallyport/infra/sallyport/setup"
	"sallyport/shared/graph"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// outside is what `emergency create` takes from the world beside its session. Tests
// hand in their own.
type outside struct {
	clock     job.Clock
	random    io.Reader
	seen      func(io.Writer) bool
	transport http.RoundTripper // for sign-in and Graph; nil: the usual ones
}

func emergencyCreateVerb() verb {
	return createVerb(outside{clock: job.Wall{}, random: rand.Reader, seen: seenAtOnce})
}

func createVerb(world outside) verb {
	return verb{
		name:    "emergency create",
		summary: "make two emergency accounts, and leave them out of every policy",
		about: `Makes what an emergency needs: two accounts with plain names and long random
passwords, a protected group that holds them alone, the exclusion of that group from
each Conditional Access policy, and the role Global Administrator for good. What is
there from an earlier run is found and not made again.

It shows first what it would do, policy by policy, and changes nothing. With --apply
it does it, after you typed the tenant's name. You sign in with a device code, as a
Global Administrator: no application ever gets these rights. The passwords are shown
once, in this terminal; or, with --cards, they go into a page that prints a card for
each safe. They are kept nowhere else.

GRAPH_ENDPOINT and AZURE_AUTHORITY_HOST name another cloud.

Exit code: 0 if both accounts are proven, 3 if they are made and something lacks that
only a person can do, as the security keys after the first run.`,
		examples: []string{
			"sallyport emergency create --tenant-id contoso.onmicrosoft.com",
			"sallyport emergency create --tenant-id contoso.onmicrosoft.com --apply --cards cards.html",
			"sallyport emergency create --name mia.holt --name tom.shaw --apply",
		},
		prepare: func(f *flag.FlagSet) action {
			c := &emergencyCreate{world: world}
			f.StringVar(&c.tenantID, "tenant-id", "organizations", "the tenant's `domain` or id, for the sign-in; without it the one you belong to")
			f.StringVar(&c.clientID, "client-id", graphCommandLineTools, "the public client `id` to sign in with")
			f.BoolVar(&c.apply, "apply", false, "do it; otherwise only show what would be done")
			f.BoolVar(&c.dryRun, "dry-run", false, "only show what would be done, as without --apply")
			f.BoolVar(&c.yes, "yes", false, "do not ask for the tenant's name before changing it")
			f.StringVar(&c.cards, "cards", "", "write the passwords into this new `FILE`, a page to print; empty: show them in this terminal")
			f.Func("name", "the `name` before the @ of an account to make, as mia.holt; twice for both; drawn if not given", func(name string) error {
				c.names = append(c.names, strings.ToLower(name))
				return setup.ValidName(strings.ToLower(name))
			})
			return c.run
		},
	}
}

type emergencyCreate struct {
	world              outside
	tenantID, clientID string
	apply, dryRun, yes bool
	cards              string
	names              []string
}

func (c *emergencyCreate) run(ctx context.Context, s session) error {
	if err := c.check(s); err != nil {
		return err
	}
	credential, err := c.credential(s)
	if err != nil {
		return err
	}
	reader, room, err := c.room(s, credential)
	if err != nil {
		return err
	}
	state, err := room.Look(ctx, c.names)
	if err != nil {
		return advised(err)
	}
	if !c.apply {
		return c.show(s, state)
	}
	if !s.json {
		if err := writeState(s.stdout, state); err != nil {
			return err
		}
	}
	if state.Done() {
		fmt.Fprintln(s.stderr, "Everything is there already: nothing is to be made.")
	} else {
		if err := c.confirm(s, state); err != nil {
			return err
		}
		err := room.Make(ctx, &state, func(cards []setup.Sealed) error { return c.hand(s, state, cards) }, func(done string) { fmt.Fprintln(s.stderr, "Done: "+done+".") })
		if void := (*setup.VoidError)(nil); errors.As(err, &void) && void.Good == 0 && void.Unsure == 0 && c.cards != "" {
			err = errors.Join(err, os.Remove(c.cards))
		}
		if err != nil {
			return advised(err)
		}
	}
	return c.finish(ctx, s, reader, state)
}

// check refuses what would end with a password that nobody has: all of it before
// anybody signs in.
func (c *emergencyCreate) check(s session) error {
	switch {
	case len(s.operands) > 0:
		return usageError{fmt.Sprintf("unexpected %q", s.operands[0])}
	case c.apply && c.dryRun:
		return usageError{"--apply and --dry-run: which one?"}
	case len(c.names) > setup.Slots, len(c.names) == 2 && c.names[0] == c.names[1]:
		return usageError{fmt.Sprintf("--name: expected at most %d names, each another", setup.Slots)}
	case !c.apply:
		return nil
	case c.cards != "":
		return checkCards(c.cards)
	case s.json:
		return usageError{"--json never carries a password: add --cards FILE, where they go"}
	case !c.world.seen(s.stdout):
		return usageError{"the passwords are shown once, and this is no terminal: they would be lost, or end in a log. Add --cards FILE, or run it in a terminal"}
	}
	return nil
}

// checkCards proves that the cards can be written where nobody else can put
// something in their place.
func checkCards(name string) error {
	fail := func(why string) error {
		return fmt.Errorf("--cards %s: %s. Nothing was changed", name, why)
	}
	if _, err := os.Lstat(name); err == nil {
		return fail("the file exists. If it holds cards, print them or destroy them; then choose another name")
	} else if !errors.Is(err, os.ErrNotExist) {
		return fail(err.Error())
	}
	folder := filepath.Dir(name)
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		return fail(err.Error())
	case info.Mode().Perm()&0o022 != 0:
		return fail(fmt.Sprintf("others than you can write to the folder %s. Make one of your own (mkdir -m 700 cards), on a disk that is not synchronised or backed up", folder))
	}
	probe, err := os.CreateTemp(folder, ".sallyport-*")
	if err != nil {
		return fail(err.Error())
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fail(err.Error())
	}
	return nil
}

// credential is a person's: the token that they brought, or a device code sign-in.
func (c *emergencyCreate) credential(s session) (azcore.TokenCredential, error) {
	if token := lookup(s.env, "GRAPH_TOKEN"); token != "" {
		return heldToken{token: token, until: c.world.clock.Now().Add(time.Hour)}, nil
	}
	o := &azidentity.DeviceCodeCredentialOptions{
		TenantID: c.tenantID, ClientID: c.clientID,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			_, err := fmt.Fprintln(s.stderr, m.Message)
			return err
		},
	}
	if c.world.transport != nil {
		o.Transport = &http.Client{Transport: c.world.transport}
	}
	if authority := lookup(s.env, "AZURE_AUTHORITY_HOST"); authority != "" {
		o.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: authority}
		o.DisableInstanceDiscovery = !microsofts(authority) // it is unknown at Microsoft's
	}
	credential, err := azidentity.NewDeviceCodeCredential(o)
	if err != nil {
		return nil, fmt.Errorf("prepare the sign-in: %w", err)
	}
	return credential, nil
}

// microsofts reports whether Microsoft vouches for an authority.
func microsofts(authority string) bool {
	for _, c := range []cloud.Configuration{cloud.AzurePublic, cloud.AzureGovernment, cloud.AzureChina} {
		if strings.TrimSuffix(authority, "/") == strings.TrimSuffix(c.ActiveDirectoryAuthorityHost, "/") {
			return true
		}
	}
	return false
}

// room is what reads the tenant and what changes it, with the same sign-in.
func (c *emergencyCreate) room(s session, credential azcore.TokenCredential) (*graph.Client, setup.Room, error) {
	endpoint := lookup(s.env, "GRAPH_ENDPOINT")
	host := "graph.microsoft.com"
	if u, err := url.Parse(endpoint); err == nil && u.Scheme == "https" {
		host = u.Host
	}
	credential = setup.Scoped(credential, setup.Scopes(host))
	reader, err := graph.New(graph.Options{Endpoint: endpoint, Credential: credential, Clock: c.world.clock, Transport: c.world.transport})
	if err != nil {
		return nil, setup.Room{}, err
	}
	writer, err := setup.NewClient(setup.Options{Endpoint: endpoint, Credential: credential, Clock: c.world.clock, Transport: c.world.transport})
	return reader, setup.Room{Reader: reader, Writer: writer, Random: c.world.random}, err
}

// confirm asks for the tenant's name: whoever looks after many may be in another.
func (c *emergencyCreate) confirm(s session, state setup.State) error {
	if c.yes {
		return nil
	}
	fmt.Fprintf(s.stderr, "\nType %s to make these changes: ", state.Domain)
	typed, err := bufio.NewReader(io.LimitReader(s.stdin, 1000)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read your answer: %w", err)
	}
	if !strings.EqualFold(strings.TrimSpace(typed), state.Domain) {
		return errors.New("that is not the tenant's name: nothing was changed")
	}
	return nil
}

// hand gives the passwords to the operator: into the file of --cards, and else onto
// the terminal.
func (c *emergencyCreate) hand(s session, state setup.State, sealed []setup.Sealed) error {
	page := envelope.Page{Tenant: state.Domain, Made: c.world.clock.Now(), SignIn: portal(lookup(s.env, "GRAPH_ENDPOINT"))}
	for _, one := range sealed {
		page.Cards = append(page.Cards, envelope.Card{
			Slot: one.Slot, Of: setup.Slots, Name: one.Account.DisplayName, SignInAs: one.Account.UserPrincipalName, ID: one.Account.ID, Password: one.Password.Reveal(),
		})
	}
	if c.cards == "" {
		return showCards(s.stdout, page)
	}
	file, err := os.OpenFile(c.cards, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("--cards: %w", err)
	}
	err = errors.Join(envelope.Write(file, page), file.Sync(), file.Close())
	if err != nil {
		return fmt.Errorf("--cards: %w", errors.Join(err, os.Remove(c.cards)))
	}
	return nil
}

func showCards(to io.Writer, page envelope.Page) error {
	text := "\nWrite these down by hand, now: they are shown once and kept nowhere. The gaps are no\npart of a password, and it has no zero, no o or O, no one, and no i, I or l.\n"
	for _, card := range page.Cards {
		text += fmt.Sprintf("\nEmergency account %d\n%s", card.Slot, envelope.Text(card))
	}
	_, err := io.WriteString(to, text+"\nThen clear the terminal and its memory of what was shown.\n\n")
	return err
}

// portal is where the accounts sign in.
// Source: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
func portal(endpoint string) string {
	switch {
	case strings.Contains(endpoint, "graph.microsoft.us"):
		return "https://entra.microsoft.us"
	case strings.Contains(endpoint, "chinacloudapi.cn"):
		return "https://portal.azure.cn"
	}
	return "https://entra.microsoft.com"
}

// finish proves what was made, the way `emergency check` does, and says what only a
// person can do.
func (c *emergencyCreate) finish(ctx context.Context, s session, reader *graph.Client, state setup.State) error {
	cfg := rollout.Config{}
	for _, a := range state.Accounts {
		cfg.EmergencyAccounts = append(cfg.EmergencyAccounts, rollout.EmergencyAccount{ID: a.ID})
	}
	seen, err := reader.Emergency(ctx, cfg)
	if err != nil {
		return fmt.Errorf("everything is made, but the proof could not be read: %w. Run sallyport emergency check", err)
	}
	proof := checkedOf(cfg, seen, c.world.clock.Now())
	answer := createdOf(state, true, c.cards)
	answer.Check = &proof
	if s.json {
		err = s.writeJSON(answer)
	} else {
		err = writeCreated(s.stdout, answer)
	}
	if err == nil && !proof.OK {
		err = heldError{fmt.Sprintf("the accounts are made; %d of %d are proven: do what stands above, then run sallyport emergency check", proof.Proven, len(proof.Accounts))}
	}
	return err
}

// advised adds what to do about a refusal.
func advised(err error) error {
	if advice := setup.Advice(err); advice != "" {
		return fmt.Errorf("%w\n%s", err, advice)
	}
	return err
}

// seenAtOnce reports whether what is written there gets to a person's eyes, at once.
func seenAtOnce(w io.Writer) bool {
	if !isTerminal(w) {
		return false
	}
	file, _ := w.(*os.File)
	info, err := file.Stat()
	null, nullErr := os.Stat(os.DevNull) // a device as a terminal is, and nobody sees what goes there
	return err == nil && nullErr == nil && !os.SameFile(info, null)
}
