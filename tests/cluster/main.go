// A real Kubernetes cluster on one Linux machine, for sparkctl's tests: two nodes that run real pods,
// Volcano, an image registry and Spark images made here.
//
//	main.go       what can be asked, and what is printed
//	cluster.go    where things are: addresses, folders, what a running cluster is recognised by
//	up.go         the way up, the way down
//	parts.go      the processes, in the order in which they start
//	process.go    starting, finding and stopping a process
//	node.go       a node: containerd, kubelet, kube-proxy and the network of its pods
//	network.go    the network namespaces and what joins them
//	cgroups.go    the nodes' control groups
//	pki.go        keys, certificates, kubeconfigs
//	api.go        talking to the API server
//	volcano.go    Volcano's objects
//	simulated.go  nodes that only pretend (kwok)
//	packages.go   Debian packages, and the AWS CLI
//	programs.go   what is built from Go modules
//	image.go      layers, manifests, the registry
//	spark.go      what goes into a Spark image
//	run.go        helpers that run to their end, and how they are shown
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

const usage = `usage: go run -C tests/cluster . COMMAND

  up [--spark VERSION]... [--no-images]
                  start the cluster, or use the one that runs, and print NAME=value lines on stdout;
                  --spark makes the image of one more Spark version (3.5, 3.5.9, 4.1, …; 4.1-r: with R)
  down            stop it and leave nothing behind but the cache
  status          what runs, and what does not (exit code 1 unless all of it does)
  restart PART    stop a part and start it again (the parts are those that status names)
  pause PART      freeze a part
  resume PART     let it go on
  disconnect      reset every connection between this machine and the API server
  nodes N [--label KEY=VALUE]... [--open]
                  have N simulated nodes (0: none); tainted kwok.x-k8s.io/node=fake:NoSchedule unless --open
  image VERSION   make the image of a Spark version (or seed, that of the first example), pull it into the nodes,
                  and print its name
  packages NAME...
                  install what single tests need: aws, javac, npm, pip, podman, venv
  clean           down, and drop the cache too

State is in $SPARKCTL_TEST_CLUSTER_STATE (/var/lib/sparkctl-test-cluster), the cache in
$SPARKCTL_TEST_CLUSTER_CACHE (~/.cache/sparkctl-test-cluster).
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := command(ctx, os.Args[1:])
	var wrong usageError
	switch {
	case err == nil:
	case errors.Is(err, errNotUp):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "error: %v\n\n%s", err, usage)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

type usageError string

func (e usageError) Error() string { return string(e) }

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usageError("a command is missing")
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "--help" {
		fmt.Print(usage)
		return nil
	}

	var versions, labels list
	var noImages, open bool
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	operands := 0
	switch name {
	case "up":
		flags.Var(&versions, "spark", "")
		flags.BoolVar(&noImages, "no-images", false, "")
	case "nodes":
		flags.Var(&labels, "label", "")
		flags.BoolVar(&open, "open", false, "")
		operands = 1
	case "restart", "pause", "resume", "image":
		operands = 1
	case "packages":
		operands = max(1, len(args))
	case "down", "status", "disconnect", "clean":
	default:
		return usageError(fmt.Sprintf("unknown command %q", name))
	}
	rest, err := parse(flags, args)
	if err != nil {
		return usageError(err.Error())
	}
	if len(rest) != operands {
		return usageError(fmt.Sprintf("%s takes %d operands, not %d", name, operands, len(rest)))
	}

	c, err := newCluster()
	if err != nil {
		return err
	}
	if name == "packages" {
		// What is there already is found without root.
		lines, err := c.installForTests(ctx, rest)
		for _, line := range lines {
			fmt.Println(line)
		}
		return err
	}
	// Before anything is touched.
	if os.Geteuid() != 0 {
		return errors.New("the test cluster needs root (namespaces, mounts, control groups): run it as root, or with sudo -E")
	}
	if name == "status" {
		return c.status(ctx)
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	switch name {
	case "up":
		wanted, err := sparkVersions(versions)
		if err != nil {
			return usageError(err.Error())
		}
		if err := c.up(ctx, wanted, !noImages); err != nil {
			return err
		}
		c.printEnvironment(os.Stdout, wanted)
		return nil
	case "down":
		return c.down()
	case "clean":
		return c.clean()
	case "restart":
		return c.restart(ctx, rest[0])
	case "pause":
		return c.signal(rest[0], syscall.SIGSTOP)
	case "resume":
		return c.signal(rest[0], syscall.SIGCONT)
	case "disconnect":
		return c.disconnect(ctx)
	case "nodes":
		count, err := strconv.Atoi(rest[0])
		if err != nil || count < 0 || count > 5000 {
			return usageError(fmt.Sprintf("%q is not a number of nodes", rest[0]))
		}
		return c.simulateNodes(ctx, count, labels, open)
	case "image":
		one, err := imageOf(rest[0])
		if err != nil {
			return usageError(err.Error())
		}
		if err := c.addImage(ctx, one); err != nil {
			return err
		}
		fmt.Println(one.name)
		return nil
	}
	panic("unreachable: " + name)
}

// Lets flags come before, after and between the operands.
func parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return operands, nil
		}
		operands = append(operands, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// What a test needs to know, for `eval` or any reader of NAME=value lines.
func (c *cluster) printEnvironment(out io.Writer, versions []string) {
	for _, line := range [][2]string{
		{"KUBECONFIG", c.kubeconfig("admin")},
		{"SUBMITTER_KUBECONFIG", c.kubeconfig("submitter")},
		{"AUDIT_LOG", c.path("log", "audit.jsonl")},
		{"API_SERVER", apiServerURL},
		{"REGISTRY", registryAddress},
		{"SPARK_VERSION", currentSpark},
		{"SPARK_IMAGE", sparkImage(currentSpark).name},
		{"SEED_IMAGE", seedImage().name},
		{"BUSYBOX_IMAGE", busyboxImage().name},
		{"LOGS", c.path("log")},
	} {
		fmt.Fprintf(out, "%s=%s\n", line[0], line[1])
	}
	for _, version := range versions {
		fmt.Fprintf(out, "SPARK_IMAGE_%s=%s\n", strings.NewReplacer(".", "_", withR, "_R").Replace(version), sparkImage(version).name)
	}
}
