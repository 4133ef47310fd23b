// Package audit reads the tenant every night and records what every account is,
// whether it can do MFA and what demands it. It only reads the tenant.
//
// An audit has two halves. It reads every listing to its end, page by page, into
// the archive; then it joins them account by account, judges, and writes what
// changed into the table. Neither half holds the tenant in memory. How far it has
// come is marked after every page: an invocation that runs out of time, is asked
// by Graph to wait, or dies, is gone on with by the next one. Nothing is judged
// before every listing is complete; a listing that ends early, or an empty one,
// records nothing: the last good audit stays, with the reason why it grows old.
//
// Start reading at [Audit.Run]; steps.go is the catalogue of what is read.
package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"sallyport/functions/audit/export"
	"sallyport/shared/archive"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

// Table is what the audit reads and writes of the table.
type Table interface {
	Config(ctx context.Context, t rollout.TenantID) (rollout.Config, error)
	Waves(ctx context.Context, t rollout.TenantID) ([]rollout.Wave, error)
	Policies(ctx context.Context, t rollout.TenantID) ([]rollout.OwnedPolicy, error)
	Drills(ctx context.Context, t rollout.TenantID) ([]rollout.Drill, error)
	Audit(ctx context.Context, t rollout.TenantID) (rollout.AuditRun, error)
	PutAudit(ctx context.Context, t rollout.TenantID, a rollout.AuditRun) error
	EachAccount(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Account, error]
	ChangeAccounts(ctx context.Context, t rollout.TenantID, changed []rollout.Account, gone []string) error
	EachObservation(ctx context.Context, t rollout.TenantID) iter.Seq2[rollout.Observation, error]
	PutObservations(ctx context.Context, t rollout.TenantID, later []rollout.Observation) error
	PutCoverage(ctx context.Context, t rollout.TenantID, p rollout.CoveragePoint) error
	Emergency(ctx context.Context, t rollout.TenantID) (rollout.ProvenEmergency, error)
	Probe(ctx context.Context, t rollout.TenantID) (rollout.Probe, error)
	Subscriptions(ctx context.Context, t rollout.TenantID) ([]rollout.Subscription, error)
	VerifyChanges(ctx context.Context, t rollout.TenantID, known ...rollout.ChangeHead) (rollout.ChangeHead, error)
}

// Audit audits tenants.
type Audit struct {
	Graph   func(ctx context.Context, t rollout.TenantID) (Graph, error)
	Table   Table
	Archive archive.Archive
	// Now is the time by which an invocation's deadline is measured.
	Now func() time.Time
}

// signInsBack is how far back each night reads the sign-in log: a day, and two
// hours more because rows arrive late.
const signInsBack = 24*time.Hour + rollout.PollOverlap

// Run audits one tenant, or goes on with an audit that was begun. It answers
// [job.ErrContinues] if there is more to do in a later invocation. On any other
// error the last good audit stays in force, marked with the error and since when.
func (a Audit) Run(ctx context.Context, t rollout.TenantID, now time.Time, sum *job.Summary) error {
	cfg, err := a.Table.Config(ctx, t)
	if err != nil {
		return fmt.Errorf("read rollout.yaml of the tenant: %w", err)
	}
	previous, err := a.Table.Audit(ctx, t)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the last audit: %w", err)
	}
	err = a.audit(ctx, cfg, previous, now, sum)
	if err == nil || errors.Is(err, job.ErrContinues) {
		return err
	}
	previous.Failed, previous.FailedAt = err.Error(), now
	if putErr := a.Table.PutAudit(ctx, t, previous); putErr != nil {
		err = errors.Join(err, fmt.Errorf("record that the audit failed: %w", putErr))
	}
	return err
}

// Begin marks an audit of the tenant as begun, unless one is under way.
func (a Audit) Begin(ctx context.Context, t rollout.TenantID, now time.Time) error {
	space := a.workspace(t)
	_, found, err := space.progress(ctx, now)
	if err != nil || found {
		return err
	}
	p, err := space.begin(ctx, now)
	if err != nil {
		return err
	}
	return space.save(ctx, progressName, p)
}

// Continues reports whether an audit of the tenant was begun, has not ended, and
// may go on now.
func (a Audit) Continues(ctx context.Context, t rollout.TenantID, now time.Time) (bool, error) {
	p, found, err := a.workspace(t).progress(ctx, now)
	return found && !now.Before(p.NotBefore) && !now.Before(p.TryAgain), err
}

func (a Audit) workspace(t rollout.TenantID) workspace {
	return workspace{&spool{archive: a.Archive, prefix: archive.Prefix(t, archive.KindPage)}}
}

func (a Audit) audit(ctx context.Context, cfg rollout.Config, previous rollout.AuditRun, now time.Time, sum *job.Summary) error {
	space := a.workspace(cfg.Tenant)
	p, found, err := space.progress(ctx, now)
	if err == nil && !found {
		p, err = space.begin(ctx, now)
	}
	if err != nil {
		return err
	}
	if now.Before(p.NotBefore) {
		return fmt.Errorf("%w: Graph asked to wait until %s", job.ErrContinues, p.NotBefore.UTC().Format(time.RFC3339))
	}
	err = a.goOn(ctx, cfg, previous, space, p, sum)
	switch {
	case err == nil, errors.Is(err, errUnfit):
		// What is unfit cannot be mended by reading on: the next run begins anew.
		return errors.Join(err, space.clear(ctx))
	case errors.Is(err, job.ErrContinues):
		return err
	}
	p.TryAgain = now.Add(tryAgain)
	return errors.Join(err, space.save(ctx, progressName, p))
}

// goOn reads what is not read yet and, when all is, judges it.
func (a Audit) goOn(ctx context.Context, cfg rollout.Config, previous rollout.AuditRun, space workspace, p *progress, sum *job.Summary) error {
	g, err := a.Graph(ctx, cfg.Tenant)
	if err != nil {
		return fmt.Errorf("connect to Graph: %w", err)
	}
	granted, err := g.Granted(ctx)
	if err != nil {
		return fmt.Errorf("read the granted permissions: %w", err)
	}
	ours, err := a.ours(ctx, cfg.Tenant)
	if err != nil {
		return err
	}
	r := newReading(g, space, p, known{
		accounts: func(ctx context.Context) iter.Seq2[rollout.Account, error] {
			return a.Table.EachAccount(ctx, cfg.Tenant)
		},
		observations: func(ctx context.Context) iter.Seq2[rollout.Observation, error] {
			return a.Table.EachObservation(ctx, cfg.Tenant)
		},
		legacy: previous.Legacy,
	})
	r.ours, r.since, r.left = ours, signInsBack, a.left
	if err := r.run(ctx); err != nil {
		return err
	}
	if err := r.prove(ctx, previous.Accounts); err != nil {
		return fmt.Errorf("%w: %w", errUnfit, err)
	}
	if left, need := a.left(ctx), timeToJudge(p.of(listUsers).Rows); left < need {
		return fmt.Errorf("%w: all is read; judging it takes up to %s, and %s are left", job.ErrContinues, need, left.Round(time.Second))
	}
	return a.judge(ctx, cfg, r, previous, granted, sum)
}

// errUnfit: what was read cannot be right, although every page of it looked so.
var errUnfit = errors.New("what was read is thrown away")

// tryAgain is how long after a failure an audit goes on by itself.
const tryAgain = 30 * time.Minute

// timeToJudge is what must be left to begin the judgement of that many accounts,
// which is not marked on the way: all of them written, at the pace of a table that
// has just been made. It is never more than an invocation has at its beginning;
// what was written then need not be written again by the next one.
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
func timeToJudge(accounts int) time.Duration {
	return min(20*time.Second+time.Duration(accounts)*2*time.Millisecond, 13*time.Minute)
}

// left is how much time this invocation has; without a deadline, enough.
func (a Audit) left(ctx context.Context) time.Duration {
	deadline, has := ctx.Deadline()
	if !has {
		return time.Hour
	}
	return deadline.Sub(a.Now())
}

// ours are the ids of the policies that Sallyport recorded as its own.
func (a Audit) ours(ctx context.Context, t rollout.TenantID) (map[string]bool, error) {
	owned, err := a.Table.Policies(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read the recorded policies: %w", err)
	}
	ours := map[string]bool{}
	for _, p := range owned {
		ours[p.ID] = p.ID != ""
	}
	return ours, nil
}

// judge turns what was read into accounts, coverage and findings, and writes what
// changed.
func (a Audit) judge(ctx context.Context, cfg rollout.Config, r *reading, previous rollout.AuditRun, granted []string, sum *job.Summary) error {
	at := r.progress.Begun
	announced, err := a.announced(ctx, cfg, previous)
	if err != nil {
		return err
	}
	run := rollout.AuditRun{
		At: at, Organization: r.dir.Organization.Brief(), Plans: r.dir.Plans,
		SecurityDefaults: r.dir.SecurityDefaults, Missing: r.missing(), Granted: granted,
	}
	assessor, tally := rollout.NewAssessor(cfg, r.dir, at), rollout.NewTally(cfg, r.dir, at)
	day := rollout.DateOf(at.In(cfg.Location()))
	out := &changes{table: a.Table, tenant: cfg.Tenant}
	sheet, err := newNightly()
	if err != nil {
		return err
	}
	defer sheet.close()
	gone := func(account rollout.Account) error { return out.remove(ctx, account.ID) }
	for one, err := range r.readings(ctx, gone) {
		if err != nil {
			return fmt.Errorf("join what was read: %w", err)
		}
		account := assessor.Assess(one.Reading)
		tally.Add(account)
		run.Accounts++
		run.Legacy = append(run.Legacy, one.Legacy[:min(len(one.Legacy), rollout.MostLegacy-len(run.Legacy))]...)
		err = errors.Join(out.account(ctx, one.Before, account), out.observed(ctx, one.Observed), sheet.rows.Write(export.RowOf(cfg, account, day)))
		if err != nil {
			return err
		}
	}
	if err := out.flush(ctx, 0); err != nil {
		return err
	}
	drills, err := a.Table.Drills(ctx, cfg.Tenant)
	if err != nil {
		return fmt.Errorf("read the drills: %w", err)
	}
	tally.AddDrills(drills)
	watched, err := a.watched(ctx, cfg.Tenant)
	if err != nil {
		return err
	}
	tally.Watched(watched)
	ofLog, err := a.changeLog(ctx, cfg.Tenant, day, sum)
	if err != nil {
		return err
	}
	run.Coverage, run.Findings = tally.Coverage(), tally.Findings(previous.Findings, ofLog...)
	choice := rollout.ChooseMethod(cfg, announced, run.Plans, run.Coverage, day)
	run.Method, run.MethodReason, run.MethodAdvice = choice.Method, choice.Reason, choice.Advice
	if err := sheet.keep(ctx, a.Archive, cfg.Tenant, day, export.SummaryOf(run.Coverage, run.Findings, run.Missing)); err != nil {
		return err
	}
	if err := a.Table.PutCoverage(ctx, cfg.Tenant, rollout.CoveragePoint{Day: day, Coverage: run.Coverage}); err != nil {
		return fmt.Errorf("save the coverage: %w", err)
	}
	// Last, because it is what the gates believe: accounts first, then "complete".
	if err := a.Table.PutAudit(ctx, cfg.Tenant, run); err != nil {
		return fmt.Errorf("save the audit: %w", err)
	}
	for _, f := range rollout.Present(run.Findings) {
		sum.Note("finding", f.ID)
		if f.ID == rollout.FindingUnknownMethod {
			sum.Note("unknownMethod", f.Evidence) // Microsoft's words, which name nobody
		}
	}
	news := rollout.News(previous.Findings, run.Findings)
	for name, n := range map[string]int{
		"accounts": run.Accounts, "written": out.written, "removed": out.removed, "pages": r.pages(),
		"capable": run.Coverage.Capable, "counted": run.Coverage.All,
		"findings": len(rollout.Present(run.Findings)), "findingsNew": len(news.New), "findingsGone": len(news.Gone), "findingsChanged": len(news.Changed),
	} {
		sum.Count(name, n)
	}
	return nil
}

// watched is what breakglass and subscriptions know of the emergency accounts. The
// proof is breakglass's, which made it an hour ago and alerts on what changed; the
// audit shows it and reads nothing again for it.
func (a Audit) watched(ctx context.Context, t rollout.TenantID) (w rollout.EmergencyWatch, err error) {
	if w.Proof, err = a.Table.Emergency(ctx, t); err != nil && !errors.Is(err, store.ErrNotFound) {
		return w, fmt.Errorf("read the proof of the emergency accounts: %w", err)
	}
	if w.Probe, err = a.Table.Probe(ctx, t); err != nil && !errors.Is(err, store.ErrNotFound) {
		return w, fmt.Errorf("read the self-test of the notifications: %w", err)
	}
	if w.Subscriptions, err = a.Table.Subscriptions(ctx, t); err != nil {
		return w, fmt.Errorf("read the subscriptions: %w", err)
	}
	return w, nil
}

// announced is the method that people were told of, which is kept: it is free to
// change only while every wave is still planned.
func (a Audit) announced(ctx context.Context, cfg rollout.Config, previous rollout.AuditRun) (rollout.Method, error) {
	waves, err := a.Table.Waves(ctx, cfg.Tenant)
	if err != nil {
		return "", fmt.Errorf("read the waves: %w", err)
	}
	if slices.ContainsFunc(waves, func(w rollout.Wave) bool { return w.State != rollout.WavePlanned }) {
		return previous.Method, nil
	}
	return "", nil
}

// Read reads a tenant that fits into memory completely, or not at all, as the
// nightly audit does.
func Read(ctx context.Context, g Graph, now time.Time) (rollout.Directory, []rollout.Reading, error) {
	space := workspace{&spool{archive: archive.NewMemory(), prefix: archive.Prefix("the tenant", archive.KindPage)}}
	p, err := space.begin(ctx, now)
	if err != nil {
		return rollout.Directory{}, nil, err
	}
	r := newReading(g, space, p, known{accounts: none[rollout.Account], observations: none[rollout.Observation]})
	if err := r.run(ctx); err != nil {
		return rollout.Directory{}, nil, err
	}
	if err := r.prove(ctx, 0); err != nil {
		return rollout.Directory{}, nil, err
	}
	var readings []rollout.Reading
	for one, err := range r.readings(ctx, nil) {
		if err != nil {
			return rollout.Directory{}, nil, err
		}
		readings = append(readings, one.Reading)
	}
	r.dir.Missing = r.missing()
	return r.dir, readings, nil
}

func none[T any](context.Context) iter.Seq2[T, error] { return func(func(T, error) bool) {} }
