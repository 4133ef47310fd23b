package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sallyport/shared/archive"
	"sallyport/shared/job"
	"sallyport/shared/rollout"
)

// changeLog recomputes the tenant's change log, and writes down where it ends in
// two places outside the table: the archive, which the next night compares it
// with, and the line of this run. A log that does not hold is a finding, and its
// end is not kept: the finding stays until somebody has looked.
func (a Audit) changeLog(ctx context.Context, t rollout.TenantID, day rollout.Date, sum *job.Summary) ([]rollout.Finding, error) {
	known, err := a.lastHead(ctx, t)
	var broken *rollout.BrokenChainError
	var head rollout.ChangeHead
	if err == nil {
		head, err = a.Table.VerifyChanges(ctx, t, known...)
	}
	if errors.As(err, &broken) {
		sum.Note("changeLog", fmt.Sprintf("broken at entry %d", broken.Seq))
		return rollout.BrokenLog(broken), nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify the change log: %w", err)
	}
	if head.Seq == 0 {
		return nil, nil
	}
	sum.Note("changeLog", head.String())
	if err := a.Archive.Put(ctx, archive.Name(t, archive.KindLogHead, day.String()), strings.NewReader(head.String()+"\n")); err != nil {
		return nil, fmt.Errorf("write down where the change log ends: %w", err)
	}
	return nil, nil
}

// lastHead is where the log ended when it was last written down; none before the
// first night.
func (a Audit) lastHead(ctx context.Context, t rollout.TenantID) ([]rollout.ChangeHead, error) {
	names, err := a.Archive.List(ctx, archive.Prefix(t, archive.KindLogHead))
	if err != nil {
		return nil, fmt.Errorf("look where the log ended last night: %w", err)
	}
	if len(names) == 0 {
		return nil, nil
	}
	name := names[len(names)-1]
	object, err := a.Archive.Open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read where the log ended last night: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(object, 1<<10))
	if err = errors.Join(err, object.Close()); err != nil {
		return nil, fmt.Errorf("read where the log ended last night: %w", err)
	}
	head, err := rollout.ParseHead(string(text))
	if err != nil {
		return nil, &rollout.BrokenChainError{Seq: 1, Why: fmt.Sprintf("what the archive holds of it (%s) cannot be read: %v", name, err)}
	}
	return []rollout.ChangeHead{head}, nil
}
