"""Checkpoints signed: the signer with its own record, in another failure domain than the database."""
