package failover

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// FurtherSlave makes this host, a slave at another site that is not of the pair, follow
// whichever of the pair's hosts is the master: see the package's comment. It has no note of
// the term and no guard, and cannot be promoted. Run is called once.
type FurtherSlave struct {
	Want FurtherWant
	Ends []End // of the tunnels to the hosts of the pair

	// Own logs in to the server of this host as an administrator, by its socket.
	Own func(context.Context) (*server.Server, error)

	// Open logs in at an end as the monitor account.
	Open func(context.Context, End) (*server.Server, error)

	// State notes which master this slave has, and the highest term that was seen.
	State *journal.StateFile

	// MonitorFile is where status finds the login of the monitor account at the master; it
	// is written anew with the address of the master's end.
	MonitorFile *optionfile.ClientFile

	// As of Host.
	ReadBinaryLog func(ctx context.Context, files []string, from uint64, gtids string, to io.Writer) error
	Shelf         Shelf
	Compare       func(ctx context.Context, own, master *server.Server, databases []string,
		talk replication.Dialogue) (equal bool, err error)

	// Copy makes the own server a slave by a new copy, by the hand-over of the master.
	Copy func(ctx context.Context, want FurtherCopy, talk replication.Dialogue) error

	// HandedOver says what keeps Copy from working: the hand-over file of that server is not
	// there, or of another; nil: nothing.
	HandedOver func(ctx context.Context, master *server.Server) error

	replication.Dialogue

	own    *server.Server
	views  []view
	unlock func()
}

// End is the local end of a tunnel to a host that may be the master.
type End struct {
	Host string // to which it leads
	Port int    // of 127.0.0.1
}

// FurtherWant is what the administrator has said.
type FurtherWant struct {
	Replace     []string // databases whose data on this host may be lost
	NewCopy     bool     // though the history would do
	Unsaved     bool     // go on though what this host has alone cannot be read, and so is not saved
	SkipCompare bool
}

// FurtherCopy is what a new copy of a further slave is made by.
type FurtherCopy struct {
	End       End
	Databases []string
	Replace   []string // those of them whose data here may be lost
	Unlock    func()   // gives the lock of the own server back, which the copy takes
}

// command is the command line of it.
func (w FurtherWant) command() string {
	return commandLine("gtunnel replication follow", []wantedFlag{
		{w.Unsaved, "--unsaved"},
		{w.NewCopy, "--new-copy"},
		{len(w.Replace) > 0, "--replace-databases " + strings.Join(w.Replace, ",")},
		{w.SkipCompare, "--skip-compare"},
	})
}

// Followed is what has come of it.
type Followed struct {
	Master  string // whom this host follows
	Changed bool   // false: it did before, or the plan was only shown
}

// Run asks the hosts, plans, has the plan agreed to, and carries it out.
func (s *FurtherSlave) Run(ctx context.Context) (*Followed, error) {
	var err error
	if s.own, err = s.Own(ctx); err != nil {
		return nil, err
	}
	defer func() { _ = s.own.Close() }() // nothing is left to fail
	if err := s.State.Of(ctx, s.own); err != nil {
		return nil, err
	}
	defer s.closeViews()
	f, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	plan := planFurther(f, s.Want)
	followed := &Followed{Master: f.Choice.Master}
	if agreed, err := s.Consent(plan); !agreed || err != nil {
		return followed, err
	}
	unlock, err := s.own.Lock(ctx)
	if err != nil {
		return nil, err
	}
	s.unlock = sync.OnceFunc(unlock)
	defer s.unlock()
	if err := s.Carry(ctx, plan, func(ctx context.Context, step *replication.Step) error {
		return s.do(ctx, f, step)
	}); err != nil {
		return nil, err
	}
	followed.Changed = true
	return followed, nil
}

// view is what was seen at an end.
type view struct {
	server *server.Server // nil: it does not answer
	viewed
}

// look asks every end.
func (s *FurtherSlave) look(ctx context.Context) []viewed {
	asked := make(chan view, len(s.Ends))
	for _, end := range s.Ends {
		go func() { asked <- s.lookAt(ctx, end) }()
	}
	found := map[End]view{}
	for range s.Ends {
		v := <-asked
		found[v.End] = v
	}
	var all []viewed
	for _, end := range s.Ends {
		s.views = append(s.views, found[end])
		all = append(all, found[end].viewed)
	}
	return all
}

// lookPatience is how long an end may take to answer all that it is asked.
const lookPatience = 15 * time.Second

func (s *FurtherSlave) lookAt(ctx context.Context, end End) view {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	v := view{viewed: viewed{End: end}}
	opened, err := s.Open(ctx, end)
	if err == nil {
		v.server = opened
		err = v.ask(ctx, opened)
	}
	if err != nil {
		v.Silence = err
	}
	return v
}

func (s *FurtherSlave) closeViews() {
	for _, v := range s.views {
		if v.server != nil {
			_ = v.server.Close() // nothing is left to fail
		}
	}
}

// master is the login at the end that was chosen.
func (s *FurtherSlave) master(f *furtherFacts) *server.Server {
	for _, v := range s.views {
		if v.End == f.Choice.End {
			return v.server
		}
	}
	return nil
}
