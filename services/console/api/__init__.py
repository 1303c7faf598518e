"""HTTP and JSON for programs without gRPC: the methods of the services under their own names, policies and refusals."""
