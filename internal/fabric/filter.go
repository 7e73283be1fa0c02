package fabric

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// Filter returns what a peer's DeliverFiltered sends of a block (core/peer/deliverevents.go:
// toFilteredBlock). Without verdicts the code is NOT_VALIDATED.
func Filter(b *Block) (*peerpb.FilteredBlock, error) {
	out := &peerpb.FilteredBlock{Number: b.Number}
	flags := b.Flags()
	for i, envelope := range b.Envelopes() {
		t, err := ParseTransaction(envelope)
		if err != nil {
			return nil, fmt.Errorf("block %d: transaction %d: %w", b.Number, i, err)
		}
		if i == 0 {
			out.ChannelId = t.ChannelID
		}
		code := peerpb.TxValidationCode_NOT_VALIDATED
		if flags != nil {
			code = peerpb.TxValidationCode(flags[i])
		}
		filtered := &peerpb.FilteredTransaction{Txid: t.TxID, Type: t.Type, TxValidationCode: code}
		if t.Type == commonpb.HeaderType_ENDORSER_TRANSACTION {
			actions, err := filterActions(t.Data)
			if err != nil {
				return nil, fmt.Errorf("block %d: transaction %d: %w", b.Number, i, err)
			}
			filtered.Data = &peerpb.FilteredTransaction_TransactionActions{TransactionActions: actions}
		}
		out.FilteredTransactions = append(out.FilteredTransactions, filtered)
	}
	return out, nil
}

func filterActions(transaction []byte) (*peerpb.FilteredTransactionActions, error) {
	out := &peerpb.FilteredTransactionActions{}
	err := each(transaction, "b", func(action []byte) error {
		raw, err := dig(action, 2, 2, 1, 2, 2) // ChaincodeAction.events
		if err != nil {
			return err
		}
		event := &peerpb.ChaincodeEvent{}
		if err := proto.Unmarshal(raw, event); err != nil {
			return fmt.Errorf("chaincode event: %w: %w", ErrMalformed, err)
		}
		if event.ChaincodeId != "" {
			event.Payload = nil
			out.ChaincodeActions = append(out.ChaincodeActions, &peerpb.FilteredChaincodeAction{ChaincodeEvent: event})
		}
		return nil
	})
	return out, err
}
