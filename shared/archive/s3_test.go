package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"sallyport/infra/local/emulator"
	"sallyport/shared/archive"
)

func s3Client(endpoint string) *s3.Client {
	return s3.New(s3.Options{
		Region:       emulator.Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider(emulator.Key, emulator.Key, ""),
		Retryer:      aws.NopRetryer{},
	})
}

// TestS3 runs the contract against an S3 that was not written here.
func TestS3(t *testing.T) {
	client, made := s3Client(emulator.AWS(t)), 0
	newBucket := func(t *testing.T) string {
		made++
		name := fmt.Sprintf("archive-%d", made)
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket:                    &name,
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: emulator.Region},
		}, func(o *s3.Options) { o.UsePathStyle = true })
		ok(t, err)
		return name
	}
	for name, test := range contract {
		t.Run(name, func(t *testing.T) { test(t, archive.NewS3(client, newBucket(t))) })
	}

	t.Run("more objects than a page and a batch take", func(t *testing.T) {
		paged := &paging{S3Client: client}
		a := archive.NewS3(paged, newBucket(t))
		var names []string
		for i := range 2001 {
			names = append(names, page("run", fmt.Sprintf("%05d", i)))
			put(t, a, names[i], "x")
		}
		lists(t, a, archive.Prefix(contoso, archive.KindPage, "run"), names...)
		if paged.lists != 3 {
			t.Errorf("listed in %d requests, want 3 of 1000 names", paged.lists)
		}
		ok(t, a.Delete(t.Context(), names...))
		if paged.deletes != 3 {
			t.Errorf("deleted in %d requests, want 3 of 1000 names", paged.deletes)
		}
		lists(t, a, archive.Prefix(contoso, archive.KindPage))
	})
	t.Run("an absent bucket is no absent object", func(t *testing.T) {
		a := archive.NewS3(client, "never-made")
		if _, err := a.Open(t.Context(), page("1")); err == nil || errors.Is(err, archive.ErrNotFound) {
			t.Errorf("open: %v, want an error that is not ErrNotFound", err)
		}
		if names, err := a.List(t.Context(), archive.Prefix(contoso, archive.KindPage)); err == nil {
			t.Errorf("list: %v without an error", names)
		}
		if err := a.Delete(t.Context(), page("1")); err == nil {
			t.Error("delete: no error")
		}
	})
	t.Run("what else stands in the bucket is not listed", func(t *testing.T) {
		bucket := newBucket(t)
		a := archive.NewS3(client, bucket)
		put(t, a, page("1"), "x")
		for _, foreign := range []string{"contoso.onmicrosoft.com/pages/", "contoso.onmicrosoft.com/pages/a b"} {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(foreign)}, func(o *s3.Options) { o.UsePathStyle = true })
			ok(t, err)
		}
		lists(t, a, archive.Prefix(contoso, archive.KindPage), page("1"))
	})
}

// paging counts the requests for many objects.
type paging struct {
	archive.S3Client
	lists, deletes int
}

func (p *paging) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, o ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	p.lists++
	return p.S3Client.ListObjectsV2(ctx, in, o...)
}

func (p *paging) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, o ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	p.deletes++
	return p.S3Client.DeleteObjects(ctx, in, o...)
}

// answering is an S3 that gives these answers, one after another, and the last
// one again and again.
func answering(t *testing.T, bodies ...string) archive.Archive {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/kept") {
			t.Errorf("%s %s: the bucket is not in the path", r.Method, r.URL)
		}
		fmt.Fprint(w, bodies[0])
		if len(bodies) > 1 {
			bodies = bodies[1:]
		}
	}))
	t.Cleanup(server.Close)
	// Of a name, not of a number: the SDK puts no bucket before a number.
	return archive.NewS3(s3Client(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)), "kept")
}

// An answer that S3 did not finish is never taken for a short list.
func TestS3ListsAsAWholeOrNotAtAll(t *testing.T) {
	listing := func(rest string) string {
		return `<?xml version="1.0"?><ListBucketResult><Contents><Key>` + page("1") + `</Key></Contents>` + rest
	}
	for name, bodies := range map[string][]string{
		"empty":                    {""},
		"nothing said":             {listing("</ListBucketResult>")},
		"broken off":               {listing("<IsTruncated>false</IsTruncated>")},
		"more, but not where":      {listing("<IsTruncated>true</IsTruncated></ListBucketResult>")},
		"more, where we are":       {listing("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>")},
		"more, then not where":     {listing("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>"), listing("<IsTruncated>true</IsTruncated></ListBucketResult>")},
		"the second page is gone":  {listing("<IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>"), ""},
		"an error with status 200": {`<?xml version="1.0"?><Error><Code>InternalError</Code></Error>`},
	} {
		t.Run(name, func(t *testing.T) {
			names, err := answering(t, bodies...).List(t.Context(), archive.Prefix(contoso, archive.KindPage))
			if err == nil || names != nil {
				t.Errorf("names %v, error %v, want none and an error", names, err)
			}
		})
	}
}

// S3 answers 200 and says of each object whether it is gone.
func TestS3DeletesOnlyWhatS3SaysIsGone(t *testing.T) {
	result := func(inside string) string { return `<?xml version="1.0"?><DeleteResult>` + inside + `</DeleteResult>` }
	gone := func(n string) string { return "<Deleted><Key>" + page(n) + "</Key></Deleted>" }
	failed := func(n, code string) string {
		return "<Error><Key>" + page(n) + "</Key><Code>" + code + "</Code><Message>no</Message></Error>"
	}
	tests := map[string]struct {
		body string
		left []string // the objects that the error must name
	}{
		"all gone":          {result(gone("1") + gone("2")), nil},
		"one never there":   {result(gone("1") + failed("2", "NoSuchKey")), nil},
		"one is kept":       {result(gone("1") + failed("2", "AccessDenied")), []string{page("2") + ": AccessDenied: no"}},
		"both are kept":     {result(failed("1", "AccessDenied") + failed("2", "InternalError")), []string{page("1"), page("2")}},
		"silence about one": {result(gone("1")), []string{page("2")}},
		"an empty answer":   {"", []string{page("1"), page("2")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := answering(t, test.body).Delete(t.Context(), page("1"), page("2"))
			if (err == nil) != (test.left == nil) {
				t.Fatalf("error %v, want %d objects named", err, len(test.left))
			}
			for n := 1; n <= 2; n++ {
				want := strings.Contains(strings.Join(test.left, " "), page(fmt.Sprint(n)))
				if got := strings.Contains(fmt.Sprint(err), page(fmt.Sprint(n))); got != want {
					t.Errorf("object %d is named: %v, want %v, in %v", n, got, want, err)
				}
			}
			for _, left := range test.left {
				if !strings.Contains(fmt.Sprint(err), left) {
					t.Errorf("error %v, want it to say %q", err, left)
				}
			}
		})
	}
}

// shortened is an S3 whose objects end where they like, whatever it said first.
type shortened struct {
	archive.S3Client
	size *int64
	body string
}

func (s shortened) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{ContentLength: s.size, Body: io.NopCloser(strings.NewReader(s.body))}, nil
}

func TestS3ReadsAsAWholeOrNotAtAll(t *testing.T) {
	for name, s := range map[string]shortened{
		"whole":     {size: aws.Int64(4), body: "1234"},
		"empty":     {size: aws.Int64(0), body: ""},
		"too short": {size: aws.Int64(5), body: "1234"},
		"nothing":   {size: aws.Int64(5), body: ""},
		"too long":  {size: aws.Int64(3), body: "1234"},
		"unsaid":    {size: nil, body: "1234"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t.Context(), archive.NewS3(s, "kept"), page("1"))
			if whole := s.size != nil && int(*s.size) == len(s.body); whole != (err == nil) || whole && got != s.body {
				t.Errorf("read %q, error %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), page("1")) {
				t.Errorf("error %v does not name the object", err)
			}
		})
	}
}

// A connection that breaks in the middle of an object, as it comes from a socket.
func TestS3ReadsNothingThatBrokeOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		fmt.Fprint(w, "123")
	}))
	defer server.Close()
	got, err := read(t.Context(), archive.NewS3(s3Client(server.URL), "kept"), page("1"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, error %v, want io.ErrUnexpectedEOF", got, err)
	}
}
