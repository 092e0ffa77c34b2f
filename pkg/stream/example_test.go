package stream_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// One writer stores records with their checkpoint as one act, and any number of readers see them.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server, err := embednats.Start(ctx, embednats.Options{Dir: dir, Log: quiet()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	conn, err := stream.Connect(ctx, stream.Config{URL: server.URL(), Name: "example"}, quiet())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	if _, err := stream.Provision(ctx, conn, stream.Limits{}); err != nil {
		fmt.Println(err)
		return
	}
	journal, err := stream.OpenJournal(ctx, conn, "sales-out", "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	modified := time.Date(2026, 11, 11, 0, 0, 0, 0, time.UTC)
	row := record.Record{
		Resource: "sales-out", Source: "main", Shop: "10394533", Key: "8801234", Version: record.Version{TS: 71, Modified: modified},
		Payload: &jushuitanv1.SalesOutOrder{}, Raw: []byte(`{"io_id":8801234}`),
	}
	if err := journal.Commit(ctx, []record.Record{row}, &juliuv1.Checkpoint{Cursor: timestamppb.New(modified)}); err != nil {
		fmt.Println(err)
		return
	}
	err = stream.Read(ctx, conn, stream.ReadOptions{Source: "main"}, func(d stream.Delivery) error {
		fmt.Println(d.Subject, string(d.Record.Raw))
		return d.Err
	})
	fmt.Println(journal.Checkpoint().GetTotal(), err)
	// Output:
	// jst.record.sales-out.main.10394533.7 {"io_id":8801234}
	// 1 <nil>
}
