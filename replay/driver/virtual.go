package driver

import "context"

// Virtual runs a stream in simulated time until nothing more can happen. Blocks take
// the services that the Source names.
func Virtual(ctx context.Context, s Stream) (Result, error) {
	s.Ledger = nil
	r, err := newRun(s)
	if err != nil {
		return Result{}, err
	}
	defer r.free()
	const lookUp = 1 << 14 // events between two looks at ctx
	for i := 1; ; i++ {
		t, w := r.next()
		if t == never {
			return r.result, nil
		}
		if err := r.do(t, w); err != nil {
			return r.result, err
		}
		if i%lookUp == 0 && ctx.Err() != nil {
			return r.result, ctx.Err()
		}
	}
}
