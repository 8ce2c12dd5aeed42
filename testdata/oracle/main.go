// Command oracle drives the reference parser (internal/trace of the GOROOT it
// is built in) and prints what it found as JSON, or times it.
//
//	oracle rawcount FILE     internal/trace/raw loop only
//	oracle loop FILE         Reader loop, nothing but a counter
//	oracle retain FILE       Reader loop, events kept in a slice (as cmd/trace does)
//	oracle summary FILE      counts, goroutine and task summaries, MMU
//	oracle composition FILE  what the trace is made of on the wire
//	oracle fromtext FILE     a .test text trace to the wire format (stdout)
//	oracle validate FILE     the reference test validator over every event; exit 1 and a message on stderr if it objects
package main

import (
	"encoding/json"
	"fmt"
	"internal/trace"
	"internal/trace/raw"
	"internal/trace/testtrace"
	"internal/trace/version"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: oracle loop|rawcount|retain|summary|composition|validate|fromtext FILE")
		os.Exit(2)
	}
	f, err := os.Open(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	st, _ := f.Stat()
	if p := os.Getenv("ORACLE_CPUPROFILE"); p != "" {
		pf, _ := os.Create(p)
		pprof.StartCPUProfile(pf)
		defer pprof.StopCPUProfile()
	}
	var out any
	switch os.Args[1] {
	case "loop":
		out = timed(st.Size(), func() (int, error) { return loop(f) })
	case "retain":
		out = timed(st.Size(), func() (int, error) { return retain(f) })
	case "rawcount":
		out = timed(st.Size(), func() (int, error) { return rawLoop(f) })
	case "summary":
		out = summary(f, st.Size())
	case "composition":
		out = composition(f, st.Size())
	case "fromtext": // a .test file of internal/trace/testdata to the wire format
		r, _, _, err := testtrace.ParseFile(os.Args[2])
		if err == nil {
			_, err = io.Copy(os.Stdout, r)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case "validate":
		if err := validate(f); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	default:
		os.Exit(2)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type timing struct {
	Bytes     int64   `json:"bytes"`
	Events    int     `json:"events"`
	Seconds   float64 `json:"seconds"`
	MBPerS    float64 `json:"mb_per_s"`
	MevPerS   float64 `json:"mev_per_s"`
	UserS     float64 `json:"user_s"`
	SysS      float64 `json:"sys_s"`
	PeakRSSMiB float64 `json:"peak_rss_mib"`
	AllocMB   float64 `json:"total_alloc_mb"`
	Mallocs   uint64  `json:"mallocs"`
	NumGC     uint32  `json:"num_gc"`
	Error     string  `json:"error,omitempty"`
}

func timed(size int64, f func() (int, error)) timing {
	t0 := time.Now()
	n, err := f()
	d := time.Since(t0).Seconds()
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru)
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	t := timing{Bytes: size, Events: n, Seconds: d, MBPerS: float64(size) / 1e6 / d, MevPerS: float64(n) / 1e6 / d,
		UserS: float64(ru.Utime.Nano()) / 1e9, SysS: float64(ru.Stime.Nano()) / 1e9,
		PeakRSSMiB: float64(ru.Maxrss) / 1024, AllocMB: float64(ms.TotalAlloc) / 1e6, Mallocs: ms.Mallocs, NumGC: ms.NumGC}
	if err != nil {
		t.Error = err.Error()
	}
	return t
}

// validate runs the reference validator over the whole trace.
func validate(f *os.File) error {
	r, err := trace.NewReader(f)
	if err != nil {
		return err
	}
	v := testtrace.NewValidator()
	var n int
	if _, err := fmt.Fscanf(io.NewSectionReader(f, 0, 16), "go 1.%d trace", &n); err == nil {
		v.GoVersion = version.Version(n)
	}
	for i := 0; ; i++ {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			fmt.Println("valid:", i, "events")
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d events: %w", i, err)
		}
		if err := v.Event(ev); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
}

func loop(f io.Reader) (n int, err error) {
	r, err := trace.NewReader(f)
	if err != nil {
		return 0, err
	}
	for {
		_, err := r.ReadEvent()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

var kept []trace.Event

func retain(f io.Reader) (n int, err error) {
	r, err := trace.NewReader(f)
	if err != nil {
		return 0, err
	}
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			return len(kept), nil
		}
		if err != nil {
			return len(kept), err
		}
		kept = append(kept, ev)
	}
}

func rawLoop(f io.Reader) (n int, err error) {
	r, err := raw.NewReader(f)
	if err != nil {
		return 0, err
	}
	for {
		_, err := r.ReadEvent()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}
