package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"sallyport/functions/audit"
	"sallyport/infra/local/emulator"
	"sallyport/shared/archive"
	"sallyport/shared/graph"
	sallyportjob "sallyport/shared/job"
	"sallyport/shared/rollout"
	"sallyport/shared/store"
)

func told() (job, error) {
	var j job
	return j, json.Unmarshal([]byte(os.Getenv(jobVariable)), &j)
}

// impatient is the real clock, but for waiting: the pace is Microsoft's and not
// what is measured.
type impatient struct{ wall }

func (impatient) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

type token string

func (t token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// counted counts the requests that pass.
type counted struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// countedTable counts the items that are written.
type countedTable struct {
	store.Table
	n int
}

func (t *countedTable) Write(ctx context.Context, writes ...store.Write) error {
	t.n += len(writes)
	return t.Table.Write(ctx, writes...)
}

func (t *countedTable) Batch(ctx context.Context, writes []store.Write) error {
	t.n += len(writes)
	return t.Table.Batch(ctx, writes)
}

func tables(j job) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: emulator.Region, BaseEndpoint: &j.DynamoDB,
		Credentials: credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
	})
}

// runAudit is the nightly audit as it runs in Lambda, but for the waiting.
func runAudit(j job) (result, error) {
	ctx, cfg := context.Background(), rollout.Config{Tenant: "contoso.onmicrosoft.com", TimeZone: "UTC"}
	wire := &counted{RoundTripper: http.DefaultTransport}
	client, err := graph.New(graph.Options{Endpoint: j.Graph, Credential: token(j.Token), Clock: impatient{}, Transport: wire})
	if err != nil {
		return result{}, err
	}
	folder, err := archive.NewFolder(j.Folder)
	if err != nil {
		return result{}, err
	}
	counting := &countedTable{Table: store.NewDynamo(tables(j), j.Table)}
	table := store.New(counting)
	if err := table.PutConfig(ctx, cfg); err != nil {
		return result{}, err
	}
	counting.n = 0
	if file := os.Getenv("SALLYPORT_BENCH_PROFILE"); file != "" {
		out, err := os.Create(file)
		if err != nil {
			return result{}, err
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			return result{}, err
		}
		defer pprof.StopCPUProfile()
	}
	a := audit.Audit{
		Graph: func(context.Context, rollout.TenantID) (audit.Graph, error) { return client, nil },
		Table: table, Archive: folder, Now: wall{}.Now,
	}
	if err := a.Run(ctx, cfg.Tenant, wall{}.Now(), &sallyportjob.Summary{}); err != nil {
		return result{}, err
	}
	run, err := table.Audit(ctx, cfg.Tenant)
	if err != nil {
		return result{}, err
	}
	if run.Accounts != j.Accounts {
		return result{}, fmt.Errorf("the audit has %d accounts of %d", run.Accounts, j.Accounts)
	}
	capable := run.Coverage.Capable
	return result{Requests: int(wire.n.Load()), Written: counting.n, Capable: capable}, nil
}

// bareUser and bareRow are what the bare loop reads and writes.
type bareUser struct {
	ID                string   `json:"id" dynamodbav:"sk"`
	UserPrincipalName string   `json:"userPrincipalName"`
	DisplayName       string   `json:"displayName"`
	Mail              string   `json:"mail"`
	UserType          string   `json:"userType"`
	AccountEnabled    bool     `json:"accountEnabled"`
	PreferredLanguage string   `json:"preferredLanguage"`
	Department        string   `json:"department"`
	Capable           bool     `json:"-"`
	Methods           []string `json:"-"`
	PK                string   `json:"-" dynamodbav:"pk"`
}

type bareRow struct {
	ID                string   `json:"id"`
	IsMfaCapable      bool     `json:"isMfaCapable"`
	MethodsRegistered []string `json:"methodsRegistered"`
}

// runBare is the least that could be done: read both listings, join them in
// memory, write every account. It classifies nothing, compares nothing, and is
// lost when it dies.
func runBare(j job) (result, error) {
	ctx, requests := context.Background(), 0
	rows := map[string]bareRow{}
	err := pagesOf(j, "/v1.0/reports/authenticationMethods/userRegistrationDetails?$top=999", &requests, func(r bareRow) { rows[r.ID] = r })
	if err != nil {
		return result{}, err
	}
	client, written, capable := tables(j), 0, 0
	var batch []types.WriteRequest
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		out, err := client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{j.Table: batch}})
		if err == nil && len(out.UnprocessedItems) > 0 {
			err = errors.New("items were left over")
		}
		written += len(batch)
		batch = batch[:0]
		return err
	}
	var failed error
	err = pagesOf(j, "/v1.0/users?$top=500&$select=id,userPrincipalName,displayName,mail,userType,accountEnabled,preferredLanguage,department,signInActivity", &requests, func(u bareUser) {
		r := rows[u.ID]
		u.PK, u.Capable, u.Methods = "account", r.IsMfaCapable, r.MethodsRegistered
		if u.Capable {
			capable++
		}
		item, err := attributevalue.MarshalMap(u)
		if err == nil {
			batch = append(batch, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		if err == nil && len(batch) == 25 {
			err = flush()
		}
		failed = errors.Join(failed, err)
	})
	return result{Requests: requests, Written: written, Capable: capable}, errors.Join(err, failed, flush())
}

func pagesOf[T any](j job, path string, requests *int, take func(T)) error {
	for next := j.Graph + path; next != ""; {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, next, http.NoBody)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+j.Token)
		*requests++
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		body, err := io.ReadAll(res.Body)
		err = errors.Join(err, res.Body.Close())
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		if err == nil {
			err = json.Unmarshal(body, &page)
		}
		if err != nil {
			return err
		}
		for _, row := range page.Value {
			take(row)
		}
		next = page.Next
	}
	return nil
}
