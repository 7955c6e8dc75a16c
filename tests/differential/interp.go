// A Go program that runs programs given as data (programs.py says what an operation is) and logs every operation
// when it has been completed, so that the order can be compared with that of mpg.
//
// It is compiled once and reads everything from the environment:
//
//	PROGRAMS  a file of integers: how many programs, then each
//	LOG       a file of zeros to be mapped: records of four 32-bit integers
//	FIRST     the program to begin with
//
// The log is memory, because a write(2) is a system call, in which sysmon may take the P and which counts as a
// scheduling event. All input is read before the first program begins, and no garbage collector runs (GOGC=off).
//
// Before each program 700 G's are spawned. Their order shows P.schedtick modulo 61, on which the order of what
// follows depends; main then yields until it is what the program asks for. The process ends after the last
// program, when a program kills it (status 2), or when main has returned and left others behind (status 3).
package main

import (
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Operations, as in programs.py.
const (
	opGo = iota
	opSend
	opRecv
	opTrySend
	opTryRecv
	opSelect
	opClose
	opRange
	opLock
	opUnlock
	opTryLock
	opRLock
	opRUnlock
	opWLock
	opWUnlock
	opAdd
	opDone
	opWait
	opCondWait
	opSignal
	opBroadcast
	opGosched
	opSleep
	opAfter
	opAfterFunc
	opSelectFor
	opPanic
	opGoexit
)

// Records that are no operation: a negative number in the place of the G.
const (
	recPhase = -2 // schedtick modulo 61 as the 700 show it, -1 if they do not
	recBegin = -3 // program
	recEnd   = -4 // how many G's are left behind
)

type program struct {
	phase    int
	recovers bool
	chans    []int
	mutexes  int
	rws      int
	groups   int
	bodies   [][][]int32
}

var (
	logged []int32
	at     int

	bodies   [][][]int32
	recovers bool
	chans    []chan int32
	mutexes  []sync.Mutex
	conds    []*sync.Cond // each with the mutex of the same number
	rws      []sync.RWMutex
	groups   []sync.WaitGroup
	gs       int32 // ids given out
	live     int32 // G's that have not ended, timers that have not fired
)

func note(g, pc, x, y int32) {
	logged[at], logged[at+1], logged[at+2], logged[at+3] = g+1, pc, x, y // g+1: zero is the end of the log
	at += 4
}

func begin(id, body int32) {
	note(id, -1, 0, 0)
	ops := bodies[body]
	for pc := 0; pc < len(ops); pc++ {
		op := ops[pc]
		switch op[0] {
		case opSend, opTrySend, opSelect, opSelectFor, opClose:
			if recovers {
				carefully(id, int32(pc), op)
				continue
			}
		}
		pc += step(id, int32(pc), op)
	}
	live--
	note(id, int32(len(ops)), 0, 0)
}

func carefully(id, pc int32, op []int32) {
	defer func() {
		if e := recover(); e != nil {
			note(id, pc, -9, 0)
		}
	}()
	step(id, pc, op)
}

func bit(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// step does one operation and tells how many of the following ones to skip.
func step(id, pc int32, op []int32) int {
	var x, y int32
	skip := 0
	switch op[0] {
	case opGo:
		for n := op[2]; n > 0; n-- {
			gs++
			live++
			go begin(gs, op[1])
		}
		x = gs
	case opSend:
		chans[op[1]] <- op[2]
	case opRecv:
		v, ok := <-chans[op[1]]
		x, y = v, bit(ok)
	case opTrySend:
		select {
		case chans[op[1]] <- op[2]:
			x = 1
		default:
		}
	case opTryRecv:
		select {
		case v, ok := <-chans[op[1]]:
			x, y = v, 1+bit(ok)
		default:
		}
	case opSelect:
		x, y = selects(op[1] != 0, op[2:])
	case opClose:
		close(chans[op[1]])
	case opRange:
		for v := range chans[op[1]] {
			note(id, pc, v, 1)
		}
	case opLock:
		mutexes[op[1]].Lock()
	case opUnlock:
		mutexes[op[1]].Unlock()
	case opTryLock:
		if mutexes[op[1]].TryLock() {
			x = 1
		} else {
			skip = int(op[2])
		}
	case opRLock:
		rws[op[1]].RLock()
	case opRUnlock:
		rws[op[1]].RUnlock()
	case opWLock:
		rws[op[1]].Lock()
	case opWUnlock:
		rws[op[1]].Unlock()
	case opAdd:
		groups[op[1]].Add(int(op[2]))
	case opDone:
		groups[op[1]].Done()
	case opWait:
		groups[op[1]].Wait()
	case opCondWait:
		conds[op[1]].Wait()
	case opSignal:
		conds[op[1]].Signal()
	case opBroadcast:
		conds[op[1]].Broadcast()
	case opGosched:
		for n := op[1]; n > 1; n-- {
			runtime.Gosched()
			note(id, pc, n, 0)
		}
		runtime.Gosched()
	case opSleep:
		time.Sleep(time.Duration(op[1]) * time.Millisecond)
	case opAfter:
		<-time.After(time.Duration(op[1]) * time.Millisecond)
	case opSelectFor:
		x, y = selectsFor(time.Duration(op[1])*time.Millisecond, op[2:])
	case opAfterFunc:
		gs++
		live++
		g, body := gs, op[2]
		time.AfterFunc(time.Duration(op[1])*time.Millisecond, func() { begin(g, body) })
		x = g
	case opPanic:
		panic("boom")
	case opGoexit:
		live--
		note(id, pc, 0, 0)
		runtime.Goexit()
	}
	note(id, pc, x, y)
	return skip
}

// selects waits for one of up to three cases: direction (1 sends), channel, value. A nil channel is never ready.
func selects(hasDefault bool, cases []int32) (int32, int32) {
	send, recv, value := unpack(cases)
	if hasDefault {
		select {
		case send[0] <- value[0]:
			return 0, 0
		case v, ok := <-recv[0]:
			return 0, 2*v + bit(ok)
		case send[1] <- value[1]:
			return 1, 0
		case v, ok := <-recv[1]:
			return 1, 2*v + bit(ok)
		case send[2] <- value[2]:
			return 2, 0
		case v, ok := <-recv[2]:
			return 2, 2*v + bit(ok)
		default:
			return -1, 0
		}
	}
	select {
	case send[0] <- value[0]:
		return 0, 0
	case v, ok := <-recv[0]:
		return 0, 2*v + bit(ok)
	case send[1] <- value[1]:
		return 1, 0
	case v, ok := <-recv[1]:
		return 1, 2*v + bit(ok)
	case send[2] <- value[2]:
		return 2, 0
	case v, ok := <-recv[2]:
		return 2, 2*v + bit(ok)
	}
}

// selectsFor does the same, but waits no longer than this.
func selectsFor(d time.Duration, cases []int32) (int32, int32) {
	send, recv, value := unpack(cases)
	select {
	case send[0] <- value[0]:
		return 0, 0
	case v, ok := <-recv[0]:
		return 0, 2*v + bit(ok)
	case send[1] <- value[1]:
		return 1, 0
	case v, ok := <-recv[1]:
		return 1, 2*v + bit(ok)
	case send[2] <- value[2]:
		return 2, 0
	case v, ok := <-recv[2]:
		return 2, 2*v + bit(ok)
	case <-time.After(d):
		return -1, 0
	}
}

func unpack(cases []int32) (send, recv [3]chan int32, value [3]int32) {
	for i := 0; 3*i < len(cases); i++ {
		if cases[3*i] == 1 {
			send[i], value[i] = chans[cases[3*i+1]], cases[3*i+2]
		} else {
			recv[i] = chans[cases[3*i+1]]
		}
	}
	return
}

const crowd, tick = 700, 61

// phase spawns 700 G's that only say who they are, and tells P.schedtick modulo 61 afterwards, or -1 if the order is
// none that a model of the run queues explains: then a preemption has disturbed it.
//
// The last one runs first and inherits the slice of its parent, the next ones come from the local queue, one slice
// each, until the slice whose number 61 divides takes the head of the global queue, which is G 0. If that is the first
// slice, 0 goes even before the last one.
func phase() int {
	var wg sync.WaitGroup
	order := make([]int, 0, crowd)
	wg.Add(crowd)
	for i := range crowd {
		go func() {
			order = append(order, i)
			wg.Done()
		}()
	}
	if len(order) > 0 {
		wg.Wait()
		return -1
	}
	wg.Wait()
	zero := 0
	for order[zero] != 0 {
		zero++
	}
	began := 2*tick + 1 - max(zero, 1)
	if began <= tick-1 {
		return -1
	}
	for i, g := range model(began) {
		if order[i] != g {
			return -1
		}
	}
	return (began + crowd - 1) % tick
}

// model tells the order of the 700 if the parent parks when P.schedtick is now.
func model(now int) (order []int) {
	var local, global []int
	next := -1
	for i := range crowd {
		if len(local) == 256 {
			global = append(append(global, local[:128]...), next)
			local = local[128:]
		} else if next >= 0 {
			local = append(local, next)
		}
		next = i
	}
	for len(order) < crowd {
		switch {
		case now%tick == 0 && len(global) > 0:
			order, global = append(order, global[0]), global[1:]
		case next >= 0:
			order, next = append(order, next), -1
			continue // no slice of its own
		case len(local) > 0:
			order, local = append(order, local[0]), local[1:]
		default:
			n := min(128, len(global))
			order, local, global = append(order, global[0]), global[1:n], global[n:]
		}
		now++
	}
	return order
}

func set(p *program) {
	bodies, recovers = p.bodies, p.recovers
	chans = make([]chan int32, len(p.chans))
	for i, size := range p.chans {
		chans[i] = make(chan int32, size)
	}
	mutexes = make([]sync.Mutex, p.mutexes)
	conds = make([]*sync.Cond, p.mutexes)
	for i := range conds {
		conds[i] = sync.NewCond(&mutexes[i])
	}
	rws = make([]sync.RWMutex, p.rws)
	groups = make([]sync.WaitGroup, p.groups)
	gs, live = 0, 1
}

func main() {
	programs := parse(read(env("PROGRAMS")))
	logged = mapped(env("LOG"))
	time.Sleep(5 * time.Millisecond) // what the runtime starts for itself has settled then
	for range 200 {
		runtime.Gosched()
	}
	for i := int(number(env("FIRST"))); i < len(programs); i++ {
		p := &programs[i]
		now := -1
		for range 10 {
			if now = phase(); now >= 0 {
				break
			}
		}
		note(recPhase, int32(now), 0, 0)
		set(p)
		for ; now >= 0 && now != p.phase; now = (now + 1) % 61 {
			runtime.Gosched()
		}
		note(recBegin, int32(i), 0, 0)
		begin(0, 0)
		note(recEnd, live, 0, 0)
		if live > 0 {
			syscall.Exit(3)
		}
	}
}

// Input. No package os, fmt or strconv: the fewer packages, the sooner it is compiled.

func check(err error) {
	if err != nil {
		panic(err.Error())
	}
}

func env(name string) string {
	value, _ := syscall.Getenv(name)
	return value
}

func read(path string) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	check(err)
	var stat syscall.Stat_t
	check(syscall.Fstat(fd, &stat))
	text := make([]byte, stat.Size)
	for done := 0; done < len(text); {
		n, err := syscall.Read(fd, text[done:])
		check(err)
		done += n
	}
	check(syscall.Close(fd))
	return text
}

func mapped(path string) []int32 {
	fd, err := syscall.Open(path, syscall.O_RDWR, 0)
	check(err)
	var stat syscall.Stat_t
	check(syscall.Fstat(fd, &stat))
	memory, err := syscall.Mmap(fd, 0, int(stat.Size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check(err)
	return unsafe.Slice((*int32)(unsafe.Pointer(&memory[0])), len(memory)/4)
}

func number(text string) (n int32) {
	for _, c := range []byte(text) {
		n = 10*n + int32(c-'0')
	}
	return n
}

func parse(text []byte) []program {
	i := 0
	next := func() int {
		for text[i] <= ' ' {
			i++
		}
		sign, n := 1, 0
		if text[i] == '-' {
			sign = -1
			i++
		}
		for ; i < len(text) && text[i] > ' '; i++ {
			n = 10*n + int(text[i]-'0')
		}
		return sign * n
	}
	programs := make([]program, next())
	for k := range programs {
		p := &programs[k]
		p.phase = next()
		p.recovers = next() != 0
		p.chans = make([]int, next())
		for j := range p.chans {
			p.chans[j] = next()
		}
		p.mutexes, p.rws, p.groups = next(), next(), next()
		p.bodies = make([][][]int32, next())
		for b := range p.bodies {
			p.bodies[b] = make([][]int32, next())
			for o := range p.bodies[b] {
				op := make([]int32, next())
				for j := range op {
					op[j] = int32(next())
				}
				p.bodies[b][o] = op
			}
		}
	}
	return programs
}
