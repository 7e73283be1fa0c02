package interop_test

// Block is a description of a block: what all decoders can be asked. Fields that only some
// give are marked; the others leave them empty.
type Block struct {
	Number       string `json:"number,omitempty"`
	PreviousHash string `json:"previousHash,omitempty"`
	DataHash     string `json:"dataHash,omitempty"`
	// DataSum is the hash of the transactions; not from fabric-common.
	DataSum string `json:"dataSum,omitempty"`
	Flags   []int  `json:"flags,omitempty"`
	// CommitHash is the whole metadata entry, Metadata the value beside the signatures.
	CommitHash   string        `json:"commitHash,omitempty"`
	Metadata     string        `json:"metadata,omitempty"`
	Signatures   []Signature   `json:"signatures,omitempty"`
	Transactions []Transaction `json:"transactions,omitempty"`
	// Writes and WriteBytes are summed over all transactions.
	Writes     int `json:"writes,omitempty"`
	WriteBytes int `json:"writeBytes,omitempty"`
}

// Identity is a certificate's holder.
type Identity struct {
	MSPID string `json:"mspid,omitempty"`
	ID    string `json:"id,omitempty"`
}

// Signed is a signature header.
type Signed struct {
	Creator Identity `json:"creator,omitzero"`
	Nonce   string   `json:"nonce,omitempty"`
}

// Signature is the orderer's over a block.
type Signature struct {
	Signed
	Signature string `json:"signature,omitempty"`
}

// Transaction is an envelope.
type Transaction struct {
	Type    int   `json:"type,omitempty"`
	Version int   `json:"version,omitempty"`
	Millis  int64 `json:"millis,omitempty"`
	// Nanos is of the second; not from fabric-common. Neither is TLSCertHash.
	Nanos       int    `json:"nanos,omitempty"`
	TLSCertHash string `json:"tlsCertHash,omitempty"`
	Channel     string `json:"channel,omitempty"`
	TxID        string `json:"txId,omitempty"`
	Epoch       string `json:"epoch,omitempty"`
	Extension   string `json:"extension,omitempty"`
	Signed
	Signature string   `json:"signature,omitempty"`
	Config    *Config  `json:"config,omitempty"`
	Actions   []Action `json:"actions,omitempty"`
}

// Config is a channel's configuration.
type Config struct {
	Sequence string `json:"sequence,omitempty"`
	Group    Group  `json:"group,omitzero"`
}

// Group is a configuration group with all below it.
type Group struct {
	Version   int              `json:"version,omitempty"`
	ModPolicy string           `json:"modPolicy,omitempty"`
	Groups    map[string]Group `json:"groups,omitempty"`
	Values    map[string]Item  `json:"values,omitempty"`
	Policies  map[string]Item  `json:"policies,omitempty"`
}

// Item is a configuration value, or a policy.
type Item struct {
	Version   int    `json:"version,omitempty"`
	ModPolicy string `json:"modPolicy,omitempty"`
	Type      int    `json:"type,omitempty"`
	// Value is not from fabric-common, which takes it apart.
	Value string `json:"value,omitempty"`
}

// Action is what an endorser transaction did.
type Action struct {
	Signed
	Language     int           `json:"language,omitempty"`
	Called       Chaincode     `json:"called,omitzero"`
	Args         []string      `json:"args,omitempty"`
	ProposalHash string        `json:"proposalHash,omitempty"`
	DataModel    int           `json:"dataModel,omitempty"`
	Namespaces   []Namespace   `json:"namespaces,omitempty"`
	Event        Event         `json:"event,omitzero"`
	Status       int           `json:"status,omitempty"`
	Message      string        `json:"message,omitempty"`
	Payload      string        `json:"payload,omitempty"`
	Ran          Chaincode     `json:"ran,omitzero"`
	Endorsements []Endorsement `json:"endorsements,omitempty"`
}

// Chaincode names one.
type Chaincode struct {
	Path    string `json:"path,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// Event is a chaincode's.
type Event struct {
	Chaincode string `json:"chaincode,omitempty"`
	TxID      string `json:"txId,omitempty"`
	Name      string `json:"name,omitempty"`
	Payload   string `json:"payload,omitempty"`
}

// Endorsement is an endorser's signature.
type Endorsement struct {
	Identity
	Signature string `json:"signature,omitempty"`
}

// Namespace is a chaincode's part of a read and write set.
type Namespace struct {
	Name        string       `json:"name,omitempty"`
	Reads       []Read       `json:"reads,omitempty"`
	Ranges      []Range      `json:"ranges,omitempty"`
	Writes      []Write      `json:"writes,omitempty"`
	Metadata    []KeyEntries `json:"metadata,omitempty"`
	Collections []Collection `json:"collections,omitempty"`
}

// Read is a key that was read; its Version is block/transaction.
type Read struct {
	Key     string `json:"key,omitempty"`
	Version string `json:"version,omitempty"`
}

// Range is a range query.
type Range struct {
	Start     string   `json:"start,omitempty"`
	End       string   `json:"end,omitempty"`
	Exhausted bool     `json:"exhausted,omitempty"`
	Reads     []Read   `json:"reads,omitempty"`
	Hashes    []string `json:"hashes,omitempty"`
}

// Write is a key that was written.
type Write struct {
	Key      string `json:"key,omitempty"`
	IsDelete bool   `json:"isDelete,omitempty"`
	Value    string `json:"value,omitempty"`
}

// KeyEntries is the metadata of a key that was written.
type KeyEntries struct {
	Key     string  `json:"key,omitempty"`
	Entries []Entry `json:"entries,omitempty"`
}

// Entry is a piece of metadata.
type Entry struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// Collection is the private part of a namespace.
type Collection struct {
	Name string `json:"name,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// Filtered describes a filtered block.
type Filtered struct {
	Number       string                `json:"number,omitempty"`
	Channel      string                `json:"channel,omitempty"`
	Transactions []FilteredTransaction `json:"transactions,omitempty"`
}

// FilteredTransaction is a transaction's verdict and events.
type FilteredTransaction struct {
	TxID   string  `json:"txId,omitempty"`
	Type   int     `json:"type,omitempty"`
	Code   int     `json:"code,omitempty"`
	Events []Event `json:"events,omitempty"`
}

// forDecoder leaves out what fabric-common's BlockDecoder does not give.
func (b Block) forDecoder() Block {
	b.DataSum = ""
	transactions := make([]Transaction, len(b.Transactions))
	for i, t := range b.Transactions {
		// It counts milliseconds in floating point, which rounds 24.999999 to 25.
		t.Millis = int64(float64(t.Millis/1000)*1000 + float64(t.Nanos)/1e6)
		t.Nanos, t.TLSCertHash = 0, ""
		if t.Config != nil {
			t.Config = &Config{t.Config.Sequence, t.Config.Group.forDecoder()}
		}
		transactions[i] = t
	}
	b.Transactions = transactions
	return b
}

func (g Group) forDecoder() Group {
	bare := func(items map[string]Item) map[string]Item {
		out := map[string]Item{}
		for name, item := range items {
			item.Value = ""
			out[name] = item
		}
		return out
	}
	groups := map[string]Group{}
	for name, group := range g.Groups {
		groups[name] = group.forDecoder()
	}
	g.Groups, g.Values, g.Policies = groups, bare(g.Values), bare(g.Policies)
	return g
}

// filtered is what a peer's DeliverFiltered has to tell of the block.
func (b Block) filtered() Filtered {
	out := Filtered{Number: b.Number, Channel: b.Transactions[0].Channel}
	for i, t := range b.Transactions {
		// Without a verdict: NOT_VALIDATED.
		f := FilteredTransaction{TxID: t.TxID, Type: t.Type, Code: 254}
		if b.Flags != nil {
			f.Code = b.Flags[i]
		}
		for _, a := range t.Actions {
			if event := a.Event; event.Chaincode != "" {
				event.Payload = ""
				f.Events = append(f.Events, event)
			}
		}
		out.Transactions = append(out.Transactions, f)
	}
	return out
}
