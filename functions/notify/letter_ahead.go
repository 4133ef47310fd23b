package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sallyport/shared/mail"
	"sallyport/shared/rollout"
)

// blast reads what [rollout.BlastNotice] says: ids and reasons; the names are
// looked up.
func (l letter) blast(ctx context.Context) (mail.Data, error) {
	var notice rollout.BlastNotice
	if err := json.Unmarshal([]byte(l.message.Details[rollout.DetailBlast]), &notice); err != nil {
		return nil, fmt.Errorf("read the blast list: %w", err)
	}
	if l.today.DaysUntil(notice.Deadline) < 1 {
		return nil, staleError("the day of the switch is here")
	}
	out := mail.Blast{
		Notice: l.notice(), Wave: mail.Name(l.message.Wave), Deadline: notice.Deadline, Days: l.today.DaysUntil(notice.Deadline),
		At: l.message.ClaimedAt, Count: notice.Count, Open: notice.Open,
	}
	for _, b := range notice.Rows {
		account, err := l.named(ctx, b.Account)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, mail.BlastRow{
			Name: mail.Name(account.DisplayName), Account: mail.Line(account.UserPrincipalName),
			Why: mail.Line(b.Why()), Told: mail.Line(b.Notice()),
		})
	}
	return out, nil
}

// task reads what [rollout.Task] says.
func (l letter) task(ctx context.Context) (mail.Data, error) {
	var task rollout.Task
	if err := json.Unmarshal([]byte(l.message.Details[rollout.DetailTask]), &task); err != nil {
		return nil, fmt.Errorf("read what waits for the operator: %w", err)
	}
	if strings.TrimSpace(task.Text) == "" {
		return nil, fmt.Errorf("message %s says nothing", l.message.ID)
	}
	out := mail.Task{Notice: l.notice(), Title: mail.Line(task.Title), Text: mail.Line(task.Text), Remedy: mail.Line(task.Remedy), Count: task.Count, At: l.message.ClaimedAt}
	for _, id := range task.Accounts {
		account, err := l.named(ctx, id)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, mail.TaskRow{Name: mail.Name(account.DisplayName), Account: mail.Line(account.UserPrincipalName)})
	}
	return out, nil
}
