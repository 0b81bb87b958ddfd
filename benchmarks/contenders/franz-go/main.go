// One round of franz-go: takes a job as JSON, prints a measurement as JSON, like benchmarks/workload.ts does for Node clients.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type job struct {
	Workload string `json:"workload"`
	Target   struct {
		Bootstrap   string `json:"bootstrap"`
		Topic       string `json:"topic"`
		Partitions  int    `json:"partitions"`
		Compression string `json:"compression"`
		CaFile      string `json:"caFile"`
	} `json:"target"`
	Pool struct {
		Path       string `json:"path"`
		Lists      int    `json:"lists"`
		ListSize   int    `json:"listSize"`
		KeyBytes   int    `json:"keyBytes"`
		ValueBytes int    `json:"valueBytes"`
	} `json:"pool"`
	WarmUpMs    int    `json:"warmUpMs"`
	MeasureMs   int    `json:"measureMs"`
	Records     int64  `json:"records"`
	GroupPrefix string `json:"groupPrefix"`
}

type latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
}

type measurement struct {
	RecordsPerSecond   float64  `json:"recordsPerSecond"`
	CpuMicrosPerRecord float64  `json:"cpuMicrosPerRecord"`
	ResidentMb         float64  `json:"residentMb"`
	PeakMb             float64  `json:"peakMb"`
	GcShare            float64  `json:"gcShare"`
	Total              int64    `json:"total"`
	Passes             int      `json:"passes"`
	LatencyMs          *latency `json:"latencyMs,omitempty"`
	Options            string   `json:"options"`
}

type mark struct {
	at      time.Time
	cpu     float64
	gc      float64
	records int64
}

const (
	bulkConcurrency = 64
	singlesInFlight = 10000
	maxRecordBytes  = 4 << 20
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// User and system time of the process in seconds.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func gcSeconds() float64 {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64()
}

func now(records int64) mark {
	return mark{time.Now(), cpuSeconds(), gcSeconds(), records}
}

func memoryMb(field string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	for _, line := range strings.Split(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024 / 1e6
		}
	}
	return 0
}

func options(j *job, more ...kgo.Opt) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.SeedBrokers(strings.Split(j.Target.Bootstrap, ",")...), kgo.ClientID("bench")}, more...)
	if j.Target.CaFile != "" {
		pem, err := os.ReadFile(j.Target.CaFile)
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		opts = append(opts, kgo.DialTLSConfig(&tls.Config{RootCAs: roots}))
	}
	return opts
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// The client partitions keys by Kafka's murmur2 unless told otherwise, as Java does.
func openProducer(j *job) *kgo.Client {
	opts := options(j,
		kgo.DefaultProduceTopic(j.Target.Topic),
		kgo.ProducerBatchCompression(codec(j.Target.Compression)),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(100_000),
	)
	if j.Pool.ValueBytes > 500_000 {
		opts = append(opts, kgo.ProducerBatchMaxBytes(maxRecordBytes))
	}
	client, err := kgo.NewClient(opts...)
	must(err)
	return client
}

func readPool(j *job) [][][2][]byte {
	bytes, err := os.ReadFile(j.Pool.Path)
	must(err)
	lists := make([][][2][]byte, j.Pool.Lists)
	at := 0
	for l := range lists {
		lists[l] = make([][2][]byte, j.Pool.ListSize)
		for i := range lists[l] {
			value := at + j.Pool.KeyBytes
			end := value + j.Pool.ValueBytes
			lists[l][i] = [2][]byte{bytes[at:value], bytes[value:end]}
			at = end
		}
	}
	return lists
}

// Runs work until warm-up and measured time are over.
func measureProducing(j *job, opts string, work func(over *atomic.Bool, acknowledged *atomic.Int64)) measurement {
	var over atomic.Bool
	var acknowledged atomic.Int64
	done := make(chan struct{})
	go func() {
		work(&over, &acknowledged)
		close(done)
	}()
	time.Sleep(time.Duration(j.WarmUpMs) * time.Millisecond)
	from := now(acknowledged.Load())
	time.Sleep(time.Duration(j.MeasureMs) * time.Millisecond)
	to := now(acknowledged.Load())
	result := compare(from, to)
	over.Store(true)
	<-done
	result.Total = acknowledged.Load()
	result.Passes = 1
	result.Options = opts
	return result
}

func compare(from, to mark) measurement {
	records := float64(to.records - from.records)
	cpu := to.cpu - from.cpu
	return measurement{
		RecordsPerSecond:   records / to.at.Sub(from.at).Seconds(),
		CpuMicrosPerRecord: cpu * 1e6 / records,
		ResidentMb:         memoryMb("VmRSS"),
		PeakMb:             memoryMb("VmHWM"),
		GcShare:            (to.gc - from.gc) / cpu,
	}
}

const produceOptions = "idempotent, acks=all, ProducerLinger(0), MaxBufferedRecords(100,000)"

func bulk(j *job) measurement {
	client := openProducer(j)
	lists := readPool(j)
	var turn atomic.Int64
	concurrency := bulkConcurrency
	if listBytes := j.Pool.ListSize * (j.Pool.ValueBytes + j.Pool.KeyBytes); listBytes > 400_000 {
		concurrency = max(8, 24_000_000/listBytes)
	}
	result := measureProducing(j, fmt.Sprintf("%s; %d ProduceSync of %d records outstanding", produceOptions, concurrency, j.Pool.ListSize),
		func(over *atomic.Bool, acknowledged *atomic.Int64) {
			var workers sync.WaitGroup
			for range concurrency {
				workers.Go(func() {
					records := make([]*kgo.Record, j.Pool.ListSize)
					for !over.Load() {
						list := lists[int(turn.Add(1))%len(lists)]
						for i, kv := range list {
							records[i] = &kgo.Record{Key: kv[0], Value: kv[1]}
						}
						must(client.ProduceSync(context.Background(), records...).FirstErr())
						acknowledged.Add(int64(len(list)))
					}
				})
			}
			workers.Wait()
		})
	client.Close()
	return result
}

func singles(j *job) measurement {
	client := openProducer(j)
	lists := readPool(j)
	room := make(chan struct{}, singlesInFlight)
	result := measureProducing(j, fmt.Sprintf("%s; %d Produce with a callback outstanding", produceOptions, singlesInFlight),
		func(over *atomic.Bool, acknowledged *atomic.Int64) {
			settled := func(_ *kgo.Record, err error) {
				must(err)
				acknowledged.Add(1)
				<-room
			}
			for turn := 0; !over.Load(); turn++ {
				kv := lists[turn/j.Pool.ListSize%len(lists)][turn%j.Pool.ListSize]
				room <- struct{}{}
				client.Produce(context.Background(), &kgo.Record{Key: kv[0], Value: kv[1]}, settled)
			}
			must(client.Flush(context.Background()))
		})
	client.Close()
	return result
}

func awaited(j *job) measurement {
	client := openProducer(j)
	lists := readPool(j)
	var times []float64
	begin := time.Now()
	result := measureProducing(j, produceOptions, func(over *atomic.Bool, acknowledged *atomic.Int64) {
		for turn := 0; !over.Load(); turn++ {
			kv := lists[turn/j.Pool.ListSize%len(lists)][turn%j.Pool.ListSize]
			start := time.Now()
			must(client.ProduceSync(context.Background(), &kgo.Record{Key: kv[0], Value: kv[1]}).FirstErr())
			took := time.Since(start)
			acknowledged.Add(1)
			if start.Sub(begin) > time.Duration(j.WarmUpMs)*time.Millisecond {
				times = append(times, float64(took.Nanoseconds())/1e6)
			}
		}
	})
	client.Close()
	sort.Float64s(times)
	quantile := func(q float64) float64 { return times[min(len(times)-1, int(float64(len(times))*q))] }
	result.LatencyMs = &latency{quantile(0.5), quantile(0.99), quantile(0.999)}
	return result
}

// Reads the whole topic with a new group; the time begins with the first records.
func readAll(j *job, pass int) (mark, mark) {
	client, err := kgo.NewClient(options(j,
		kgo.ConsumeTopics(j.Target.Topic),
		kgo.ConsumerGroup(fmt.Sprintf("%s-%d", j.GroupPrefix, pass)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	must(err)
	var records, bytes, checksum int64
	var first mark
	for records < j.Records {
		fetches := client.PollFetches(context.Background())
		for _, failed := range fetches.Errors() {
			must(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			records++
			bytes += int64(len(record.Value))
			checksum += int64(record.Value[0])
		})
		if first.records == 0 {
			first = now(records)
		}
	}
	last := now(records)
	client.Close()
	if records != j.Records || bytes != j.Records*int64(j.Pool.ValueBytes) || checksum == 0 {
		must(fmt.Errorf("franz-go read %d records of %d bytes instead of %d", records, bytes, j.Records))
	}
	return first, last
}

func consume(j *job) measurement {
	readAll(j, 0)
	var seconds, cpu, gc float64
	passes := 0
	for begin := time.Now(); seconds*1000 < float64(j.MeasureMs) && time.Since(begin) < 4*time.Duration(j.MeasureMs)*time.Millisecond; {
		passes++
		from, to := readAll(j, passes)
		share := float64(to.records) / max(1, float64(to.records-from.records))
		seconds += to.at.Sub(from.at).Seconds() * share
		cpu += (to.cpu - from.cpu) * share
		gc += (to.gc - from.gc) * share
	}
	records := float64(j.Records) * float64(passes)
	return measurement{
		RecordsPerSecond:   records / seconds,
		CpuMicrosPerRecord: cpu * 1e6 / records,
		ResidentMb:         memoryMb("VmRSS"),
		PeakMb:             memoryMb("VmHWM"),
		GcShare:            gc / cpu,
		Total:              j.Records * int64(passes+1),
		Passes:             passes,
		Options:            "defaults, PollFetches, each value read",
	}
}

func main() {
	var j job
	must(json.Unmarshal([]byte(os.Args[1]), &j))
	workloads := map[string]func(*job) measurement{"bulk": bulk, "singles": singles, "awaited": awaited, "consume": consume}
	work, known := workloads[j.Workload]
	if !known {
		must(fmt.Errorf("no such workload: %s", j.Workload))
	}
	result := work(&j)
	result.Options += fmt.Sprintf(" (%s)", runtime.Version())
	must(json.NewEncoder(os.Stdout).Encode(result))
}
