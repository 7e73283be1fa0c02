package cost

import (
	"errors"
	"fmt"
	"time"
)

// A Machine is where a model was measured. A forecast is valid only there.
type Machine struct {
	// Validators is how many transactions were validated at once, CPUs how many there are.
	// Zero CPUs: the model does not tell its machine.
	Validators int `json:"validators"`
	CPUs       int `json:"cpus"`
	// System is the operating system and architecture as Go names them: linux/amd64.
	System string `json:"system"`
	// Directory is where the ledger was made.
	Directory string `json:"directory"`
	// Date is that of the calibration, as 2006-01-02, in UTC.
	Date string `json:"date"`
}

// mostCPUs bounds the number of CPUs and validators in a file.
const mostCPUs = 1 << 16

// String is the machine in a few words.
func (m *Machine) String() string {
	if m.CPUs == 0 {
		return "calibrated nobody knows where"
	}
	return fmt.Sprintf("calibrated with %s on %s (%s) in %s, %s",
		number(m.Validators, "validator"), number(m.CPUs, "CPU"), m.System, m.Directory, m.Date)
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (m *Machine) check() error {
	if *m == (Machine{}) {
		return nil
	}
	switch _, err := time.Parse(time.DateOnly, m.Date); {
	case m.CPUs < 1 || m.CPUs > mostCPUs || m.Validators < 1 || m.Validators > mostCPUs:
		return fmt.Errorf("it was calibrated with %d validators on %d CPUs", m.Validators, m.CPUs)
	case len(m.System) > maxName || len(m.Directory) > maxName:
		return errors.New("it does not name its machine in a few words")
	case err != nil:
		return fmt.Errorf("it was calibrated on %q, which is no date", m.Date)
	}
	return nil
}
