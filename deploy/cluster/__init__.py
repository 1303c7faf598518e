"""The product on a real cluster that is made on this machine: `make k8s-test`."""
