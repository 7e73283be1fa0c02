package fabric_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

// decoder unmarshals messages until one fails.
type decoder struct{ err error }

func (d *decoder) message(raw []byte, into proto.Message) {
	if d.err == nil {
		d.err = proto.Unmarshal(raw, into)
	}
}

// decodeAll reads an endorser transaction down to its reads and writes, with protobuf.
func decodeAll(envelope []byte) error {
	var (
		d         decoder
		e         commonpb.Envelope
		p         commonpb.Payload
		tx        peerpb.Transaction
		action    peerpb.ChaincodeActionPayload
		response  peerpb.ProposalResponsePayload
		simulated peerpb.ChaincodeAction
		set       rwsetpb.TxReadWriteSet
		channel   commonpb.ChannelHeader
	)
	d.message(envelope, &e)
	d.message(e.Payload, &p)
	d.message(p.GetHeader().GetChannelHeader(), &channel)
	d.message(p.GetHeader().GetSignatureHeader(), &commonpb.SignatureHeader{})
	d.message(channel.Extension, &peerpb.ChaincodeHeaderExtension{})
	d.message(p.Data, &tx)
	for _, a := range tx.Actions {
		d.message(a.Header, &commonpb.SignatureHeader{})
		d.message(a.Payload, &action)
	}
	d.message(action.GetAction().GetProposalResponsePayload(), &response)
	d.message(response.Extension, &simulated)
	d.message(simulated.Events, &peerpb.ChaincodeEvent{})
	d.message(simulated.Results, &set)
	for _, n := range set.NsRwset {
		d.message(n.Rwset, &kvrwsetpb.KVRWSet{})
	}
	return d.err
}

// viewAll reads the same with this package's views.
func viewAll(envelope []byte) error {
	t, err := fabric.ParseTransaction(envelope)
	if err != nil {
		return err
	}
	if _, err = t.HeaderExtension(); err != nil {
		return err
	}
	e, err := fabric.ParseEndorsed(t.Data)
	if err != nil {
		return err
	}
	a, err := fabric.ParseChaincodeAction(e.Action)
	if err != nil {
		return err
	}
	if _, err = fabric.EventChaincode(a.Event); err != nil {
		return err
	}
	_, err = fabric.ParseReadWriteSet(a.Results)
	return err
}

// What protobuf refuses somewhere in a transaction, a view refuses as well: whichever byte is
// changed.
func TestViewsRefuseWhatProtobufRefuses(t *testing.T) {
	seen, refused, step := 0, 0, 1
	if testing.Short() {
		step = 13
	}
	for _, raw := range blocktest.Sample(t)[6:] {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		for i, envelope := range b.Envelopes() {
			if i > 0 {
				break
			}
			if tx, err := fabric.ParseTransaction(envelope); err != nil || tx.Type != commonpb.HeaderType_ENDORSER_TRANSACTION {
				continue
			}
			seen++
			changed := bytes.Clone(envelope)
			for at := 0; at < len(changed); at += step {
				for _, bits := range []byte{0x01, 0x08, 0x80, 0xff} {
					changed[at] ^= bits
					if err := decodeAll(changed); err != nil {
						refused++
						if viewAll(changed) == nil {
							t.Fatalf("block %d, byte %d of %d changed by %#x: only protobuf refuses it: %v", b.Number, at, len(changed), bits, err)
						}
					}
					changed[at] ^= bits
				}
			}
		}
	}
	if seen == 0 || refused == 0 {
		t.Errorf("%d transactions, %d changes were refused", seen, refused)
	}
}
