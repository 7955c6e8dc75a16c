// Loads an echo server on 127.0.0.1 and prints {"requests": N, "seconds": S}. Takes the same flags as the Python
// client: with -seconds it counts for that long, after a warm-up and perhaps a stall; else it makes -requests.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const size = 64

var (
	port     = flag.Int("port", 0, "the server's port")
	conns    = flag.Int("conns", 50, "connections, each with one request at a time")
	requests = flag.Int("requests", 0, "requests in all")
	seconds  = flag.Float64("seconds", 0, "count for so long instead")
	warm     = flag.Float64("warm", 0.5, "with -seconds: load for so long before")
	stall    = flag.Bool("stall", false, "with -seconds: make one handler stall before counting")
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func dial() net.Conn {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	check(err)
	return c
}

func ask(c net.Conn, b []byte) {
	_, err := c.Write(b)
	check(err)
	_, err = io.ReadFull(c, b)
	check(err)
}

func span(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func main() {
	flag.Parse()
	var done atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	each := *requests / *conns
	start := time.Now()
	for i := 0; i < *conns; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := dial()
			defer c.Close()
			b := make([]byte, size)
			for k := 0; !stop.Load() && (*seconds > 0 || k < each); k++ {
				ask(c, b)
				done.Add(1)
			}
		}()
	}
	var before int64
	if *seconds > 0 {
		time.Sleep(span(*warm))
		if *stall {
			c := dial()
			b := make([]byte, size)
			b[0] = '!'
			ask(c, b)
			c.Close()
		}
		start, before = time.Now(), done.Load()
		time.Sleep(span(*seconds))
	} else {
		wg.Wait()
	}
	took, n := time.Since(start).Seconds(), done.Load()-before
	stop.Store(true)
	wg.Wait()
	fmt.Printf("{\"requests\": %d, \"seconds\": %f}\n", n, took)
}
