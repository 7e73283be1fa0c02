//go:build !linux

package offheap

func letGo() {}
