package couch

// revisions caches the revisions of documents in two generations. If the young one is full, the old
// one is dropped.
type revisions struct {
	young, old map[string]string
	limit      int // of a generation
}

func newRevisions(limit int) revisions {
	return revisions{young: make(map[string]string), limit: max(1, limit/2)}
}

// get returns the revision; it is empty if the document is known to be missing.
func (r *revisions) get(id string) (rev string, known bool) {
	if rev, known = r.young[id]; known {
		return rev, true
	}
	if rev, known = r.old[id]; known {
		r.put(id, rev)
	}
	return rev, known
}

func (r *revisions) put(id, rev string) {
	if _, there := r.young[id]; !there && len(r.young) >= r.limit {
		r.old, r.young = r.young, make(map[string]string, len(r.young))
	}
	r.young[id] = rev
}

func (r *revisions) forget(id string) {
	delete(r.young, id)
	delete(r.old, id)
}
