package couch

// revisions are those of documents, by id: as many of the latest as are allowed. They are
// kept in two generations; when the young one is full, the old one is forgotten.
type revisions struct {
	young, old map[string]string
	limit      int // of a generation
}

func newRevisions(limit int) revisions {
	return revisions{young: make(map[string]string), limit: max(1, limit/2)}
}

// get gives the revision; empty is one that is known not to be there.
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
