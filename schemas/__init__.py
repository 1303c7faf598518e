"""What others build on: the contract of the facts written out, and packages of the protos for other languages."""
