package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var begin = time.Now()

// Talk goes to stderr: stdout is for what `up` prints.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
}

// Shows a slow step: when it begins, that it is still running, and how long it took.
func step(what string, do func() error) error {
	return stepWith(what, nil, do)
}

// The same for a step that knows how far it is.
func stepWith(what string, progress func() string, do func() error) error {
	say("%s …", what)
	start := time.Now()
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(30 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				say("%s", soFar(what, time.Since(start), progress))
			}
		}
	}()
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	say("%s: done in %s", what, inWords(time.Since(start)))
	return nil
}

// What a step that is still running says: `building registry … (0 of 1 programs, 90 s so far)`.
func soFar(what string, elapsed time.Duration, progress func() string) string {
	known := ""
	if progress != nil {
		known = progress() + ", "
	}
	return fmt.Sprintf("%s … (%s%s so far)", what, known, inWords(elapsed))
}

func inWords(elapsed time.Duration) string {
	switch seconds := elapsed.Seconds(); {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	default:
		return fmt.Sprintf("%.0f min", elapsed.Minutes())
	}
}

// A helper that runs to its end. It dies with this program, however that ends.
type tool struct {
	dir   string
	env   []string
	lines *atomic.Int64 // counts what it says, to be shown as progress
}

func (t tool) run(ctx context.Context, name string, args ...string) (stdout string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = t.dir
	cmd.Env = append(os.Environ(), t.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out, all bytes.Buffer
	both := &shared{to: &all, lines: t.lines}
	cmd.Stdout = &tee{&out, both}
	cmd.Stderr = both
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s is not installed on this machine", name)
		}
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, lastLines(all.Bytes(), 20))
	}
	return out.String(), nil
}

func run(ctx context.Context, name string, args ...string) error {
	_, err := tool{}.run(ctx, name, args...)
	return err
}

// Output and errors of a process are written from two goroutines.
type shared struct {
	mutex sync.Mutex
	to    *bytes.Buffer
	lines *atomic.Int64
}

func (s *shared) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.lines != nil {
		s.lines.Add(int64(bytes.Count(p, []byte{'\n'})))
	}
	return s.to.Write(p)
}

type tee struct {
	out  *bytes.Buffer
	both *shared
}

func (t *tee) Write(p []byte) (int, error) {
	t.both.Write(p)
	return t.out.Write(p)
}

func lastLines(text []byte, count int) string {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return "    " + strings.Join(lines, "\n    ")
}

// Runs all at once; the first that fails stops the others and is the error.
func together(ctx context.Context, all ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failures := make(chan error, len(all))
	for _, one := range all {
		go func() { failures <- one(ctx) }()
	}
	var first error
	for range all {
		if err := <-failures; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return errors.New("interrupted")
	case <-time.After(d):
		return nil
	}
}

// Asks again and again until there is no error.
func until(ctx context.Context, what string, patience time.Duration, ask func() error) error {
	deadline := time.Now().Add(patience)
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, 250*time.Millisecond) {
		err := ask()
		if err == nil {
			return nil
		}
		var final fatal
		if errors.As(err, &final) {
			return fmt.Errorf("waiting for %s: %w", what, final.error)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waiting for %s: not within %s: %w", what, patience, err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// An error for which there is no use in asking again.
type fatal struct{ error }

func write(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}
