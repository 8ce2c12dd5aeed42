// Counts, goroutine and task summaries and mutator utilization, as the reference computes them.

package main

import (
	"fmt"
	"internal/trace"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"time"
)

type execStats struct {
	Exec         int64            `json:"exec"`
	SchedWait    int64            `json:"sched_wait"`
	Block        map[string]int64 `json:"block"`
	Syscall      int64            `json:"syscall"`
	SyscallBlock int64            `json:"syscall_block"`
	Total        int64            `json:"total"`
	Unknown      int64            `json:"unknown"`
	Range        map[string]int64 `json:"range"`
}

type region struct {
	Task  uint64 `json:"task"`
	Name  string `json:"name"`
	Start *int64 `json:"start"`
	End   *int64 `json:"end"`
	execStats
}

type goroutine struct {
	ID       int64    `json:"id"`
	Name     string   `json:"name"`
	PC       uint64   `json:"pc"`
	Creation int64    `json:"creation"`
	Start    int64    `json:"start"`
	End      int64    `json:"end"`
	Regions  []region `json:"regions,omitempty"`
	execStats
}

type task struct {
	ID         uint64   `json:"id"`
	Name       string   `json:"name"`
	Parent     *uint64  `json:"parent"`
	Children   []uint64 `json:"children"`
	Start      *int64   `json:"start"`
	End        *int64   `json:"end"`
	Complete   bool     `json:"complete"`
	Logs       int      `json:"logs"`
	Regions    int      `json:"regions"`
	Goroutines []int64  `json:"goroutines"`
}

type clock struct {
	Trace int64  `json:"trace"`
	Mono  uint64 `json:"mono"`
	Wall  string `json:"wall"`
}

type syncInfo struct {
	N     int            `json:"n"`
	Time  int64          `json:"time"`
	Event int            `json:"event_index"`
	Clock *clock         `json:"clock,omitempty"`
	Exp   map[string]int `json:"exp_batches,omitempty"`
}

type result struct {
	Bytes       int64                         `json:"bytes"`
	Header      string                        `json:"header"`
	Error       string                        `json:"error,omitempty"`
	Panic       string                        `json:"panic,omitempty"`
	Events      int                           `json:"events"`
	ValidEvents int                           `json:"valid_events"` // as cmd/trace: up to the last Sync
	First       int64                         `json:"first_time"`
	Last        int64                         `json:"last_time"`
	Kinds       map[string]int                `json:"kinds"`
	Transitions map[string]int                `json:"transitions"`
	Reasons     map[string]int                `json:"reasons"`
	Ranges      map[string]int                `json:"ranges"`
	Metrics     map[string]int                `json:"metrics"`
	Labels      map[string]int                `json:"labels"`
	Exp         map[string]int                `json:"experimental"`
	Ms          int                           `json:"ms"`
	Ps          int                           `json:"ps"`
	Gs          int                           `json:"gs"`
	Syncs       []syncInfo                    `json:"syncs"`
	Goroutines  []goroutine                   `json:"goroutines"`
	Tasks       []task                        `json:"tasks"`
	MMU         map[string]map[string]float64 `json:"mmu"`
	MUD         map[string][]float64          `json:"mud_10ms_q0_.1_.5_.9_1"`
	MUPoints    map[string][]int              `json:"mutator_util_points"`
	MMUPanic    string                        `json:"mmu_panic,omitempty"`
}

func ns(m map[string]time.Duration) map[string]int64 {
	out := map[string]int64{}
	for k, v := range m {
		out[k] = int64(v)
	}
	return out
}

func stats(s trace.GoroutineExecStats) execStats {
	return execStats{int64(s.ExecTime), int64(s.SchedWaitTime), ns(s.BlockTimeByReason), int64(s.SyscallTime),
		int64(s.SyscallBlockTime), int64(s.TotalTime), int64(s.UnknownTime()), ns(s.RangeTime)}
}

func at(e *trace.Event) *int64 {
	if e == nil {
		return nil
	}
	t := int64(e.Time())
	return &t
}

func summary(f *os.File, size int64) (res *result) {
	res = &result{Bytes: size, Kinds: map[string]int{}, Transitions: map[string]int{}, Reasons: map[string]int{}, Ranges: map[string]int{},
		Metrics: map[string]int{}, Labels: map[string]int{}, Exp: map[string]int{},
		MMU: map[string]map[string]float64{}, MUD: map[string][]float64{}, MUPoints: map[string][]int{}}
	defer func() {
		if p := recover(); p != nil {
			res.Panic = fmt.Sprint(p)
		}
	}()
	var hdr [16]byte
	n, _ := io.ReadFull(f, hdr[:])
	res.Header = strings.TrimRight(string(hdr[:n]), "\x00")
	f.Seek(0, 0)
	r, err := trace.NewReader(f)
	if err != nil {
		res.Error = "NewReader: " + err.Error()
		return
	}
	s := trace.NewSummarizer()
	var events []trace.Event
	ms, ps, gs := map[trace.ThreadID]bool{}, map[trace.ProcID]bool{}, map[trace.GoID]bool{}
	valid := 0
	for {
		ev, err := r.ReadEvent()
		if err == io.EOF {
			valid = len(events)
			break
		}
		if err != nil {
			res.Error = err.Error()
			break
		}
		events = append(events, ev)
		e := &events[len(events)-1]
		s.Event(e)
		if res.Events == 0 {
			res.First = int64(ev.Time())
		}
		res.Events++
		res.Last = int64(ev.Time())
		res.Kinds[ev.Kind().String()]++
		if m := ev.Thread(); m != trace.NoThread {
			ms[m] = true
		}
		if p := ev.Proc(); p != trace.NoProc {
			ps[p] = true
		}
		switch ev.Kind() {
		case trace.EventStateTransition:
			st := ev.StateTransition()
			var k string
			if st.Resource.Kind == trace.ResourceGoroutine {
				a, b := st.Goroutine()
				k = fmt.Sprintf("G:%s->%s", a, b)
				gs[st.Resource.Goroutine()] = true
			} else if st.Resource.Kind == trace.ResourceProc {
				a, b := st.Proc()
				k = fmt.Sprintf("P:%s->%s", a, b)
			}
			res.Transitions[k]++
			if st.Reason != "" {
				res.Reasons[k+" "+st.Reason]++
			}
		case trace.EventRangeBegin, trace.EventRangeEnd, trace.EventRangeActive:
			res.Ranges[strings.TrimPrefix(ev.Kind().String(), "Range")+" "+ev.Range().Name]++
		case trace.EventMetric:
			res.Metrics[ev.Metric().Name]++
		case trace.EventLabel:
			res.Labels[ev.Label().Label]++
		case trace.EventExperimental:
			x := ev.Experimental()
			res.Exp[x.Name]++
		case trace.EventSync:
			valid = len(events)
			y := ev.Sync()
			si := syncInfo{N: y.N, Time: int64(ev.Time()), Event: len(events) - 1}
			if y.ClockSnapshot != nil {
				si.Clock = &clock{int64(y.ClockSnapshot.Trace), y.ClockSnapshot.Mono, y.ClockSnapshot.Wall.UTC().Format(time.RFC3339Nano)}
			}
			for k, b := range y.ExperimentalBatches {
				if si.Exp == nil {
					si.Exp = map[string]int{}
				}
				si.Exp[k] += len(b)
			}
			res.Syncs = append(res.Syncs, si)
		}
	}
	res.Ms, res.Ps, res.Gs = len(ms), len(ps), len(gs)
	res.ValidEvents = valid
	sum := s.Finalize()
	for _, g := range sum.Goroutines {
		o := goroutine{ID: int64(g.ID), Name: g.Name, PC: g.PC, Creation: int64(g.CreationTime), Start: int64(g.StartTime), End: int64(g.EndTime), execStats: stats(g.GoroutineExecStats)}
		for _, rg := range g.Regions {
			o.Regions = append(o.Regions, region{uint64(rg.TaskID), rg.Name, at(rg.Start), at(rg.End), stats(rg.GoroutineExecStats)})
		}
		res.Goroutines = append(res.Goroutines, o)
	}
	slices.SortFunc(res.Goroutines, func(a, b goroutine) int { return int(a.ID - b.ID) })
	for _, t := range sum.Tasks {
		o := task{ID: uint64(t.ID), Name: t.Name, Start: at(t.Start), End: at(t.End), Complete: t.Complete(), Logs: len(t.Logs), Regions: len(t.Regions)}
		if t.Parent != nil {
			id := uint64(t.Parent.ID)
			o.Parent = &id
		}
		for _, c := range t.Children {
			o.Children = append(o.Children, uint64(c.ID))
		}
		slices.Sort(o.Children)
		for g := range t.Goroutines {
			o.Goroutines = append(o.Goroutines, int64(g))
		}
		slices.Sort(o.Goroutines)
		res.Tasks = append(res.Tasks, o)
	}
	sort.Slice(res.Tasks, func(i, j int) bool { return res.Tasks[i].ID < res.Tasks[j].ID })
	func() {
		defer func() {
			if p := recover(); p != nil {
				res.MMUPanic = fmt.Sprint(p)
			}
		}()
		mmu(res, events[:valid])
	}()
	return
}

func mmu(res *result, events []trace.Event) {
	sets := []struct {
		name  string
		flags trace.UtilFlags
	}{
		{"stw", trace.UtilSTW},
		{"stw|background|assist", trace.UtilSTW | trace.UtilBackground | trace.UtilAssist},
		{"stw|background|assist|sweep", trace.UtilSTW | trace.UtilBackground | trace.UtilAssist | trace.UtilSweep},
		{"perProc|stw|background|assist|sweep", trace.UtilPerProc | trace.UtilSTW | trace.UtilBackground | trace.UtilAssist | trace.UtilSweep},
	}
	windows := []time.Duration{time.Microsecond, 10 * time.Microsecond, 100 * time.Microsecond, time.Millisecond, 5 * time.Millisecond,
		10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, time.Second}
	for _, set := range sets {
		util := trace.MutatorUtilizationV2(events, set.flags)
		for _, u := range util {
			res.MUPoints[set.name] = append(res.MUPoints[set.name], len(u))
		}
		c := trace.NewMMUCurve(util)
		m := map[string]float64{}
		for _, w := range windows {
			m[w.String()] = c.MMU(w)
		}
		res.MMU[set.name] = m
		if d := events[len(events)-1].Time() - events[0].Time(); d > trace.Time(10*time.Millisecond) {
			res.MUD[set.name] = c.MUD(10*time.Millisecond, []float64{0, .1, .5, .9, 1})
		}
	}
}
