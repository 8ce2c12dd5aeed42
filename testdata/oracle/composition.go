// What a trace is made of on the wire: event and batch counts and sizes.

package main

import (
	"bufio"
	"fmt"
	"internal/trace/raw"
	"internal/trace/tracev2"
	"internal/trace/version"
	"io"
	"os"
	"sort"
)

type evStat struct {
	Count int `json:"count"`
	Bytes int `json:"bytes"`
}

type genStat struct {
	Gen         uint64 `json:"gen"`
	Batches     int    `json:"batches"`
	EventBatch  int    `json:"event_batches"`
	Ms          int    `json:"ms"`
	Strings     int    `json:"strings"`
	StringBytes int    `json:"string_bytes"`
	Stacks      int    `json:"stacks"`
	Frames      int    `json:"frames"`
	Samples     int    `json:"cpu_samples"`
	Bytes       uint64 `json:"batch_bytes"`
	Timed       int    `json:"timed_events"`
}

type compositionResult struct {
	Bytes        int64             `json:"bytes"`
	Header       string            `json:"header"`
	Error        string            `json:"error,omitempty"`
	Events       int               `json:"events"`       // every raw event
	Timed        int               `json:"timed_events"` // those that carry a time delta
	TimedBytes   int               `json:"timed_bytes"`
	ByType       map[string]evStat `json:"by_type"`
	Batches      map[string]int    `json:"batches"`
	BatchBytes   map[string]int    `json:"batch_bytes"`
	EventBatch   []int             `json:"event_batch_size_min_p10_p50_p90_max"`
	EventsPerB   []int             `json:"events_per_batch_min_p10_p50_p90_max"`
	Ms           int               `json:"ms"`
	Gens         []genStat         `json:"generations"`
	FramesPerStk []int             `json:"frames_per_stack_min_p10_p50_p90_max"`
	StrLen       []int             `json:"string_len_min_p10_p50_p90_max"`
	VarintLen    []int             `json:"arg_varint_len_counts"` // of timed events' arguments, 1..10 bytes
	TimedLen     map[int]int       `json:"timed_event_len_counts"`
}

func quant(xs []int) []int {
	if len(xs) == 0 {
		return nil
	}
	sort.Ints(xs)
	q := func(f float64) int { return xs[int(f*float64(len(xs)-1))] }
	return []int{q(0), q(.1), q(.5), q(.9), q(1)}
}

func vlen(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

func composition(f *os.File, size int64) *compositionResult {
	res := &compositionResult{Bytes: size, ByType: map[string]evStat{}, Batches: map[string]int{}, BatchBytes: map[string]int{}, VarintLen: make([]int, 11), TimedLen: map[int]int{}}
	rr, err := raw.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		res.Error = err.Error()
		return res
	}
	v := rr.Version()
	res.Header = fmt.Sprintf("go 1.%d trace", v)
	if v < version.Go122 {
		res.Error = "v1 trace"
		return res
	}
	specs := v.Specs()
	ms := map[uint64]bool{}
	gens := map[uint64]*genStat{}
	genMs := map[[2]uint64]bool{}
	var order []uint64
	var g *genStat
	var sizes, perBatch, frames, strl []int
	var curSize uint64
	kind := ""
	evInBatch, curM := 0, uint64(0)
	flush := func() {
		if kind == "" {
			return
		}
		res.Batches[kind]++
		res.BatchBytes[kind] += int(curSize)
		if kind == "events" {
			sizes = append(sizes, int(curSize))
			perBatch = append(perBatch, evInBatch)
			g.EventBatch++
			if !genMs[[2]uint64{g.Gen, curM}] {
				genMs[[2]uint64{g.Gen, curM}] = true
				g.Ms++
			}
		}
		kind = ""
	}
	var stats [256]evStat
	for {
		ev, err := rr.ReadEvent()
		if err == io.EOF {
			break
		}
		if err != nil {
			res.Error = err.Error()
			break
		}
		res.Events++
		st := &stats[ev.Ev]
		st.Count++
		n := ev.EncodedSize()
		st.Bytes += n
		switch ev.Ev {
		case tracev2.EvEventBatch, tracev2.EvExperimentalBatch:
			flush()
			a := ev.Args
			if ev.Ev == tracev2.EvExperimentalBatch {
				a = a[1:]
			}
			gen, m := a[0], a[1]
			if g = gens[gen]; g == nil {
				g = &genStat{Gen: gen}
				gens[gen] = g
				order = append(order, gen)
			}
			g.Batches++
			curM = m
			evInBatch = 0
			if ev.Ev == tracev2.EvExperimentalBatch {
				kind, curSize = "experimental", uint64(len(ev.Data))
			} else {
				kind, curSize = "events", a[3]
				ms[m] = true
			}
			g.Bytes += curSize
		case tracev2.EvStacks:
			kind = "stacks"
		case tracev2.EvStrings:
			kind = "strings"
		case tracev2.EvCPUSamples:
			kind = "cpusamples"
		case tracev2.EvSync, tracev2.EvFrequency:
			if kind != "sync" {
				kind = "sync"
			}
		case tracev2.EvStack:
			g.Stacks++
			g.Frames += int(ev.Args[1])
			frames = append(frames, int(ev.Args[1]))
		case tracev2.EvString:
			g.Strings++
			g.StringBytes += len(ev.Data)
			strl = append(strl, len(ev.Data))
		case tracev2.EvCPUSample:
			g.Samples++
		case tracev2.EvEndOfGeneration, tracev2.EvClockSnapshot:
		default:
			evInBatch++
			res.Timed++
			g.Timed++
			res.TimedBytes += n
			res.TimedLen[n]++
			for _, a := range ev.Args {
				res.VarintLen[vlen(a)]++
			}
		}
		if ev.Ev == tracev2.EvEndOfGeneration {
			flush()
		}
	}
	flush()
	for i, st := range stats {
		if st.Count > 0 {
			res.ByType[specs[i].Name] = st
		}
	}
	res.EventBatch, res.EventsPerB = quant(sizes), quant(perBatch)
	res.FramesPerStk, res.StrLen = quant(frames), quant(strl)
	// The M of table batches is ^0; it is no thread.
	delete(ms, ^uint64(0))
	res.Ms = len(ms)
	for _, k := range order {
		res.Gens = append(res.Gens, *gens[k])
	}
	return res
}
